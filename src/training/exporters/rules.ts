/** @module Rules that several engines share, and what every one of them leaves to our side. */
import type { GrpoConfig } from '../grpo/config.js';
import { keeps, kept, lacks, type Translation, watchedHere, written } from './settings.js';

/** Optimizer updates of a run: each generation batch is cut into `batches` and gone through `num_iterations` times. */
export const updatesOf = ({ steps, batches, num_iterations }: GrpoConfig): number =>
  steps * batches * num_iterations;

/** Completions of one optimizer update. */
export const completionsPerUpdate = ({ prompts_per_step, num_generations, batches }: GrpoConfig): number =>
  (prompts_per_step * num_generations) / batches;

export const inTheData = keeps('is written out as the data set');
const memoryOnly = keeps('decides memory and speed, no number; the launch scripts have their own');

/** What runs here in any case, by the reward service or not at all on a cluster. */
export const SERVED = {
  rewards: rewardsRule,
  remote_rewards: keeps('is asked by the reward service'),
  profile: keeps('reads answers in the reward service'),
} as const;

export const OURS = {
  threads: memoryOnly,
  image_cache_mb: memoryOnly,
  gradient_checkpointing: memoryOnly,
} as const;

/** Settings of our own watch over a run. */
export const WATCH = {
  max_steps_without_signal: watchedHere(
    'only `safeguard train grpo` itself stops a run without reward spread: leave it out, and watch frac_reward_zero_std',
  ),
  max_truncated_steps: watchedHere(
    'only `safeguard train grpo` itself stops a run of cut-off completions: leave it out, and watch the clipped ratio',
  ),
  keep_completions_every: watchedHere('completions.jsonl is of `safeguard train grpo` itself: leave it out'),
} as const;

/** Rewards that are null for whole prompts: engines leave a completion that only has such ones out of the mean. */
const PARTIAL: ReadonlySet<string> = new Set(['category', 'quote', 'named', 'exact', 'policyshift_pair']);
/** Rewards that compare prompts: engines ask for rewards device by device or one by one. */
const ACROSS_PROMPTS = 'policyshift_pair';

/** What no engine can do with rewards that a service computes. */
function rewardsRule(rewards: GrpoConfig['rewards']): Translation {
  const names = Object.keys(rewards);
  if (Object.hasOwn(rewards, ACROSS_PROMPTS))
    return lacks(
      `${ACROSS_PROMPTS} compares completions of two prompts, which the engine may ask for apart: leave it out`,
    );
  if (names.every((name) => PARTIAL.has(name)))
    return lacks(
      'a completion to which none of these apply would have no reward at all: add one that always applies, such as label',
    );
  return kept('are computed by the reward service');
}

/** Rewards where the engine tells its reward function nothing but texts. */
export function textRewards(rewards: GrpoConfig['rewards']): Translation {
  if (Object.hasOwn(rewards, 'length'))
    return lacks('length needs the number of tokens, which the engine does not tell its reward function');
  return rewardsRule(rewards);
}

type LoraSettings = NonNullable<GrpoConfig['lora']>;

/** What `all-linear` means here: the language model's linear layers without its head. */
const ALL_LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/** PEFT's pattern for modules of the language model; the tower has modules of the same names. */
export function targetPattern(targets: LoraSettings['target_modules']): string {
  const names = targets === 'all-linear' ? ALL_LINEAR : targets;
  return `.*language_model.*\\.(${names.join('|')})`;
}

/** transformers' scheduler for ours; a floor above 0 exists for the cosine only. */
export function hfSchedule(
  kind: GrpoConfig['schedule']['kind'],
  { schedule: { min_ratio: minRatio } }: { readonly schedule: GrpoConfig['schedule'] },
): Translation {
  const floored = minRatio > 0 && kind !== 'constant';
  if (floored && kind === 'linear')
    return lacks('the engine has no linear schedule that ends above 0: take cosine, or a min_ratio of 0');
  const names = { constant: 'constant_with_warmup', linear: 'linear', cosine: 'cosine' } as const;
  return written({
    lr_scheduler_type: floored ? 'cosine_with_min_lr' : names[kind],
    ...(floored ? { lr_scheduler_kwargs: JSON.stringify({ min_lr_rate: minRatio }) } : {}),
  });
}

/** Of the whole configuration, whether vectors of the vision tower are trained: engines know norms by other names. */
const trainsTower = ({ vision }: Pick<GrpoConfig, 'vision'>): boolean => vision === 'trained';

/** Here no vector is decayed; engines spare norms by their names, which those of the tower do not have. */
export const decay =
  (name: string) =>
  (value: number, config: Pick<GrpoConfig, 'vision'>): Translation =>
    value > 0 && trainsTower(config)
      ? lacks("the engine would decay the vision tower's norms too: set it to 0, or vision: frozen")
      : written({ [name]: value });

/** The engines' ceiling bounds negative advantages alone, which is ours where it lies above the upper clip. */
export const dualClip =
  (name: string) =>
  (delta: number, { epsilon, epsilon_high: high = epsilon }: GrpoConfig): Translation =>
    delta > 1 + high
      ? written({ [name]: delta })
      : lacks(`the engine's ceiling must lie above the upper clip, ${1 + high}`);

/** The token mean runs over one optimizer update: that is `bnpo`, and `dapo` where a generation batch is one update. */
export const tokenMean = (type: GrpoConfig['loss_type'], { batches }: GrpoConfig): Translation | null =>
  type === 'dapo' && batches > 1
    ? lacks('the engine takes the token mean over an update, not over all batches of a generation: take bnpo')
    : null;

/** Settings of a subset of weights, which no engine has in our terms. */
export const SUBSETS = {
  trainable: () => lacks('the engine trains no chosen set of weights: leave it out'),
  'optimizer.groups': () => lacks('the engine has no settings for single weights: leave it out'),
} as const;
