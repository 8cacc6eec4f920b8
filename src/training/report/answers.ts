/** @module Completions on the page: with their picture, their policy and what they earned, and compared between two steps. */
import { goldOf, markOf } from '../grpo/mark.js';
import type { CompletionRecord } from '../grpo/records.js';
import type { CompletionGroup } from '../runs/completions.js';
import { formatValue } from '../runs/series.js';
import type { Compared, Gathered, Sample } from './gather.js';
import { html, type Markup } from './html.js';

/** Data URIs by the path of the picture; null where it could not be read. */
export type Pictures = ReadonlyMap<string, string | null>;

/** In words too, not by colour alone. */
const MARKS = { right: 'right', wrong: 'wrong', invalid: 'unreadable' } as const;

/** What was read, and how it stands to the right answer. */
const said = (record: CompletionRecord, kind: keyof typeof MARKS): string =>
  record.label === null || kind === 'invalid' ? MARKS[kind] : `${record.read} (${MARKS[kind]})`;

function answer(record: CompletionRecord, attributes: Markup = html``): Markup {
  const { reward, rewards, advantage, tokens, truncated, completion } = record;
  const parts = Object.entries(rewards).map(
    ([name, value]) => `${name} ${value === null ? '–' : formatValue(value)}`,
  );
  const kind = markOf(record);
  return html`<article class="answer ${kind}"${attributes}><p class="meta"><b class="read">${said(record, kind)}</b> · reward <b>${formatValue(reward)}</b> = ${parts.join(' · ')}${
    advantage === 0 ? '' : ` · advantage ${formatValue(advantage)}`
  } · ${tokens} tokens${truncated ? ', cut off' : ''}</p><pre>${completion}</pre></article>`;
}

/** Above so many lines a policy is folded. */
const OPEN_LINES = 14;

function policyOf(prompt: string): Markup {
  const lines = prompt.split('\n').length;
  if (lines <= OPEN_LINES) return html`<pre>${prompt}</pre>`;
  return html`<details><summary>Policy (${lines} lines)</summary><pre>${prompt}</pre></details>`;
}

function look({ completions, promptIndex }: CompletionGroup, pictures: Pictures, body: Markup): Markup {
  const [record] = completions;
  const { images, prompt, label } = record;
  const shown = images.map((path, i) => {
    const uri = pictures.get(path) ?? null;
    const name = `Picture ${i + 1} of prompt ${promptIndex}${label === null ? '' : `, which the policy makes ${label}`}`;
    return uri === null
      ? html`<div class="missing">${name}: missing or broken</div>`
      : html`<img src="${uri}" alt="${name}" loading="lazy">`;
  });
  return html`<div class="look"><div>${shown}</div><div><p class="meta">right answer: <b>${goldOf(record)}</b></p>${policyOf(prompt)}</div></div>${body}`;
}

export function samplesSection(samples: readonly Sample[], pictures: Pictures): Markup {
  const reasons = [...new Set(samples.map(({ reason }) => reason))];
  return html`${reasons.map((reason) => {
    const own = samples.filter((sample) => sample.reason === reason);
    return html`<h3>${reason}</h3>${own.map(
      ({ group }) =>
        html`<section class="sample" aria-label="${reason}: prompt ${group.promptIndex} at step ${group.step}"><p class="meta">step ${group.step}, prompt ${group.promptIndex}</p>${look(
          group,
          pictures,
          html`<div class="answers">${[...group.completions].sort((a, b) => b.reward - a.reward).map((one) => answer(one))}</div>`,
        )}</section>`,
    )}`;
  })}`;
}

export function turnsTable(turns: Gathered['turns']): Markup {
  if (turns.length === 0) return html``;
  const count = (value: number | null): string => (value === null ? '–' : String(value));
  return html`<div class="wide"><table><caption>Held-out prompts from one evaluation to the next</caption><thead><tr><th scope="col">after step</th><th scope="col">right</th><th scope="col">of</th><th scope="col">became right</th><th scope="col">became wrong</th></tr></thead><tbody>${turns.map(
    ({ step, prompts, right, becameRight, becameWrong }) =>
      html`<tr><th scope="row">${step}</th><td>${right}</td><td>${prompts}</td><td>${count(becameRight)}</td><td>${count(becameWrong)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** Two columns with the answers of every step, of which the page's script shows one each. */
export function changesSection(
  { kind, prompts }: NonNullable<Gathered['compared']>,
  pictures: Pictures,
): Markup {
  const steps = [...new Set(prompts.flatMap(({ groups }) => groups.map(({ step }) => step)))].sort(
    (a, b) => a - b,
  );
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const sides = [
    { side: 'a', name: 'Step A', chosen: first },
    { side: 'b', name: 'Step B', chosen: last },
  ];
  const select = ({ side, name, chosen }: (typeof sides)[number]): Markup =>
    html`<label>${name} <select data-side="${side}" disabled>${steps.map(
      (step) =>
        html`<option value="${step}"${step === chosen ? html` selected` : html``}>${step === 0 ? '0 (start)' : step}</option>`,
    )}</select></label>`;
  const column = ({ side, name, chosen }: (typeof sides)[number], { groups }: Compared): Markup =>
    html`<div data-side="${side}"><p class="meta">${name}</p>${groups.flatMap(({ step, completions }) =>
      completions.map((one) =>
        answer(one, html` data-step="${step}"${step === chosen ? html`` : html` hidden`}`),
      ),
    )}<p class="none meta"${groups.some(({ step }) => step === chosen) ? html` hidden` : html``}>not asked at this step</p></div>`;
  return html`<p>${kind === 'held-out' ? 'Greedy answers to held-out prompts' : 'Sampled answers to prompts that came more than once'}, the most changed first. Words that the other side does not have are marked.</p><div data-compare=""><div class="pick">${sides.map(select)}</div>${prompts.map(
    (compared) => {
      const [group] = compared.groups;
      return html`<section class="sample" aria-label="Prompt ${group.promptIndex} at two steps"><p class="meta">prompt ${group.promptIndex}</p>${look(group, pictures, html`<div class="pair">${sides.map((side) => column(side, compared))}</div>`)}</section>`;
    },
  )}</div>`;
}
