/** @module ms-swift (modelscope/ms-swift: swift/arguments, swift/rlhf_trainers/grpo_trainer.py; checked against 4.6). */
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

const COMMON = {
  model: as('model'),
  output: as('output_dir'),
  seed: as('seed'),
  data: inTheData,
  vision: (vision: string) => {
    const frozen = vision === 'frozen';
    return written({ freeze_vit: frozen, freeze_aligner: frozen, freeze_llm: false });
  },
  vision_lr_ratio: (ratio: number, { optimizer: { lr } }: { readonly optimizer: { readonly lr: number } }) =>
    ratio === 1
      ? kept('the tower learns at the rate of the rest')
      : written({ vit_lr: lr * ratio, aligner_lr: lr * ratio }),
  'lora.r': as('lora_rank'),
  'lora.alpha': as('lora_alpha'),
  'lora.dropout': as('lora_dropout'),
  'lora.rslora': as('use_rslora'),
  'lora.target_modules': (targets: NonNullable<GrpoConfig['lora']>['target_modules']) =>
    written({ target_regex: targetPattern(targets) }),
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
  'ms-swift evaluates with sampled answers, not greedy ones: leave it out, and measure the checkpoints here';

/** Its names for what rewards are divided by: GDPO is one of them, not an aggregation. */
export const MS_SWIFT_GRPO: SettingTable<GrpoConfig> = {
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
  top_k: (k) => written({ top_k: k === 0 ? OFF : k }),
  loss_type: (type, { batches }) => {
    if (type === 'bnpo')
      return lacks(
        "ms-swift's bnpo is a mean over each device's micro-batch, not over the update: take dapo",
      );
    if ((type === 'dapo' || type === 'cispo') && batches > 1)
      return lacks('ms-swift takes the token mean over an update, not over a generation: set batches to 1');
    return written({ loss_type: type });
  },
  importance_sampling_level: as('importance_sampling_level'),
  epsilon: as('epsilon'),
  epsilon_high: as('epsilon_high'),
  delta: as('delta'),
  beta: as('beta'),
  scale_rewards: (scale, { multi_objective_aggregation: aggregation }) =>
    aggregation === 'normalize_then_sum'
      ? kept('each reward is divided by its own spread, whatever this says')
      : written({ scale_rewards: scale }),
  multi_objective_aggregation: (aggregation) =>
    aggregation === 'normalize_then_sum'
      ? written({ scale_rewards: 'gdpo' })
      : kept('summed rewards are normalized, as scale_rewards says'),
  rewards: (rewards) => {
    const shared = SERVED.rewards(rewards);
    if (shared.kind === 'lacks') return shared;
    return written({
      reward_funcs: Object.keys(rewards).map(pluginName),
      reward_weights: Object.values(rewards),
    });
  },
  dynamic_sampling: (rounds) =>
    rounds === 0
      ? written({ dynamic_sample: false })
      : written(
          { dynamic_sample: true, max_resample_times: rounds },
          'whole batches are drawn again, and a batch that stays short falls back to the first draw',
        ),
  mask_truncated_completions: (masks) =>
    written(
      { overlong_filter: masks },
      ...(masks ? ['tokens of cut-off completions still count in the divisor of dapo and cispo'] : []),
    ),
  'evaluation.every_steps': watchedHere(SAMPLED),
  'evaluation.prompts': watchedHere(SAMPLED),
  'evaluation.patience': watchedHere(SAMPLED),
  'evaluation.select': watchedHere(SAMPLED),
  'checkpoint.every_steps': (every, { batches, num_iterations }) =>
    written({ save_steps: every * batches * num_iterations }, 'optimizer updates'),
};

export const MS_SWIFT_SFT: SettingTable<SftConfig> = {
  ...COMMON,
  steps: as('max_steps'),
  objective: only('answers', 'the engine learns answers alone: leave it out'),
  batch_size: (size) => kept(`${size} samples an update, which launch.sh divides`),
  micro_batch_size: keeps('decides memory alone; MICRO_BATCH of launch.sh does here'),
  max_length: (length) =>
    written(
      { max_length: length, truncation_strategy: 'delete' },
      'a longer sample gives way to another one',
    ),
  'checkpoint.every_steps': as('save_steps'),
};

/** ms-swift's `top_k` without a limit. */
const OFF = -1;

/** Rewards of ours by the names of the plugin, which must not be those of ms-swift's own. */
export const pluginName = (reward: string): string => `safeguard_${reward}`;
