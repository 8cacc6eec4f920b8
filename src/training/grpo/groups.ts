/** @module Groups: a prompt, its completions, and what they earned. */
import type { EncodedPrompt } from '../../models/qwen2_5_vl/processor.js';
import type { ReadAnswer } from './confusion.js';
import type { GrpoPrompt } from './prompts.js';
import type { Completion } from './rollout.js';

/** A completion with its rewards. */
export interface RewardedCompletion extends Completion {
  readonly read: ReadAnswer['read'];
  /** By function, unweighted; null where it does not apply. */
  readonly rewards: Readonly<Record<string, number | null>>;
  /** The weighted sum. */
  readonly reward: number;
}

export interface Group {
  readonly prompt: GrpoPrompt;
  readonly encoded: EncodedPrompt;
  readonly completions: readonly RewardedCompletion[];
}

/** A group that is learned from. */
export interface AdvantagedGroup extends Group {
  readonly advantages: readonly number[];
}

/** Rewards closer than this are equal: sums of the same parts may differ in their last bits. */
const EQUAL_REWARDS = 1e-6;

/** Whether a group's completions earned differently; only then is there something to learn from it. */
export function hasSpread({ completions }: Group): boolean {
  const rewards = completions.map(({ reward }) => reward);
  return Math.max(...rewards) - Math.min(...rewards) > EQUAL_REWARDS;
}
