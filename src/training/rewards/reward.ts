/** @module What a reward function sees of a completion, and what it gives. */

/** What is known of the right answer to a prompt. */
export interface RewardSample {
  /** Null where the prompt asks something else than a verdict. */
  readonly label: 'safe' | 'unsafe' | null;
  /** What the prompt is to be answered with, word for word; left out where that is not known, as for verdicts with reasons. */
  readonly answer?: string;
  /** Everything that the picture shows, by name; left out where that is not known. */
  readonly things?: readonly string[];
  /** The policy's statements in their order; statement n is `statements[n - 1]`. */
  readonly statements: readonly string[];
  /** Numbers of the statements that decide, any of which an unsafe answer may cite; empty where none is known. */
  readonly decisive: readonly number[];
  /** Categories that an unsafe answer may name; empty where none is known. */
  readonly categories: readonly string[];
  /** Prompts that show one image under a policy that passes it and under one that blocks it share a pair. */
  readonly pair: string | null;
}

/** Of a prompt that asks for a verdict. */
export interface JudgedSample extends RewardSample {
  readonly label: 'safe' | 'unsafe';
}

/** One completion to be rewarded. */
export interface RewardInput<Sample extends RewardSample = RewardSample> {
  /** The user's text. */
  readonly prompt: string;
  /** The answer as text, special tokens and the one that ended it left out. */
  readonly completion: string;
  /** Tokens of the completion, the one that ended it included. */
  readonly tokens: number;
  /** Whether it was cut off at the most tokens a completion may have. */
  readonly truncated: boolean;
  readonly sample: Sample;
}

/** Whether a verdict was asked for: most rewards apply to nothing else. */
export const isJudged = (input: RewardInput): input is RewardInput<JudgedSample> =>
  input.sample.label !== null;

/**
 * Rewards of a whole generation batch, in its order, so that pairs can be compared; null where a function does not apply
 * to a completion (TRL's `None`): it then has no part in the sum.
 */
export type RewardFunction = (
  inputs: readonly RewardInput[],
) => readonly (number | null)[] | Promise<readonly (number | null)[]>;
