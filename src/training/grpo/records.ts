/**
 * @module What a GRPO run keeps on disk: a line of metrics.jsonl a step, a line of completions.jsonl a completion, a line
 * of held_out.jsonl a held-out answer.
 */
import { z } from 'zod';

const count = z.int().min(0);
const counts = z.strictObject({ safe: count, unsafe: count, invalid: count });

/** Gold label → how often each answer was read. */
const confusion = z.strictObject({ safe: counts, unsafe: counts });
export type Confusion = z.infer<typeof confusion>;

const spread = z.strictObject({ mean: z.number(), std: z.number() });

/** Measured on prompts that are never trained on, greedily. */
const heldOut = z.strictObject({
  reward: z.number(),
  macro_f1: z.number(),
  confusion,
});
export type HeldOut = z.infer<typeof heldOut>;

/** What the best model may be chosen by. */
export const HELD_OUT_SCORES = ['macro_f1', 'reward'] as const satisfies readonly (keyof HeldOut)[];
export type HeldOutScore = (typeof HELD_OUT_SCORES)[number];

export const COMPLETIONS_FILE = 'completions.jsonl';
/** Greedy answers to the held-out prompts, the same ones at every evaluation; step 0 is the start model. */
export const HELD_OUT_FILE = 'held_out.jsonl';
/** Images of completions, by the hash of their pixels: `images/HASH.png` beside the files. */
export const IMAGES_FOLDER = 'images';

/** One step; ratios are shares of 1, times seconds. Names as in TRL where it has one. */
export const grpoMetrics = z.strictObject({
  step: count,
  loss: z.number(),
  grad_norm: z.number(),
  lr: z.number(),
  reward: z.number(),
  /** Over the step's completions. */
  reward_std: z.number(),
  /** By function, over the completions that it applied to; null where it applied to none. */
  rewards: z.record(z.string(), spread.nullable()),
  /** Share of groups whose completions all earned the same, before dynamic sampling replaced any. */
  frac_reward_zero_std: z.number(),
  /** Groups drawn again by dynamic sampling. */
  replaced_groups: count,
  /** Mean of k3 over tokens; null without a reference. */
  kl: z.number().nullable(),
  entropy: z.number(),
  clip_ratio_low: z.number(),
  clip_ratio_high: z.number(),
  completion_length: z.strictObject({ mean: z.number(), min: count, max: count }),
  /** Share of completions cut off at their most tokens. */
  clipped_ratio: z.number(),
  confusion,
  safe_accuracy: z.number().nullable(),
  unsafe_accuracy: z.number().nullable(),
  invalid_ratio: z.number(),
  /** Share of right answers by policy kind. */
  accuracy_by_policy: z.record(z.string(), z.number()),
  seconds: z.strictObject({
    rollout: z.number(),
    scoring: z.number(),
    update: z.number(),
    total: z.number(),
  }),
  /** Prompt and completion tokens of the step a second, as if nothing had been shared. */
  tokens_per_second: z.number(),
  /** Null in steps without an evaluation. */
  held_out: heldOut.nullable(),
});
export type GrpoMetrics = z.infer<typeof grpoMetrics>;

export const completionRecord = z.strictObject({
  step: count,
  /** The prompt's number in the stream of prompts, or among the held-out ones: equal numbers are equal prompts. */
  prompt_index: count,
  /** Its place within the group. */
  place: count,
  prompt: z.string(),
  /** Paths relative to the run's folder. */
  images: z.array(z.string()),
  completion: z.string(),
  tokens: count,
  truncated: z.boolean(),
  /** Gold; null where no verdict was asked for. */
  label: z.enum(['safe', 'unsafe']).nullable(),
  /** Gold, word for word; left out where it is not known. */
  answer: z.string().optional(),
  /** As the profile read the completion; of no meaning where no verdict was asked for. */
  read: z.enum(['safe', 'unsafe', 'invalid']),
  /** By function, unweighted; null where it did not apply. */
  rewards: z.record(z.string(), z.number().nullable()),
  reward: z.number(),
  /** 0 where nothing was learned from it. */
  advantage: z.number(),
});
export type CompletionRecord = z.infer<typeof completionRecord>;
