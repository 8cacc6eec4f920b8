/** @module What a reward function sees of a completion, and what it gives. */

/** What is known of the right answer to a prompt. */
export interface RewardSample {
  readonly label: 'safe' | 'unsafe';
  /** The policy's statements in their order; statement n is `statements[n - 1]`. */
  readonly statements: readonly string[];
  /** Numbers of the statements that decide, any of which an unsafe answer may cite; empty where none is known. */
  readonly decisive: readonly number[];
  /** Categories that an unsafe answer may name; empty where none is known. */
  readonly categories: readonly string[];
  /** Prompts that show one image under a policy that passes it and under one that blocks it share a pair. */
  readonly pair: string | null;
}

/** One completion to be rewarded. */
export interface RewardInput {
  /** The user's text. */
  readonly prompt: string;
  /** The answer as text, special tokens and the one that ended it left out. */
  readonly completion: string;
  /** Tokens of the completion, the one that ended it included. */
  readonly tokens: number;
  /** Whether it was cut off at the most tokens a completion may have. */
  readonly truncated: boolean;
  readonly sample: RewardSample;
}

/**
 * Rewards of a whole generation batch, in its order, so that pairs can be compared; null where a function does not apply
 * to a completion (TRL's `None`): it then has no part in the sum.
 */
export type RewardFunction = (
  inputs: readonly RewardInput[],
) => readonly (number | null)[] | Promise<readonly (number | null)[]>;
