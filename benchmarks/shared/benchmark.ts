/** @module What every benchmark does around its measuring: a folder for its files, and its results in print and on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScript } from '../../scripts/script-util.js';
import { saveResults } from './report.js';

/** Runs a benchmark with a folder that is gone afterwards. */
export function runBenchmark(main: (folder: string) => Promise<void>): Promise<void> {
  return runScript(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'benchmark-'));
    try {
      await main(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

export interface Publication {
  /** Of the files in `benchmarks/results`. */
  readonly name: string;
  readonly markdown: string;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly save: boolean;
  /** Whether the sides computed the same; if not, the process ends with 1. */
  readonly agree?: boolean;
}

/** Prints the tables, then one JSON line; keeps both where that was asked for. */
export function publish({ name, markdown, figures, save, agree = true }: Publication): void {
  const json = { benchmark: name, ...figures };
  console.log(`${markdown}\n`);
  if (save) console.error(`saved as ${saveResults(name, markdown, json)}.{json,md}`);
  console.log(JSON.stringify(json));
  if (!agree) process.exitCode = 1;
}
