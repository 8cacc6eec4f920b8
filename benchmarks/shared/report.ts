/** @module Numbers as people read them: spreads over rounds, Markdown tables, and dated result files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './child.js';

/** Median and extremes over the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** `1.52 (1.40–1.60)` */
export function formatSpread({ median: middle, min, max }: Spread, digits: number): string {
  return `${middle.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** A Markdown table, aligned for the terminal too; the first column to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** |a − b| relative to b. */
export function relativeDifference(a: number, b: number): number {
  return Math.abs(a - b) / Math.abs(b);
}

/** Writes `benchmarks/results/YYYY-MM-DD-NAME.json` and `.md`; returns their common stem. */
export function saveResults(name: string, markdown: string, json: unknown): string {
  const folder = join(REPOSITORY, 'benchmarks', 'results');
  mkdirSync(folder, { recursive: true });
  const stem = join(folder, `${new Date().toISOString().slice(0, 10)}-${name}`);
  writeFileSync(`${stem}.json`, `${JSON.stringify(json, null, 2)}\n`);
  writeFileSync(`${stem}.md`, `${markdown}\n`);
  return stem;
}

/** The sides in the order of one round: every second round goes backwards, so that drift favours nobody. */
export function alternating<T>(items: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...items] : [...items].reverse();
}
