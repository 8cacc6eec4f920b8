/** @module A run on disk: checkpoints that appear whole or not at all, and metrics that match the newest of them. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Checkpoint, writeCheckpoint } from '../checkpoint/checkpoint.js';
import { SafetensorsFile, writeSafetensors } from '../checkpoint/safetensors.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import { UserError } from '../util/errors.js';
import type { ModelWeights } from './weights.js';

/** Everything besides weights and moments that decides how a run goes on. */
export interface RunState {
  /** Optimizer steps done. */
  readonly step: number;
  /** Samples taken from the stream. */
  readonly samples: number;
  /** Seconds spent training so far. */
  readonly seconds: number;
  /** The configuration's hash: resuming under another one is refused. */
  readonly config: string;
}

const STATE_FILE = 'trainer_state.json';
const OPTIMIZER_FILE = 'optimizer.safetensors';
const METRICS_FILE = 'metrics.jsonl';
const NAME = /^checkpoint-(\d+)$/;

export class RunFolder {
  constructor(readonly path: string) {
    mkdirSync(path, { recursive: true });
  }

  /** Checkpoint folders, oldest first. */
  checkpoints(): string[] {
    return readdirSync(this.path)
      .filter((name) => NAME.test(name) && existsSync(join(this.path, name, STATE_FILE)))
      .sort((a, b) => Number(NAME.exec(a)?.[1]) - Number(NAME.exec(b)?.[1]))
      .map((name) => join(this.path, name));
  }

  newest(): string | undefined {
    return this.checkpoints().at(-1);
  }

  /**
   * Writes `checkpoint-STEP`: built beside its final place and moved there by one rename, so that a kill at any moment
   * leaves the checkpoints before it untouched. Older ones beyond `keep` go only after that.
   */
  async save(
    state: RunState,
    weights: ModelWeights,
    optimized: readonly OptimizedParameter[],
    source: { readonly folder: string; readonly keep: number },
  ): Promise<string> {
    const target = join(this.path, `checkpoint-${state.step}`);
    const building = join(this.path, `building-${state.step}`);
    rmSync(building, { recursive: true, force: true });
    await writeCheckpoint(building, {
      from: source.folder,
      dtype: 'F32',
      tensors: [...weights].map(([name, { shape, data }]) => ({ name, shape, data })),
    });
    await writeSafetensors(
      join(building, OPTIMIZER_FILE),
      optimized.flatMap(({ name, firstMoment, secondMoment }) => [
        { name: `first.${name}`, dtype: 'F32', shape: [firstMoment.length], data: firstMoment },
        { name: `second.${name}`, dtype: 'F32', shape: [secondMoment.length], data: secondMoment },
      ]),
    );
    writeFileSync(join(building, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
    rmSync(target, { recursive: true, force: true });
    renameSync(building, target);
    for (const old of this.checkpoints().slice(0, -source.keep))
      rmSync(old, { recursive: true, force: true });
    return target;
  }

  /** Loads weights and moments of a checkpoint in place and gives its state. */
  async restore(
    folder: string,
    weights: ModelWeights,
    optimized: readonly OptimizedParameter[],
    config: string,
  ): Promise<RunState> {
    const state = JSON.parse(readFileSync(join(folder, STATE_FILE), 'utf8')) as RunState;
    if (state.config !== config) {
      throw new UserError(
        `${folder} was made under another configuration: give the run another output folder, or restore the old configuration to go on.`,
      );
    }
    const checkpoint = await Checkpoint.open(folder);
    for (const [name, weight] of weights) weight.data.set(checkpoint.readFloat32(name));
    const moments = SafetensorsFile.open(join(folder, OPTIMIZER_FILE));
    for (const { name, firstMoment, secondMoment } of optimized) {
      firstMoment.set(moments.readFloat32(`first.${name}`));
      secondMoment.set(moments.readFloat32(`second.${name}`));
    }
    moments.close();
    return state;
  }

  /** Drops metrics of steps after `step`, which will be computed again. */
  trimMetrics(step: number): void {
    const path = join(this.path, METRICS_FILE);
    if (!existsSync(path)) return;
    const kept = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => {
        try {
          return (JSON.parse(line) as { step: number }).step <= step;
        } catch {
          // A line cut off by a kill is one that will be written again.
          return false;
        }
      });
    writeFileSync(path, kept.map((line) => `${line}\n`).join(''));
  }

  appendMetrics(metrics: Readonly<Record<string, unknown>>): void {
    appendFileSync(join(this.path, METRICS_FILE), `${JSON.stringify(metrics)}\n`);
  }
}
