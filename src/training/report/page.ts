/** @module The report as one page: nothing in it is fetched, nothing in it is trusted but our own markup. */
import { createHash } from 'node:crypto';
import { formatDuration } from '../../util/progress.js';
import type { Confusion } from '../grpo/records.js';
import { curvesOf } from '../runs/curves.js';
import { type Inspection, inspectRun } from '../runs/inspection.js';
import type { RunLog } from '../runs/run-log.js';
import { flat } from '../runs/settings.js';
import { formatValue, type Point, type Summary } from '../runs/series.js';
import { changesSection, type Pictures, samplesSection, turnsTable } from './answers.js';
import { curveChart, histogram } from './charts.js';
import { addedUp, type Distribution, type Gathered } from './gather.js';
import { html, Markup } from './html.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/** A section of the page; one without content is left out. */
interface Section {
  readonly id: string;
  readonly title: string;
  readonly content: Markup | null;
}

export function reportPage(run: RunLog, gathered: Gathered | null, pictures: Pictures): string {
  const inspection = inspectRun(run);
  const sections: readonly Section[] = [
    { id: 'doubts', title: 'What to look at', content: doubts(inspection) },
    { id: 'values', title: 'Final values', content: valuesTable(inspection.measures) },
    {
      id: 'curves',
      title: 'Curves',
      content: html`<div class="charts">${curvesOf(run).map(curveChart)}</div>`,
    },
    { id: 'distributions', title: 'Distributions', content: gathered && distributions(gathered) },
    { id: 'confusion', title: 'Confusion', content: confusions(run) },
    {
      id: 'samples',
      title: 'Samples',
      content:
        gathered === null || gathered.samples.length === 0
          ? null
          : html`<p>The latest groups of each kind; the completions that earned most stand first.</p>${samplesSection(gathered.samples, pictures)}`,
    },
    {
      id: 'changes',
      title: 'What changed',
      content:
        gathered === null || gathered.compared === null
          ? null
          : html`${turnsTable(gathered.turns)}${changesSection(gathered.compared, pictures)}`,
    },
    { id: 'settings', title: 'Settings', content: settings(run) },
  ];
  const shown = sections.flatMap(({ id, title, content }) =>
    content === null ? [] : [{ id, title, content }],
  );
  const title = `${run.method.toUpperCase()} run ${run.name}`;
  const body = html`<header><h1>${title}</h1>${facts(run, inspection)}<nav aria-label="Sections">${shown.map((section) => html`<a href="#${section.id}">${section.title}</a>`)}</nav></header><main>${shown.map(
    (section) =>
      html`<section aria-labelledby="${section.id}"><h2 id="${section.id}">${section.title}</h2>${section.content}</section>`,
  )}</main><footer><p class="soft">A report of one training run, made from its folder. Pictures and policies may be somebody’s: share it as you would share them.</p></footer>`;
  return documentOf(title, body);
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The policy allows our style and script by their hashes, and nothing from anywhere else. */
function documentOf(title: string, body: Markup): string {
  const policy = [
    "default-src 'none'",
    'img-src data:',
    `style-src ${hashOf(STYLE)}`,
    `script-src ${hashOf(SCRIPT)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><title>${title}</title><style>${new Markup(STYLE)}</style></head><body>${body}<script>${new Markup(SCRIPT)}</script></body></html>
`;
  return page.text;
}

const STATUS: Readonly<Record<Inspection['status'], string>> = {
  'under way': 'under way or interrupted',
  finished: 'finished',
  'no longer better': 'stopped early, no longer better',
};

function facts(run: RunLog, { status, step, steps, seconds, best, written }: Inspection): Markup {
  const { config } = run;
  const entries: [string, string][] = [
    ['state', STATUS[status]],
    ['steps', steps === null ? String(step) : `${step} of ${steps}`],
    ['time of training', formatDuration(seconds)],
    ...(best === null
      ? []
      : ([
          [
            `best held-out ${best.by === 'reward' ? 'reward' : 'macro-F1'}`,
            `${formatValue(best[best.by] ?? Number.NaN)} after step ${best.step}`,
          ],
        ] as [string, string][])),
    ...(config === null ? [] : ([['from', config.model]] as [string, string][])),
    ['last step written', `${written.slice(0, 16).replace('T', ' ')} UTC`],
  ];
  return html`<dl class="facts">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function doubts({ warnings }: Inspection): Markup {
  if (warnings.length === 0) return html`<p>Nothing doubtful was found in the numbers.</p>`;
  return html`${warnings.map(({ name, message }) => html`<p class="warning"><b>${name}</b>: ${message}.</p>`)}`;
}

function valuesTable(measures: readonly Summary[]): Markup {
  const at = (point: Point | null): string =>
    point === null ? '' : `${formatValue(point.value)} (${point.step})`;
  return html`<p class="soft">Each with the step that it was measured at.</p><div class="wide"><table><thead><tr><th scope="col" class="text">measure</th><th scope="col">first</th><th scope="col">last</th><th scope="col">best</th><th scope="col" class="text">unit</th></tr></thead><tbody>${measures.map(
    ({ name, curve, unit, first, last, best }) =>
      html`<tr><th scope="row">${name.toLowerCase() === curve.toLowerCase() ? name : `${curve}: ${name}`}</th><td>${at(first)}</td><td><b>${at(last)}</b></td><td>${at(best)}</td><td class="text">${unit}</td></tr>`,
  )}</tbody></table></div>`;
}

function distributions({ early, late }: Gathered): Markup | null {
  if (late.rewards.length === 0) return null;
  const apart = early.steps[1] < late.steps[0] && early.rewards.length > 0;
  const parts = apart ? [early, late] : [late];
  const sets = (values: (part: Distribution) => readonly number[]) =>
    parts.map((part) => ({ name: `steps ${part.steps[0]}–${part.steps[1]}`, values: values(part) }));
  return html`<div class="charts">${histogram({
    title: 'Rewards',
    unit: 'weighted sum',
    about: 'What completions earned, in the first and in the last third of the run.',
    sets: sets(({ rewards }) => rewards),
  })}${histogram({
    title: 'Lengths',
    unit: 'tokens',
    about: 'A heap at the right end is completions that were cut off.',
    sets: sets(({ lengths }) => lengths),
  })}</div>`;
}

function confusions(run: RunLog): Markup | null {
  if (run.method === 'sft') return null;
  const { metrics, heldOut } = run;
  const third = Math.max(1, Math.ceil(metrics.length / 3));
  const [start, end] = [metrics.slice(0, third), metrics.slice(-third)];
  const steps = (part: typeof metrics): string => `steps ${part[0].step}–${part[part.length - 1].step}`;
  const tables: [string, Confusion][] = [
    [`Sampled, ${steps(start)}`, addedUp(start.map(({ confusion }) => confusion))],
    [`Sampled, ${steps(end)}`, addedUp(end.map(({ confusion }) => confusion))],
    [`Sampled, the whole run`, addedUp(metrics.map(({ confusion }) => confusion))],
    ...(heldOut.length === 0
      ? []
      : [...new Set([heldOut[0], heldOut[heldOut.length - 1]])].map(
          ({ step, confusion }): [string, Confusion] => [`Held out, after step ${step}`, confusion],
        )),
  ];
  return html`<div class="tables">${tables.map(([caption, confusion]) => confusionTable(caption, confusion))}</div>`;
}

function confusionTable(caption: string, confusion: Confusion): Markup {
  const row = (label: 'safe' | 'unsafe'): Markup => {
    const { safe, unsafe, invalid } = confusion[label];
    const all = safe + unsafe + invalid;
    const right = all === 0 ? '–' : `${((100 * confusion[label][label]) / all).toFixed(0)} %`;
    return html`<tr><th scope="row">is ${label}</th><td>${safe}</td><td>${unsafe}</td><td>${invalid}</td><td>${right}</td></tr>`;
  };
  return html`<table><caption>${caption}</caption><thead><tr><td></td><th scope="col">read safe</th><th scope="col">read unsafe</th><th scope="col">unreadable</th><th scope="col">right</th></tr></thead><tbody>${row('safe')}${row('unsafe')}</tbody></table>`;
}

function settings({ config }: RunLog): Markup | null {
  if (config === null) return null;
  return html`<details><summary>Every setting of the run</summary><div class="wide"><table><tbody>${flat(config).map(([name, value]) => html`<tr><th scope="row">${name}</th><td class="text">${value}</td></tr>`)}</tbody></table></div></details>`;
}
