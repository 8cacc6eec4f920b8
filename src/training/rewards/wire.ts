/** @module What is said over HTTP about rewards: a batch of completions goes out, a number for each comes back. */
import { z } from 'zod';
import type { RewardInput, RewardSample } from './reward.js';

/** Where `safeguard rewards serve` listens unless told otherwise: for this machine alone. */
export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_PORT = 8710;

/** The shims' route. */
export const REWARDS_PATH = '/rewards';

/** What is known of the right answer, with the user's text. */
export const sentSample = z.strictObject({
  prompt: z.string(),
  label: z.enum(['safe', 'unsafe']).nullable(),
  answer: z.string().optional(),
  things: z.array(z.string()).optional(),
  statements: z.array(z.string()).default([]),
  decisive: z.array(z.int().min(1)).default([]),
  categories: z.array(z.string()).default([]),
  pair: z.string().nullable().default(null),
});
export type SentSample = z.infer<typeof sentSample>;

/** A body for `/rewards`. Its rows are looked at one by one, so that a bad one costs itself alone. */
export const rewardRequest = z.strictObject({
  completions: z.array(z.unknown()).min(1),
  /** A sample may come as JSON in a string, as data sets have it. */
  samples: z.array(z.unknown()),
  /** Tokens of each completion with the one that ended it; left out where the engine does not tell. */
  tokens: z.array(z.unknown()).optional(),
});

interface RewardRequest {
  readonly completions: readonly string[];
  readonly samples: readonly SentSample[];
  readonly tokens: readonly number[];
}

const values = z.array(z.number().nullable());

/** A row that could not be rewarded, and why. */
const rowError = z.object({ row: z.int().min(0), message: z.string() });
export type RowError = z.infer<typeof rowError>;

/**
 * By function, unweighted, null where it does not apply; and the weighted sums. A row of `errors` has null everywhere.
 */
export const rewardResponse = z.object({
  rewards: z.record(z.string(), values),
  totals: values.optional(),
  errors: z.array(rowError).optional(),
});
export type RewardResponse = z.infer<typeof rewardResponse>;

/** How a service says what went wrong. */
export const errorResponse = z.object({ error: z.object({ message: z.string() }) });

export const sentSampleOf = (prompt: string, sample: RewardSample): SentSample => ({
  prompt,
  label: sample.label,
  ...(sample.answer !== undefined && { answer: sample.answer }),
  ...(sample.things !== undefined && { things: [...sample.things] }),
  statements: [...sample.statements],
  decisive: [...sample.decisive],
  categories: [...sample.categories],
  pair: sample.pair,
});

/** A batch as it goes out. */
export const requestOf = (inputs: readonly RewardInput[]): RewardRequest => ({
  completions: inputs.map(({ completion }) => completion),
  samples: inputs.map(({ prompt, sample }) => sentSampleOf(prompt, sample)),
  tokens: inputs.map(({ tokens }) => tokens),
});
