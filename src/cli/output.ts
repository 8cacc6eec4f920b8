import { styleText } from 'node:util';
import type { Label, Verdict } from '../guard/verdict.js';

/** Where a command writes, and in which colours; tests give their own. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** A piece of a text that is still being written, on standard error. */
  part(text: string): void;
  paint(style: Style, text: string): string;
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow';

/** The process's own streams; colours where standard output is a terminal and NO_COLOR is not set. */
export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  part: (text) => void process.stderr.write(text),
  paint: (style, text) => styleText(style, text, { stream: process.stdout }),
};

const LABEL_STYLES: Readonly<Record<Label, Style>> = { safe: 'green', unsafe: 'red', invalid: 'yellow' };

/** Stands under every readable result. */
export const OVERSIGHT =
  'A research model made this verdict: let a person check it before anything depends on it.';

/** Model and file text as it may be shown: without control characters, which a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/(?!\n|\t)\p{Cc}/gu, '');
}

/** One verdict with all its details, as lines. */
export function fullVerdict(image: string, verdict: Verdict, { paint }: Pick<Terminal, 'paint'>): string {
  const { timings, tokens, model, policy, maxPixels } = verdict;
  return [
    `${label(verdict, paint)}  ${paint('bold', printable(image))}  under  ${paint('bold', printable(policy.title))}`,
    '',
    ...findings(verdict, paint),
    '',
    paint('dim', `time    ${seconds(timings.total)} (${timesOf(verdict)})`),
    ...(tokens.prompt === null || tokens.completion === null
      ? []
      : [paint('dim', `tokens  ${tokens.prompt} read, ${tokens.completion} written`)]),
    paint('dim', `model   ${modelOf(verdict)}`),
    paint('dim', `from    ${printable('path' in model ? model.path : model.baseURL)}`),
    ...('adapter' in model && model.adapter !== undefined
      ? [paint('dim', `adapter ${printable(model.adapter)}`)]
      : []),
    ...(maxPixels === null ? [] : [paint('dim', `shown   at ${maxPixels} pixels at most`)]),
    paint('dim', `policy  ${policy.id}`),
  ].join('\n');
}

/** One verdict among several: what, why and how long. What they share stands once, in the {@link footer}. */
export function compactVerdict(image: string, verdict: Verdict, { paint }: Pick<Terminal, 'paint'>): string {
  const where = `${paint('bold', printable(image))}  under  ${paint('bold', printable(verdict.policy.title))}`;
  const details = paint('dim', `(${seconds(verdict.timings.total)}, policy ${verdict.policy.id})`);
  return [`${label(verdict, paint)}  ${where}  ${details}`, ...findings(verdict, paint), ''].join('\n');
}

/** Images down, policies across: what several verdicts come to at a glance. */
export function verdictTable(
  done: readonly { readonly image: string; readonly verdict: Verdict }[],
  { paint }: Pick<Terminal, 'paint'>,
): string {
  const titles = [...new Set(done.map(({ verdict }) => verdict.policy.title))];
  const rows = [...new Set(done.map(({ image }) => image))].map((image) => {
    const cells = titles.map((title) => {
      const found = done.find((one) => one.image === image && one.verdict.policy.title === title);
      if (!found) return { text: '–', style: null };
      const { label: name, probability } = found.verdict;
      const chance = probability === null ? '' : ` ${percent(probability)}`;
      return { text: `${name}${chance}`, style: LABEL_STYLES[name] };
    });
    return [{ text: printable(image), style: null }, ...cells];
  });
  const head = ['', ...titles.map(printable)].map((text) => ({ text, style: 'bold' as const }));
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].text.length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map(({ text, style }, column) => {
          const padded = text.padEnd(widths[column]);
          return style === null ? padded : paint(style, padded);
        })
        .join('  ')
        .trimEnd(),
    )
    .concat('')
    .join('\n');
}

/** The line below several verdicts: how many of each, and the model. */
export function footer(
  verdicts: readonly Verdict[],
  failures: number,
  { paint }: Pick<Terminal, 'paint'>,
): string {
  const labels: readonly Label[] = ['safe', 'unsafe', 'invalid'];
  const counts = labels.map((name) => ({
    name,
    count: verdicts.filter((verdict) => verdict.label === name).length,
  }));
  const parts = [
    ...counts
      .filter(({ count }) => count > 0)
      .map(({ name, count }) => paint(LABEL_STYLES[name], `${count} ${name}`)),
    ...(failures > 0 ? [paint('red', `${failures} not judged`)] : []),
  ];
  const [first] = verdicts;
  const model = first ? paint('dim', `  model ${modelOf(first)}`) : '';
  return `${parts.join(', ')}${model}`;
}

function label({ label: name, probability }: Verdict, paint: Terminal['paint']): string {
  const chance = probability === null ? '' : `  P(unsafe) ${percent(probability)}`;
  return `${paint(LABEL_STYLES[name], paint('bold', name.toUpperCase()))}${chance}`;
}

/** Three digits; only a probability of exactly 0 or 1 is shown as such. */
function percent(probability: number): string {
  if (probability > 0 && probability < 0.001) return '< 0.001';
  if (probability < 1 && probability > 0.999) return '> 0.999';
  return probability.toFixed(3);
}

/** The rule, the problem and the reasoning, indented. */
function findings(verdict: Verdict, paint: Terminal['paint']): string[] {
  const { violatedRule: rule, category, problem, reasoning } = verdict;
  const lines: string[] = [];
  if (rule) {
    const about = category === null ? '' : ` (${printable(category)})`;
    const doubt = rule.quotedExactly
      ? ''
      : paint('yellow', '  the model did not quote it word for word: check it');
    lines.push(`  breaks rule ${rule.number}${about}: “${printable(rule.text)}”${doubt}`);
  }
  if (problem) lines.push(`  ${paint('yellow', `no verdict: ${printable(problem.message)}`)}`);
  const thoughts = printable(reasoning)
    .split('\n')
    .filter((line) => line.trim() !== '');
  lines.push(
    ...thoughts.map((line, index) => `  ${index === 0 ? 'reasoning: ' : '           '}${line.trim()}`),
  );
  if (problem && thoughts.length === 0) lines.push(`  answer: ${JSON.stringify(printable(verdict.raw))}`);
  return lines;
}

function timesOf({ timings }: Verdict): string {
  return `image ${seconds(timings.image)}, answer ${seconds(timings.generate)}`;
}

function modelOf({ model, profile, regime }: Verdict): string {
  const hash = 'hash' in model && model.hash !== undefined ? ` ${model.hash.slice(0, 12)}` : '';
  const how = regime === 'fast' ? ', fast' : '';
  return `${printable(model.name)}${hash}, profile ${profile}${how}`;
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
