/**
 * @module TRL (trl:trl/trainer/grpo_config.py and grpo_trainer.py, sft_config.py; checked against 1.16). Frozen weights and
 * adapters, for which TRL has no setting, are set up by the export's own `train.py`.
 */
import type { SftConfig } from '../config.js';
import type { GrpoConfig } from '../grpo/config.js';
import { HF_COMMON, HF_GRPO, HF_SFT, watchedEvaluation } from './hf-trainer.js';
import { SERVED, targetPattern } from './rules.js';
import { as, keeps, lacks, only, type SettingTable, written } from './settings.js';

/** What both kinds of run have. */
const COMMON = {
  ...HF_COMMON,
  vision: (vision: string) => written({ freeze_vision: vision === 'frozen' }),
  vision_lr_ratio: only(1, 'TRL has one learning rate: leave it at 1'),
  'lora.r': as('lora_r'),
  'lora.target_modules': (targets: NonNullable<GrpoConfig['lora']>['target_modules']) =>
    written({ lora_target_modules: targetPattern(targets) }),
} as const;

const SAMPLED =
  'TRL evaluates with sampled answers, not greedy ones, and keeps no best: leave it out, and measure the checkpoints here';

export const TRL_GRPO: SettingTable<GrpoConfig> = {
  ...COMMON,
  ...HF_GRPO,
  ...watchedEvaluation(SAMPLED),
  top_k: as('top_k'),
  loss_type: (type) =>
    type === 'bnpo'
      ? lacks("TRL's bnpo is a mean over each device's micro-batch, not over the update: take dapo")
      : written({ loss_type: type }),
  scale_rewards: as('scale_rewards'),
  multi_objective_aggregation: as('multi_objective_aggregation'),
  rewards: (rewards) => {
    const shared = SERVED.rewards(rewards);
    if (shared.kind === 'lacks') return shared;
    return written({ reward_names: Object.keys(rewards), reward_weights: Object.values(rewards) });
  },
  dynamic_sampling: only(0, 'TRL replaces no groups: set it to 0'),
  mask_truncated_completions: as('mask_truncated_completions'),
};

export const TRL_SFT: SettingTable<SftConfig> = {
  ...COMMON,
  ...HF_SFT,
  max_length: keeps('TRL is told to cut nothing, so a longer sample is learned whole'),
};
