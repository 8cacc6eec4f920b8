/** @module OpenRLHF (OpenRLHF/OpenRLHF: openrlhf/cli/train_ppo_ray.py, models/loss.py; checked against 0.11.2). */
import type { GrpoConfig } from '../grpo/config.js';
import {
  completionsPerUpdate,
  decay,
  dualClip,
  inTheData,
  OURS,
  SERVED,
  SUBSETS,
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

const AGGREGATIONS: Readonly<Record<GrpoConfig['loss_type'], string | null>> = {
  grpo: 'seq-mean-token-mean',
  bnpo: 'token-mean',
  dapo: 'token-mean',
  dr_grpo: null,
  cispo: null,
};

/** Advantage estimators by what rewards are divided by. */
const ESTIMATORS: Readonly<Record<GrpoConfig['scale_rewards'], string | null>> = {
  group: 'group_norm',
  none: 'dr_grpo',
  batch: null,
};

/** OpenRLHF rounds warm-up up from a share of the updates; half an update less meets the number exactly. */
const warmupShare = (steps: number, updates: number): number => Math.max(0, steps - 0.5) / updates;

export const OPENRLHF_GRPO: SettingTable<GrpoConfig> = {
  ...SERVED,
  ...WATCH,
  ...SUBSETS,
  ...OURS,
  model: as('actor.model_name_or_path'),
  output: (folder) => written({ 'ckpt.output_dir': folder, 'ckpt.path': `${folder}/checkpoints` }),
  seed: as('train.seed'),
  data: inTheData,
  steps: keeps('is the number of prompts written out, gone through once'),
  prompts_per_step: as('rollout.batch_size'),
  num_generations: as('rollout.n_samples_per_prompt'),
  batches: (_, config) => written({ 'train.batch_size': completionsPerUpdate(config) }, 'completions'),
  num_iterations: as('train.max_epochs'),
  micro_groups: keeps('decides memory alone; MICRO_BATCH of launch.sh does here'),
  max_completion_length: as('rollout.max_new_tokens'),
  temperature: as('rollout.temperature'),
  top_p: as('rollout.top_p'),
  top_k: only(0, 'OpenRLHF samples without top_k: set it to 0'),
  loss_type: (type, config): Translation => {
    const mode = AGGREGATIONS[type];
    if (mode === null) return lacks('OpenRLHF has grpo, bnpo and dapo of these: take one of them');
    if (config.importance_sampling_level === 'sequence' && type !== 'grpo')
      return lacks('OpenRLHF takes sequence ratios with a mean over completions only: take grpo');
    return tokenMean(type, config) ?? written({ 'actor.loss_agg_mode': mode });
  },
  importance_sampling_level: (level) =>
    written({ 'actor.policy_loss_type': level === 'sequence' ? 'gspo' : 'ppo' }),
  epsilon: (low, { epsilon_high: high = low }) => written({ 'actor.eps_clip_low_high': [low, high] }),
  epsilon_high: keeps('stands with epsilon'),
  delta: dualClip('actor.dual_clip'),
  beta: (beta) =>
    written({
      'algo.kl.init_coef': beta,
      ...(beta > 0 ? { 'algo.kl.use_loss': true, 'algo.kl.estimator': 'k3' } : {}),
    }),
  scale_rewards: (scale) => {
    const estimator = ESTIMATORS[scale];
    return estimator === null
      ? lacks('OpenRLHF divides by the spread of a group or by nothing: take group or none')
      : written({ 'algo.advantage.estimator': estimator });
  },
  multi_objective_aggregation: only(
    'sum_then_normalize',
    'OpenRLHF has one reward a completion: take sum_then_normalize',
  ),
  rewards: textRewards,
  dynamic_sampling: only(0, 'OpenRLHF filters groups by their mean reward, not by its spread: set it to 0'),
  mask_truncated_completions: only(false, 'OpenRLHF keeps cut-off completions in the loss: set it to false'),
  vision: (vision) =>
    vision === 'frozen' ? written({ 'actor.freeze_visual_encoder': true }) : kept('everything is trained'),
  vision_lr_ratio: only(1, 'OpenRLHF has one learning rate: leave it at 1'),
  'lora.r': as('ds.lora.rank'),
  'lora.alpha': (alpha) =>
    Number.isInteger(alpha) ? written({ 'ds.lora.alpha': alpha }) : lacks('OpenRLHF takes a whole number'),
  'lora.dropout': as('ds.lora.dropout'),
  'lora.rslora': only(false, 'OpenRLHF has no rank-stabilized scale: set it to false'),
  'lora.target_modules': () =>
    lacks(
      'OpenRLHF takes ends of module names, which the vision tower has too, and would adapt it: leave lora out',
    ),
  'optimizer.lr': as('actor.adam.lr'),
  'optimizer.betas': as('actor.adam.betas'),
  'optimizer.eps': as('actor.adam.eps'),
  'optimizer.weight_decay': decay('actor.adam.weight_decay'),
  'optimizer.max_grad_norm': as('actor.max_norm'),
  'schedule.kind': (kind, { schedule: { min_ratio: minRatio } }) => {
    if (kind === 'cosine')
      return written({ 'actor.lr_scheduler': 'cosine_with_min_lr', 'actor.min_lr_ratio': minRatio });
    if (kind === 'linear' && minRatio > 0)
      return lacks('OpenRLHF has no linear schedule that ends above 0: take cosine, or a min_ratio of 0');
    return written({ 'actor.lr_scheduler': kind === 'linear' ? 'linear' : 'constant_with_warmup' });
  },
  'schedule.warmup_steps': (steps, config) =>
    written({ 'actor.lr_warmup_ratio': warmupShare(steps, updatesOf(config)) }, 'rounded up by OpenRLHF'),
  'schedule.min_ratio': keeps('is part of the schedule'),
  'evaluation.every_steps': as('eval.steps'),
  'evaluation.prompts': keeps('is the number of held-out prompts written out'),
  'evaluation.select': watchedHere(
    'only `safeguard train grpo` itself keeps the best checkpoint: leave it out',
  ),
  'evaluation.patience': only(0, 'OpenRLHF does not end a run that is no longer better: set it to 0'),
  'checkpoint.every_steps': as('ckpt.save_steps'),
  'checkpoint.keep': as('ckpt.max_num'),
};
