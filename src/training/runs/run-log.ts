/** @module A run's folder as it lies on the disk, read for people: never changed, and whole lines only. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../util/errors.js';
import { confusionOf, macroF1 } from '../grpo/confusion.js';
import {
  type CompletionRecord,
  type GrpoMetrics,
  grpoMetrics,
  HELD_OUT_FILE,
  type HeldOut,
} from '../grpo/records.js';
import { type SftMetrics, sftMetrics } from '../metrics.js';
import { readDescription, type RunDescription } from '../run-description.js';
import { checkpointsIn, METRICS_FILE, readState, type RunState } from '../run-folder.js';
import { meanOf } from './series.js';
import { completionsOf } from './completions.js';

/** What was measured on held-out prompts after a step; step 0 is the start model. */
export interface HeldOutPoint extends HeldOut {
  readonly step: number;
}

type Lines =
  | { readonly method: 'sft'; readonly metrics: readonly SftMetrics[] }
  | { readonly method: 'grpo'; readonly metrics: readonly GrpoMetrics[] };

export type RunLog = Lines & {
  readonly folder: string;
  readonly name: string;
  /** Null for a run that began before run.json was written. */
  readonly config: RunDescription['config'] | null;
  /** Steps that the run is to make; null where the configuration is not known. */
  readonly steps: number | null;
  /** Of the newest checkpoint; null before the first. */
  readonly state: RunState | null;
  /** Names of the checkpoints that are kept, oldest first. */
  readonly checkpoints: readonly string[];
  /** Whether the best model by held-out score is kept. */
  readonly hasBest: boolean;
  readonly heldOut: readonly HeldOutPoint[];
  /** When the last step was written. */
  readonly written: Date;
};

/** @throws UserError for a folder that holds no run, and for files that no run wrote. */
export async function openRun(path: string): Promise<RunLog> {
  const folder = resolve(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${path} is no folder: give the output folder of a training run.`);
  const file = join(folder, METRICS_FILE);
  const description = readDescription(folder);
  if (!existsSync(file)) {
    throw new UserError(
      description === null
        ? `${path} has no ${METRICS_FILE}: give the output folder of a training run, the one with the checkpoints in it.`
        : `${path} has no step yet: wait until the first one is done.`,
    );
  }
  const lines = readLines(file);
  if (lines.length === 0) throw new UserError(`${path} has no step yet: wait until the first one is done.`);
  const newest = checkpointsIn(folder).at(-1);
  const parsed = parseLines(lines, file, description?.method ?? methodOf(lines[0]));
  return {
    ...parsed,
    folder,
    name: basename(folder),
    config: description?.config ?? null,
    steps: description?.config.steps ?? null,
    state: newest === undefined ? null : readState(newest),
    checkpoints: checkpointsIn(folder).map((checkpoint) => basename(checkpoint)),
    hasBest: readdirSync(folder).includes('best'),
    heldOut: parsed.method === 'grpo' ? await heldOutPoints(folder, parsed.metrics) : [],
    written: statSync(file).mtime,
  };
}

/** The lines that are whole: a run that is writing, or was killed, may leave half of the last one. */
function readLines(file: string): unknown[] {
  const texts = readFileSync(file, 'utf8').split('\n');
  return texts.slice(0, -1).map((text, i) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw strange(file, i, 'it is not JSON');
    }
  });
}

const strange = (file: string, index: number, what: string): UserError =>
  new UserError(
    `${file}, line ${index + 1}, was not written by this version's training: ${what}. Remove the line, or read the run with the version that trained it.`,
  );

/** Only GRPO has rewards. */
const methodOf = (line: unknown): RunDescription['method'] =>
  typeof line === 'object' && line !== null && 'reward' in line ? 'grpo' : 'sft';

// Fields of a later version are passed over.
const LINES = { sft: sftMetrics, grpo: z.object(grpoMetrics.shape) } as const;

function parseLines(lines: readonly unknown[], file: string, method: RunDescription['method']): Lines {
  const parsed = <Line>(schema: z.ZodType<Line>): Line[] =>
    lines.map((line, i) => {
      const result = schema.safeParse(line);
      if (result.success) return result.data;
      const [{ path, message }] = result.error.issues;
      throw strange(file, i, `${path.join('.') || 'the line'}: ${message}`);
    });
  return method === 'sft' ? { method, metrics: parsed(LINES.sft) } : { method, metrics: parsed(LINES.grpo) };
}

async function heldOutPoints(folder: string, metrics: readonly GrpoMetrics[]): Promise<HeldOutPoint[]> {
  const later = metrics.flatMap(({ step, held_out: held }) => (held === null ? [] : [{ step, ...held }]));
  const start = await startPoint(folder);
  return start === null ? later : [start, ...later];
}

/** The start's answers stand first in their file; its numbers are computed from them. */
async function startPoint(folder: string): Promise<HeldOutPoint | null> {
  const answers: CompletionRecord[] = [];
  for await (const record of completionsOf(folder, HELD_OUT_FILE)) {
    if (record.step > 0) break;
    answers.push(record);
  }
  if (answers.length === 0) return null;
  const confusion = confusionOf(answers);
  return {
    step: 0,
    reward: meanOf(answers.map(({ reward }) => reward)),
    macro_f1: macroF1(confusion),
    confusion,
  };
}
