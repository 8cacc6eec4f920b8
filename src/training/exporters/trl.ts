/**
 * @module TRL (trl:trl/trainer/grpo_config.py and grpo_trainer.py, sft_config.py; checked against 1.16). Frozen weights and
 * adapters, for which TRL has no setting, are set up by the export's own `train.py`.
 */
import type { SftConfig } from '../config.js';
import type { GrpoConfig } from '../grpo/config.js';
import {
  completionsPerUpdate,
  decay,
  hfSchedule,
  inTheData,
  OURS,
  SERVED,
  SUBSETS,
  targetPattern,
  updatesOf,
  WATCH,
} from './rules.js';
import { as, keeps, kept, lacks, only, type SettingTable, watchedHere, written } from './settings.js';

/** What both kinds of run have. */
const COMMON = {
  model: as('model'),
  output: as('output_dir'),
  seed: as('seed'),
  data: inTheData,
  vision: (vision: string) => written({ freeze_vision: vision === 'frozen' }),
  vision_lr_ratio: only(1, 'TRL has one learning rate: leave it at 1'),
  'lora.r': as('lora_r'),
  'lora.alpha': as('lora_alpha'),
  'lora.dropout': as('lora_dropout'),
  'lora.rslora': as('use_rslora'),
  'lora.target_modules': (targets: NonNullable<GrpoConfig['lora']>['target_modules']) =>
    written({ lora_target_modules: targetPattern(targets) }),
  'optimizer.lr': as('learning_rate'),
  'optimizer.betas': ([beta1, beta2]: readonly [number, number]) =>
    written({ adam_beta1: beta1, adam_beta2: beta2 }),
  'optimizer.eps': as('adam_epsilon'),
  'optimizer.weight_decay': decay('weight_decay'),
  'optimizer.max_grad_norm': as('max_grad_norm'),
  'schedule.kind': hfSchedule,
  'schedule.warmup_steps': as('warmup_steps'),
  'schedule.min_ratio': keeps('is part of the schedule'),
  'checkpoint.keep': as('save_total_limit'),
  ...SUBSETS,
  ...OURS,
} as const;

const SAMPLED =
  'TRL evaluates with sampled answers, not greedy ones, and keeps no best: leave it out, and measure the checkpoints here';

export const TRL_GRPO: SettingTable<GrpoConfig> = {
  ...COMMON,
  ...SERVED,
  ...WATCH,
  steps: (_, config) => written({ max_steps: updatesOf(config) }, 'optimizer updates'),
  prompts_per_step: (prompts, { num_generations: each }) =>
    written({ generation_batch_size: prompts * each }, 'completions'),
  num_generations: as('num_generations'),
  batches: (_, config) =>
    kept(`${completionsPerUpdate(config)} completions an update, which launch.sh divides`),
  num_iterations: as('num_iterations'),
  micro_groups: keeps('decides memory alone; MICRO_BATCH of launch.sh does here'),
  max_completion_length: as('max_completion_length'),
  temperature: as('temperature'),
  top_p: as('top_p'),
  top_k: as('top_k'),
  loss_type: (type) =>
    type === 'bnpo'
      ? lacks("TRL's bnpo is a mean over each device's micro-batch, not over the update: take dapo")
      : written({ loss_type: type }),
  importance_sampling_level: as('importance_sampling_level'),
  epsilon: as('epsilon'),
  epsilon_high: as('epsilon_high'),
  delta: as('delta'),
  beta: as('beta'),
  scale_rewards: as('scale_rewards'),
  multi_objective_aggregation: as('multi_objective_aggregation'),
  rewards: (rewards) => {
    const shared = SERVED.rewards(rewards);
    if (shared.kind === 'lacks') return shared;
    return written({ reward_names: Object.keys(rewards), reward_weights: Object.values(rewards) });
  },
  dynamic_sampling: only(0, 'TRL replaces no groups: set it to 0'),
  mask_truncated_completions: as('mask_truncated_completions'),
  'evaluation.every_steps': watchedHere(SAMPLED),
  'evaluation.prompts': watchedHere(SAMPLED),
  'evaluation.patience': watchedHere(SAMPLED),
  'evaluation.select': watchedHere(SAMPLED),
  'checkpoint.every_steps': (every, { batches, num_iterations }) =>
    written({ save_steps: every * batches * num_iterations }, 'optimizer updates'),
};

export const TRL_SFT: SettingTable<SftConfig> = {
  ...COMMON,
  steps: as('max_steps'),
  objective: only('answers', 'the engine learns answers alone: leave it out'),
  batch_size: (size) => kept(`${size} samples an update, which launch.sh divides`),
  micro_batch_size: keeps('decides memory alone; MICRO_BATCH of launch.sh does here'),
  max_length: keeps('TRL is told to cut nothing, so a longer sample is learned whole'),
  'checkpoint.every_steps': as('save_steps'),
};
