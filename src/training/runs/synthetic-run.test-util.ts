/** @module Runs made up for tests: every file as training writes it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng } from '../../images/png.js';
import {
  type CompletionRecord,
  COMPLETIONS_FILE,
  type GrpoMetrics,
  HELD_OUT_FILE,
  IMAGES_FOLDER,
} from '../grpo/records.js';
import type { SftMetrics } from '../metrics.js';
import { noise } from '../tiny-model.test-util.js';

/** A step in which all is well, and better with every step. */
export function grpoLine(step: number, more: Partial<GrpoMetrics> = {}): GrpoMetrics {
  const share = Math.min(0.95, 0.5 + step / 40);
  const right = Math.round(100 * share);
  return {
    step,
    loss: 0.1,
    grad_norm: 1,
    lr: 1e-4,
    reward: share,
    reward_std: 0.3,
    rewards: { label: { mean: share, std: 0.4 }, readable: { mean: 0.9, std: 0.1 } },
    frac_reward_zero_std: 0.1,
    replaced_groups: 0,
    kl: 0.01,
    entropy: 0.5,
    clip_ratio_low: 0,
    clip_ratio_high: 0,
    completion_length: { mean: 40, min: 10, max: 90 },
    clipped_ratio: 0,
    confusion: {
      safe: { safe: right, unsafe: 100 - right, invalid: 0 },
      unsafe: { safe: 100 - right, unsafe: right, invalid: 0 },
    },
    safe_accuracy: share,
    unsafe_accuracy: share,
    invalid_ratio: 0,
    accuracy_by_policy: { all: share },
    seconds: { rollout: 2, scoring: 0.1, update: 3, total: 5 * step },
    tokens_per_second: 1000,
    held_out: null,
    ...more,
  };
}

export function sftLine(step: number, more: Partial<SftMetrics> = {}): SftMetrics {
  return {
    step,
    loss: 2 / step,
    grad_norm: 1,
    lr: 1e-4,
    samples: 32 * step,
    tokens: 1000,
    padded_tokens: 1100,
    seconds: 2 * step,
    tokens_per_second: 500,
    loss_by_task: { judgement: 2 / step },
    ...more,
  };
}

/** The name of a picture that {@link writeRun} puts into every run. */
export const PICTURE = `${IMAGES_FOLDER}/${'a'.repeat(32)}.png`;

export function completion(
  step: number,
  index: number,
  more: Partial<CompletionRecord> = {},
): CompletionRecord {
  return {
    step,
    prompt_index: index,
    place: 0,
    prompt: 'No weapons.',
    images: [PICTURE],
    completion: '<think>A knife.</think><answer>no</answer>',
    tokens: 12,
    truncated: false,
    label: 'unsafe',
    read: 'unsafe',
    rewards: { label: 1, readable: 1, quote: null },
    reward: 1.2,
    advantage: 0.5,
    ...more,
  };
}

export interface SyntheticRun {
  readonly metrics: readonly (GrpoMetrics | SftMetrics)[];
  readonly completions?: readonly CompletionRecord[];
  readonly heldOut?: readonly CompletionRecord[];
  /** What stands in run.json; none is written if absent. */
  readonly description?: unknown;
}

/** Writes a run into `folder`, which need not exist. */
export async function writeRun(folder: string, run: SyntheticRun): Promise<string> {
  const lines = (of: readonly unknown[]): string => of.map((one) => `${JSON.stringify(one)}\n`).join('');
  mkdirSync(join(folder, IMAGES_FOLDER), { recursive: true });
  writeFileSync(join(folder, PICTURE), await encodePng(noise(56, 28, 3)));
  writeFileSync(join(folder, 'metrics.jsonl'), lines(run.metrics));
  if (run.completions) writeFileSync(join(folder, COMPLETIONS_FILE), lines(run.completions));
  if (run.heldOut) writeFileSync(join(folder, HELD_OUT_FILE), lines(run.heldOut));
  if (run.description !== undefined) writeFileSync(join(folder, 'run.json'), JSON.stringify(run.description));
  return folder;
}
