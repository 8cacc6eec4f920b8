/**
 * @module verl (volcengine/verl: verl/trainer/config, verl/trainer/ppo/core_algos.py, verl/workers/engine/fsdp; checked
 * against 0.9.1).
 */
import type { GrpoConfig } from '../grpo/config.js';
import {
  dualClip,
  inTheData,
  OURS,
  SERVED,
  SUBSETS,
  targetPattern,
  textRewards,
  tokenMean,
  updatesOf,
  WATCH,
} from './rules.js';
import {
  as,
  keeps,
  kept,
  lacks,
  only,
  type SettingTable,
  type Translation,
  written,
  watchedHere,
} from './settings.js';

const ACTOR = 'actor_rollout_ref.actor';
const ROLLOUT = 'actor_rollout_ref.rollout';
const MODEL = 'actor_rollout_ref.model';

/** verl's dual clip cannot be switched off, but log-ratios are cut at 20: nothing reaches this. */
const NO_CEILING = 1e9;

/** How per-token losses become one number, under verl's names. */
const AGGREGATIONS: Readonly<Record<GrpoConfig['loss_type'], string | null>> = {
  grpo: 'seq-mean-token-mean',
  bnpo: 'token-mean',
  dr_grpo: 'seq-mean-token-sum-norm',
  dapo: 'token-mean',
  cispo: null,
};

/** Whether the learning rate stays the same over a generation batch, as verl moves it once for each. */
const isPaced = (config: GrpoConfig): boolean => updatesOf(config) === config.steps;
const UNPACED =
  'verl moves the learning rate once a generation batch, not once an update: set batches and num_iterations to 1';

export const VERL_GRPO: SettingTable<GrpoConfig> = {
  ...SERVED,
  ...WATCH,
  ...SUBSETS,
  ...OURS,
  model: as(`${MODEL}.path`),
  output: as('trainer.default_local_dir'),
  seed: (seed) =>
    written({ 'data.seed': seed, [`${ROLLOUT}.seed`]: seed, [`${ACTOR}.data_loader_seed`]: seed }),
  data: inTheData,
  steps: (steps) => written({ 'trainer.total_training_steps': steps }),
  prompts_per_step: as('data.train_batch_size'),
  num_generations: as(`${ROLLOUT}.n`),
  batches: (batches, { prompts_per_step: prompts }) =>
    written({ [`${ACTOR}.ppo_mini_batch_size`]: prompts / batches }, 'prompts'),
  num_iterations: as(`${ACTOR}.ppo_epochs`),
  micro_groups: keeps('decides memory alone; MICRO_BATCH of launch.sh does here'),
  max_completion_length: as('data.max_response_length'),
  temperature: as(`${ROLLOUT}.temperature`),
  top_p: as(`${ROLLOUT}.top_p`),
  top_k: (k) => written({ [`${ROLLOUT}.top_k`]: k === 0 ? -1 : k }),
  loss_type: (type, config): Translation => {
    const mode = AGGREGATIONS[type];
    if (mode === null)
      return lacks('cispo clips the ratio from below too in verl, and its ceiling is 1 + epsilon_high');
    return (
      tokenMean(type, config) ??
      written({
        [`${ACTOR}.loss_agg_mode`]: mode,
        ...(type === 'dr_grpo' ? { [`${ACTOR}.loss_scale_factor`]: config.max_completion_length } : {}),
      })
    );
  },
  importance_sampling_level: (level) =>
    written({ [`${ACTOR}.policy_loss.loss_mode`]: level === 'sequence' ? 'gspo' : 'vanilla' }),
  epsilon: (epsilon) =>
    written({
      [`${ACTOR}.clip_ratio`]: epsilon,
      [`${ACTOR}.clip_ratio_low`]: epsilon,
      [`${ACTOR}.clip_ratio_high`]: epsilon,
      [`${ACTOR}.clip_ratio_c`]: NO_CEILING,
    }),
  epsilon_high: as(`${ACTOR}.clip_ratio_high`),
  delta: (delta, config) =>
    config.importance_sampling_level === 'sequence'
      ? lacks("verl's gspo has no ceiling: leave it out")
      : dualClip(`${ACTOR}.clip_ratio_c`)(delta, config),
  beta: (beta) =>
    written({
      [`${ACTOR}.use_kl_loss`]: beta > 0,
      [`${ACTOR}.kl_loss_coef`]: beta,
      [`${ACTOR}.kl_loss_type`]: 'low_var_kl',
    }),
  scale_rewards: (scale) =>
    scale === 'batch'
      ? lacks('verl divides by the spread of a group or by nothing: take group or none')
      : written({ 'algorithm.norm_adv_by_std_in_grpo': scale === 'group' }),
  multi_objective_aggregation: only(
    'sum_then_normalize',
    "verl's gdpo weighs completions by their tokens: take sum_then_normalize",
  ),
  rewards: textRewards,
  dynamic_sampling: only(0, 'verl replaces groups without a limit: set it to 0'),
  mask_truncated_completions: only(false, 'verl keeps cut-off completions in the loss: set it to false'),
  vision: (vision, { lora }) =>
    vision === 'frozen' && lora === undefined
      ? lacks(
          "verl's FSDP engine reads freeze_vision_tower nowhere and trains the tower: take lora, or trained",
        )
      : kept(lora === undefined ? 'everything is trained' : 'an adapter leaves the tower as it is'),
  vision_lr_ratio: only(1, 'verl has one learning rate: leave it at 1'),
  'lora.r': as(`${MODEL}.lora_rank`),
  'lora.alpha': as(`${MODEL}.lora_alpha`),
  'lora.dropout': keeps('is 0, as in verl'),
  'lora.rslora': only(false, 'verl has no rank-stabilized scale: set it to false'),
  'lora.target_modules': (targets) => written({ [`${MODEL}.target_modules`]: targetPattern(targets) }),
  'optimizer.lr': as(`${ACTOR}.optim.lr`),
  'optimizer.betas': as(`${ACTOR}.optim.betas`),
  'optimizer.eps': as(`${ACTOR}.optim.override_optimizer_config.eps`),
  'optimizer.weight_decay': (decay, { lora }) =>
    decay > 0 && lora === undefined
      ? lacks('verl decays norms and biases too: set it to 0')
      : written({ [`${ACTOR}.optim.weight_decay`]: decay }),
  'optimizer.max_grad_norm': (norm) =>
    written({ [`${ACTOR}.grad_clip`]: norm, [`${ACTOR}.optim.clip_grad`]: norm }),
  'schedule.kind': (kind, config) => {
    if (kind === 'linear') return lacks('verl has constant and cosine: take one of them');
    if (kind === 'cosine' && !isPaced(config)) return lacks(UNPACED);
    return written({ [`${ACTOR}.optim.lr_scheduler_type`]: kind });
  },
  'schedule.warmup_steps': (steps, config) =>
    steps > 0 && !isPaced(config) ? lacks(UNPACED) : written({ [`${ACTOR}.optim.lr_warmup_steps`]: steps }),
  'schedule.min_ratio': as(`${ACTOR}.optim.min_lr_ratio`),
  'evaluation.every_steps': as('trainer.test_freq'),
  'evaluation.prompts': keeps('is the number of held-out prompts written out'),
  'evaluation.select': watchedHere(
    'only `safeguard train grpo` itself keeps the best checkpoint: leave it out',
  ),
  'evaluation.patience': only(0, 'verl does not end a run that is no longer better: set it to 0'),
  'checkpoint.every_steps': as('trainer.save_freq'),
  'checkpoint.keep': as('trainer.max_actor_ckpt_to_keep'),
};
