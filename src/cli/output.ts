import { styleText } from 'node:util';
import type { Label, Verdict } from '../guard/verdict.js';
import { ProgressBlock } from '../util/progress.js';
import { oneLine, printable, safeJson } from './printable.js';

/** Where a command writes, and in which colours; tests give their own. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** A piece of a text that is still being written, on standard error. */
  part(text: string): void;
  paint(style: Style, text: string): string;
  /** Where progress is shown, if it is. */
  readonly progress?: ProgressBlock;
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow';

/** The process's own streams; colours where standard output is a terminal and NO_COLOR is not set. */
export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  part: (text) => void process.stderr.write(text),
  paint: (style, text) => styleText(style, text, { stream: process.stdout }),
  progress: new ProgressBlock(),
};

/** Text as it comes, every line of it behind a mark, so that none of a model's lines can pass for one of ours. */
export class LineWriter {
  #atStart = true;

  constructor(
    private readonly write_: (text: string) => void,
    private readonly mark: string,
  ) {}

  write(text: string): void {
    for (const piece of printable(text).split(/(?<=\n)/u)) {
      if (piece === '') continue;
      this.write_(this.#atStart ? `${this.mark}${piece}` : piece);
      this.#atStart = piece.endsWith('\n');
    }
  }

  /** Ends the line that is begun. */
  end(): void {
    if (!this.#atStart) this.write_('\n');
    this.#atStart = true;
  }
}

const LABEL_STYLES: Readonly<Record<Label, Style>> = { safe: 'green', unsafe: 'red', invalid: 'yellow' };

/** Stands under every readable result. */
export const OVERSIGHT =
  'A research model made this verdict: let a person check it before anything depends on it.';

/** One verdict with all its details, as lines. */
export function fullVerdict(
  image: string,
  verdict: Verdict,
  { paint }: Pick<Terminal, 'paint'>,
  policyName: string,
): string {
  const { timings, tokens, model, policy } = verdict;
  return [
    `${label(verdict, paint)}  ${paint('bold', oneLine(image))}  under  ${paint('bold', policyName)}`,
    '',
    ...findings(verdict, paint),
    '',
    paint('dim', `time    ${seconds(timings.total)} (${timesOf(verdict)})`),
    ...(tokens.prompt === null || tokens.completion === null
      ? []
      : [paint('dim', `tokens  ${tokens.prompt} read, ${tokens.completion} written`)]),
    paint('dim', `model   ${modelOf(verdict)}`),
    paint('dim', `from    ${oneLine('path' in model ? model.path : model.baseURL)}`),
    ...('adapter' in model && model.adapter !== undefined
      ? [paint('dim', `adapter ${oneLine(model.adapter)}`)]
      : []),
    ...shownSizes(verdict).map((line) => paint('dim', line)),
    paint('dim', `policy  ${policy.id}`),
  ].join('\n');
}

/** One verdict among several: what, why and how long. What they share stands once, in the {@link footer}. */
export function compactVerdict(
  image: string,
  verdict: Verdict,
  { paint }: Pick<Terminal, 'paint'>,
  policyName: string,
): string {
  const where = `${paint('bold', oneLine(image))}  under  ${paint('bold', policyName)}`;
  const details = paint('dim', `(${seconds(verdict.timings.total)}, policy ${verdict.policy.id})`);
  return [`${label(verdict, paint)}  ${where}  ${details}`, ...findings(verdict, paint), ''].join('\n');
}

/** A larger table is no glance. */
export const LARGEST_TABLE = 100;

/** What a table shows of one verdict. */
export interface TableCell {
  readonly image: string;
  readonly file: string;
  readonly label: Label;
  readonly probability: number | null;
}

/** Images down, policies by their files across: what several verdicts come to at a glance. */
export function verdictTable(done: readonly TableCell[], { paint }: Pick<Terminal, 'paint'>): string {
  const files = [...new Set(done.map(({ file }) => file))];
  const rows = [...new Set(done.map(({ image }) => image))].map((image) => {
    const cells = files.map((file) => {
      const found = done.find((one) => one.image === image && one.file === file);
      if (!found) return { text: '–', style: null };
      const { label: name, probability } = found;
      const chance = probability === null ? '' : ` ${percent(probability)}`;
      return { text: `${name}${chance}`, style: LABEL_STYLES[name] };
    });
    return [{ text: oneLine(image), style: null }, ...cells];
  });
  const head = ['', ...files.map(oneLine)].map((text) => ({ text, style: 'bold' as const }));
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

/** What came out of several judgements. */
export interface Counts {
  readonly labels: Readonly<Record<Label, number>>;
  /** Judgements without a verdict. */
  readonly failures: number;
  readonly first?: Verdict | undefined;
}

/** The line below several verdicts: how many of each, and the model. */
export function footer({ labels, failures, first }: Counts, { paint }: Pick<Terminal, 'paint'>): string {
  const names: readonly Label[] = ['safe', 'unsafe', 'invalid'];
  const parts = [
    ...names
      .filter((name) => labels[name] > 0)
      .map((name) => paint(LABEL_STYLES[name], `${labels[name]} ${name}`)),
    ...(failures > 0 ? [paint('red', `${failures} not judged`)] : []),
  ];
  const model = first ? paint('dim', `  model ${modelOf(first)}`) : '';
  return `${parts.length === 0 ? 'nothing judged' : parts.join(', ')}${model}`;
}

/** The sizes at which pictures were shown, where that is not their own. */
function shownSizes({ images, maxPixels }: Verdict): string[] {
  const sizes = images.flatMap(({ width, height, shown }) =>
    shown === null || (shown.width === width && shown.height === height)
      ? []
      : [`shown   at ${shown.width} × ${shown.height} of ${width} × ${height} pixels`],
  );
  if (sizes.length > 0 || maxPixels === null) return sizes;
  return [`shown   at ${maxPixels} pixels at most`];
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
    const about = category === null ? '' : ` (${oneLine(category)})`;
    const doubt = rule.quotedExactly
      ? ''
      : paint('yellow', '  the model did not quote it word for word: check it');
    lines.push(`  breaks rule ${rule.number}${about}: “${oneLine(rule.text)}”${doubt}`);
  }
  if (problem) lines.push(`  ${paint('yellow', `no verdict: ${oneLine(problem.message)}`)}`);
  const thoughts = printable(reasoning)
    .split('\n')
    .filter((line) => line.trim() !== '');
  lines.push(
    ...thoughts.map((line, index) => `  ${index === 0 ? 'reasoning: ' : '           '}${line.trim()}`),
  );
  if (problem && thoughts.length === 0) lines.push(`  answer: ${safeJson(printable(verdict.raw))}`);
  return lines;
}

function timesOf({ timings }: Verdict): string {
  return `image ${seconds(timings.image)}, answer ${seconds(timings.generate)}`;
}

function modelOf({ model, profile, regime }: Verdict): string {
  const hash = 'hash' in model && model.hash !== undefined ? ` ${model.hash.slice(0, 12)}` : '';
  const how = regime === 'fast' ? ', fast' : '';
  return `${oneLine(model.name)}${hash}, profile ${oneLine(profile)}${how}`;
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
