/** @module The names of GRPO's loss family, as TRL has them (trl:trl/trainer/grpo_config.py). */

/** How per-token losses become one number; see `loss.ts`. */
export const LOSS_TYPES = ['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo'] as const;
export type LossType = (typeof LOSS_TYPES)[number];

/** `sequence` is GSPO's ratio (arXiv 2507.18071). */
export const RATIO_LEVELS = ['token', 'sequence'] as const;
export type RatioLevel = (typeof RATIO_LEVELS)[number];

/** What a group's rewards are divided by; `none` is Dr. GRPO's. */
export const REWARD_SCALES = ['group', 'batch', 'none'] as const;
export type RewardScale = (typeof REWARD_SCALES)[number];

/** `normalize_then_sum` is GDPO's (arXiv 2601.05242). */
export const AGGREGATIONS = ['sum_then_normalize', 'normalize_then_sum'] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];
