/** @module Runs the sides of one case in fresh processes, round after round, in alternating order. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { pythonScript, runProcess, typescript } from '../shared/child.js';
import type { Python } from '../shared/machine.js';
import { alternating, median } from '../shared/report.js';
import { type MatmulJob, matmulResult } from './jobs.js';

/** One engine that is measured. */
export interface Side {
  readonly name: string;
  readonly command: (job: string) => string[];
}

export const OURS: Side = {
  name: 'safeguard-vl',
  command: (job) => typescript(new URL('ours.ts', import.meta.url), job),
};

/** torch with both of its attentions, so that the comparison is with its better one. */
export function torchSides(python: Python | undefined): Side[] {
  if (python === undefined) return [];
  const file = new URL('torch_step.py', import.meta.url);
  return ['eager', 'sdpa'].map((attention) => ({
    name: `torch ${attention}`,
    command: (job) => pythonScript(python.command, file, job, attention),
  }));
}

/** TRL's trainer around the same model, which is what people train with. */
export function trlSides(python: Python | undefined): Side[] {
  if (python === undefined) return [];
  const file = new URL('trl_step.py', import.meta.url);
  return [{ name: 'TRL, torch sdpa', command: (job) => pythonScript(python.command, file, job, 'sdpa') }];
}

export interface Progress {
  readonly rounds: number;
  readonly folder: string;
  readonly onRun: (what: string) => void;
}

function writeJob(folder: string, job: unknown): string {
  const path = join(folder, 'job.json');
  writeFileSync(path, JSON.stringify(job));
  return path;
}

/** torch's threads are set by its own call too; the variable reaches the libraries below it. */
const threadEnv = (threads: number): Record<string, string> => ({ OMP_NUM_THREADS: String(threads) });

/** Results by side's name, one for each round. */
export function measureRounds<Result>(
  sides: readonly Side[],
  job: { readonly threads: number },
  schema: z.ZodType<Result>,
  { rounds, folder, onRun }: Progress,
): Map<string, Result[]> {
  const results = new Map<string, Result[]>(sides.map(({ name }) => [name, []]));
  const path = writeJob(folder, job);
  for (let round = 0; round < rounds; round++) {
    for (const { name, command } of alternating(sides, round)) {
      onRun(`round ${round + 1}/${rounds}, ${name}`);
      results.get(name)?.push(runProcess(command(path), schema, threadEnv(job.threads)));
    }
  }
  return results;
}

/** GFLOP/s of one plain f32 product by side's name, the median of each round. */
export function measureMatmul(
  sides: readonly Side[],
  job: MatmulJob,
  progress: Progress,
): Map<string, number[]> {
  const measured = measureRounds(sides, job, matmulResult, progress);
  const rate = (milliseconds: readonly number[]): number =>
    (2 * job.matmul ** 3) / median(milliseconds) / 1e6;
  return new Map(
    [...measured].map(([name, results]) => [name, results.map(({ milliseconds }) => rate(milliseconds))]),
  );
}
