/** @module What `judge` shows while it works and in the end: counts, a line of progress, a summary. */
import type { Label, Verdict } from '../guard/verdict.js';
import { formatDuration, ProgressBlock } from '../util/progress.js';
import { type Counts, footer, LARGEST_TABLE, type TableCell, type Terminal, verdictTable } from './output.js';

/** What has come out so far; verdicts themselves are not kept. */
export class Tally implements Counts {
  readonly labels: Record<Label, number> = { safe: 0, unsafe: 0, invalid: 0 };
  /** Judgements without a verdict. */
  failures = 0;
  /** Of this run, for the rate. */
  made = 0;
  unknownPictures = 0;
  first: Verdict | undefined;
  readonly cells: TableCell[] = [];

  get done(): number {
    const { safe, unsafe, invalid } = this.labels;
    return safe + unsafe + invalid + this.failures;
  }

  /** A row that stood in the file before. */
  kept(label: Label | null): void {
    if (label === null) this.failures += 1;
    else this.labels[label] += 1;
  }

  judged(image: string, file: string, verdict: Verdict): void {
    this.made += 1;
    this.labels[verdict.label] += 1;
    this.first ??= verdict;
    if (verdict.problem?.kind === 'unknownPicture') this.unknownPictures += 1;
    const { label, probability } = verdict;
    if (this.cells.length <= LARGEST_TABLE) this.cells.push({ image, file, label, probability });
  }

  failed(): void {
    this.made += 1;
    this.failures += 1;
  }
}

/** A line on standard error: how far, how fast, how long still. */
export class JudgeProgress {
  readonly #begun = process.uptime();

  constructor(
    private readonly total: number,
    private readonly tally: Tally,
    private readonly block = new ProgressBlock(),
  ) {}

  update(): void {
    const { labels, failures, made, done } = this.tally;
    const rate = made / Math.max(process.uptime() - this.#begun, Number.EPSILON);
    const left = made === 0 ? '' : `, ${formatDuration((this.total - done) / rate)} left`;
    const speed = rate >= 1 ? `${rate.toFixed(1)}/s` : `${(1 / rate).toFixed(1)} s each`;
    const counts = [
      ...(['unsafe', 'invalid'] as const).flatMap((label) =>
        labels[label] > 0 ? [`${labels[label]} ${label}`] : [],
      ),
      ...(failures > 0 ? [`${failures} not judged`] : []),
    ];
    const found = counts.length === 0 ? '' : ` (${counts.join(', ')})`;
    this.block.update([`judged ${done} of ${this.total}${found}${made === 0 ? '' : `, ${speed}`}${left}`]);
  }

  /** Takes the line away, for what is to stand in its place. */
  clear(): void {
    this.block.clear();
  }
}

/** What stands under several verdicts. */
export function summary(
  tally: Tally,
  {
    policies,
    interrupted,
    total,
  }: { readonly policies: number; readonly interrupted: boolean; readonly total: number },
  terminal: Terminal,
): string {
  const table =
    policies > 1 && tally.cells.length > policies && tally.cells.length <= LARGEST_TABLE
      ? [verdictTable(tally.cells, terminal)]
      : [];
  const counts = footer(tally, terminal);
  const left = interrupted ? `, stopped after ${tally.done} of ${total}` : '';
  return [...table, `${counts}${left}`].join('\n');
}
