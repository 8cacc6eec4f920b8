/** @module A run on disk: checkpoints that appear whole or not at all, and metrics that match the newest of them. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { Checkpoint, writeCheckpoint } from '../checkpoint/checkpoint.js';
import { type FileCalls, nodeFiles, syncFolder, writeAtomically, writeFailure } from '../checkpoint/files.js';
import { SafetensorsFile, writeSafetensors } from '../checkpoint/safetensors.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import { assert, messageOf, UserError } from '../util/errors.js';
import { type Extension, readDescription, type RunDescription, writeDescription } from './run-description.js';
import type { ModelWeights } from './weights.js';

const runState = z.object({
  /** Optimizer steps done. */
  step: z.int().min(0),
  /** Samples taken from the stream: its whole state, as each is decided by its number. */
  samples: z.int().min(0),
  /** Seconds spent training so far. */
  seconds: z.number().min(0),
  /** The configuration's hash: going on under another one is refused, but for its number of steps. */
  config: z.string(),
  /** What a GRPO run remembers besides. */
  grpo: z
    .object({
      /** Optimizer updates done. */
      updates: z.int().min(0),
      /** Steps in a row whose rewards had no spread, and whose completions were all cut off. */
      silent_steps: z.int().min(0),
      truncated_steps: z.int().min(0),
      /** Held-out macro-F1 of the start model; null where nothing is held out. */
      start: z.number().nullable(),
      /** What the best model so far was worth on held-out prompts, and the step it was measured after. */
      best: z.object({ step: z.int(), macro_f1: z.number(), reward: z.number().optional() }).nullable(),
      /** Evaluations since then. */
      evaluations_since_best: z.int().min(0),
    })
    .optional(),
});

/** Everything besides weights and moments that decides how a run goes on. */
export type RunState = Readonly<z.infer<typeof runState>>;

const STATE_FILE = 'trainer_state.json';
const OPTIMIZER_FILE = 'optimizer.safetensors';
export const METRICS_FILE = 'metrics.jsonl';
const NAME = /^checkpoint-(\d+)$/;
/** What a kill may leave behind: a checkpoint that was being written, or one that was being removed. */
const LEFTOVER = /^\.?(building|removing)-\d+(\.partial|\.replaced)?$/;

export interface SaveOptions {
  /** The checkpoint folder that tokenizer, processor and config are taken from. */
  readonly folder: string;
  /** How many checkpoints stay. */
  readonly keep: number;
  readonly files?: FileCalls;
  /** Where the trained weights go; the whole model under its checkpoint's names if absent. */
  readonly store?: ModelStore;
}

/** Writes and reads what a run trains, where that is not the model's own weights. */
export interface ModelStore {
  write(folder: string, files?: FileCalls): Promise<void>;
  read(folder: string): Promise<void>;
}

export class RunFolder {
  constructor(readonly path: string) {
    try {
      mkdirSync(path, { recursive: true });
    } catch (error) {
      throw writeFailure(path, error);
    }
  }

  /** Checkpoint folders, oldest first. */
  checkpoints(): string[] {
    return checkpointsIn(this.path);
  }

  newest(): string | undefined {
    return this.checkpoints().at(-1);
  }

  /** Removes what a killed run left half done. Only for the one process that trains in this folder. */
  removeLeftovers(): void {
    for (const name of readdirSync(this.path)) {
      if (LEFTOVER.test(name)) rmSync(join(this.path, name), { recursive: true, force: true });
    }
  }

  /**
   * Writes `checkpoint-STEP`: built beside its final place and moved there by one rename, so that a kill at any moment
   * leaves the checkpoints before it untouched. Older ones beyond `keep` go only after that. One that is there already
   * is left as it is: the same step of the same run is the same checkpoint.
   * @throws UserError where the disk refuses; what was saved before stays.
   */
  async save(
    state: RunState,
    weights: ModelWeights,
    optimized: readonly OptimizedParameter[],
    options: SaveOptions,
  ): Promise<string> {
    const target = join(this.path, `checkpoint-${state.step}`);
    if (this.checkpoints().includes(target)) return target;
    const building = join(this.path, `building-${state.step}`);
    try {
      rmSync(building, { recursive: true, force: true });
      await writeAll(building, { state, weights, optimized }, options);
      this.retire(target);
      renameSync(building, target);
      syncFolder(this.path);
    } catch (error) {
      rmSync(building, { recursive: true, force: true });
      const { message } = asUserError(building, error);
      const saved = this.newest();
      throw new UserError(
        `The checkpoint of step ${state.step} was not saved: ${message} ` +
          (saved === undefined
            ? 'There is no earlier checkpoint: the run begins anew.'
            : `${saved} is whole: give the same command again to go on from there.`),
      );
    }
    for (const old of this.checkpoints().slice(0, -options.keep)) this.retire(old);
    return target;
  }

  /**
   * Loads weights and moments of a checkpoint in place and gives its state.
   * @throws UserError for a checkpoint that is damaged.
   */
  async restore(
    folder: string,
    weights: ModelWeights,
    optimized: readonly OptimizedParameter[],
    store?: ModelStore,
  ): Promise<RunState> {
    const state = readState(folder);
    if (store === undefined) {
      const checkpoint = await Checkpoint.open(folder);
      for (const [name, { data }] of weights) copy(checkpoint.readFloat32(name), data, name, folder);
      checkpoint.close();
    } else {
      await store.read(folder);
    }
    const file = join(folder, OPTIMIZER_FILE);
    const moments = SafetensorsFile.open(file);
    for (const { name, firstMoment, secondMoment } of optimized) {
      for (const [kind, into] of [
        ['first', firstMoment],
        ['second', secondMoment],
      ] as const) {
        const stored = `${kind}.${name}`;
        if (!moments.tensors.has(stored)) throw damaged(folder, `${OPTIMIZER_FILE} has no ${stored}`);
        copy(moments.readWeight(stored), into, stored, folder);
      }
    }
    moments.close();
    return state;
  }

  /** Drops metrics of steps after `step`, which will be computed again, and a line that a kill cut off. */
  trimMetrics(step: number): void {
    trimLines(join(this.path, METRICS_FILE), step);
  }

  appendMetrics(metrics: Readonly<Record<string, unknown>>): void {
    appendLines(join(this.path, METRICS_FILE), [metrics]);
  }

  /**
   * Writes what the run does, for people and for what reads its folder later; `extended` adds to how it was extended before.
   * @throws UserError where the disk refuses.
   */
  describe({ method, config }: RunDescription, extended: Extension | null): void {
    const before = this.newest() === undefined ? [] : (readDescription(this.path)?.extended ?? []);
    const all = extended === null ? before : [...before, extended];
    writeDescription(this.path, { method, config, ...(all.length > 0 && { extended: all }) });
  }

  /** Removes a checkpoint, out of sight first: a kill must not leave half of one under its name. */
  private retire(checkpoint: string): void {
    if (!existsSync(checkpoint)) return;
    const removing = join(this.path, `removing-${NAME.exec(basename(checkpoint))?.[1]}`);
    rmSync(removing, { recursive: true, force: true });
    renameSync(checkpoint, removing);
    rmSync(removing, { recursive: true, force: true });
  }
}

/** The whole checkpoints of a run's folder, oldest first. */
export function checkpointsIn(path: string): string[] {
  return readdirSync(path)
    .filter((name) => NAME.test(name) && existsSync(join(path, name, STATE_FILE)))
    .sort((a, b) => Number(NAME.exec(a)?.[1]) - Number(NAME.exec(b)?.[1]))
    .map((name) => join(path, name));
}

/** Drops lines of steps after `step` from a file of JSON lines, and a line that a kill cut off. */
export function trimLines(path: string, step: number): void {
  if (!existsSync(path)) return;
  const text = readFileSync(path, 'utf8');
  const kept = text
    .split('\n')
    .filter((line) => stepOf(line) <= step)
    .map((line) => `${line}\n`)
    .join('');
  if (kept !== text) writeAtomically(path, [new TextEncoder().encode(kept)]);
}

/** @throws UserError where the disk refuses. */
export function appendLines(path: string, lines: readonly Readonly<Record<string, unknown>>[]): void {
  try {
    appendFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  } catch (error) {
    throw asUserError(path, error);
  }
}

interface Everything {
  readonly state: RunState;
  readonly weights: ModelWeights;
  readonly optimized: readonly OptimizedParameter[];
}

/** Weights, moments and, last, the state: each file reaches the disk before the next is begun. */
async function writeAll(
  building: string,
  { state, weights, optimized }: Everything,
  { folder, files = nodeFiles, store }: SaveOptions,
): Promise<void> {
  if (store === undefined) {
    await writeCheckpoint(building, {
      from: folder,
      dtype: 'F32',
      tensors: [...weights].map(([name, { shape, data }]) => ({ name, shape, data })),
      files,
    });
  } else {
    await store.write(building, files);
  }
  await writeSafetensors(
    join(building, OPTIMIZER_FILE),
    optimized.flatMap(({ name, firstMoment, secondMoment }) => [
      { name: `first.${name}`, dtype: 'F32', shape: [firstMoment.length], data: firstMoment },
      { name: `second.${name}`, dtype: 'F32', shape: [secondMoment.length], data: secondMoment },
    ]),
    { files },
  );
  const bytes = new TextEncoder().encode(`${JSON.stringify(state, null, 2)}\n`);
  writeAtomically(join(building, STATE_FILE), [bytes], files);
}

/** @throws UserError for a checkpoint that is damaged. */
export function readState(folder: string): RunState {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(join(folder, STATE_FILE), 'utf8'));
  } catch (error) {
    throw damaged(folder, `${STATE_FILE} cannot be read (${messageOf(error)})`);
  }
  const parsed = runState.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw damaged(folder, `${STATE_FILE} does not hold a run's state (${path.join('.')}: ${message})`);
}

function copy(from: Float32Array, to: Float32Array, name: string, folder: string): void {
  if (from.length !== to.length)
    throw damaged(folder, `${name} has ${from.length} values instead of ${to.length}`);
  to.set(from);
}

function damaged(folder: string, what: string): UserError {
  return new UserError(`${folder} is damaged: ${what}. Remove it to go on from the checkpoint before it.`);
}

/** The step of a line of metrics; a line cut off by a kill belongs to no step and will be written again. */
function stepOf(line: string): number {
  try {
    const parsed: unknown = JSON.parse(line);
    const known = typeof parsed === 'object' && parsed !== null && 'step' in parsed;
    return known && typeof parsed.step === 'number' ? parsed.step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** A refusal of the disk as a sentence; what is no system error is our bug and goes up as it is. */
function asUserError(path: string, error: unknown): UserError {
  const known = writeFailure(path, error);
  if (known instanceof UserError) return known;
  assert(error instanceof Error, `writing ${path} failed with ${String(error)}`);
  throw error;
}
