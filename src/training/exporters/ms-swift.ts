/** @module ms-swift (modelscope/ms-swift: swift/arguments, swift/rlhf_trainers/grpo_trainer.py; checked against 4.6). */
import type { SftConfig } from '../config.js';
import type { GrpoConfig } from '../grpo/config.js';
import { HF_COMMON, HF_GRPO, HF_SFT, watchedEvaluation } from './hf-trainer.js';
import { SERVED, targetPattern } from './rules.js';
import { as, kept, lacks, type SettingTable, written } from './settings.js';

const COMMON = {
  ...HF_COMMON,
  vision: (vision: string) => {
    const frozen = vision === 'frozen';
    return written({ freeze_vit: frozen, freeze_aligner: frozen, freeze_llm: false });
  },
  vision_lr_ratio: (ratio: number, { optimizer: { lr } }: { readonly optimizer: { readonly lr: number } }) =>
    ratio === 1
      ? kept('the tower learns at the rate of the rest')
      : written({ vit_lr: lr * ratio, aligner_lr: lr * ratio }),
  'lora.r': as('lora_rank'),
  'lora.target_modules': (targets: NonNullable<GrpoConfig['lora']>['target_modules']) =>
    written({ target_regex: targetPattern(targets) }),
} as const;

const SAMPLED =
  'ms-swift evaluates with sampled answers, not greedy ones: leave it out, and measure the checkpoints here';

/** Its names for what rewards are divided by: GDPO is one of them, not an aggregation. */
export const MS_SWIFT_GRPO: SettingTable<GrpoConfig> = {
  ...COMMON,
  ...HF_GRPO,
  ...watchedEvaluation(SAMPLED),
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
      // `swift` joins a list into a command line without making words of numbers (swift/cli/main.py).
      reward_weights: Object.values(rewards).map(String),
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
};

export const MS_SWIFT_SFT: SettingTable<SftConfig> = {
  ...COMMON,
  ...HF_SFT,
  max_length: (length) =>
    written(
      { max_length: length, truncation_strategy: 'delete' },
      'a longer sample gives way to another one',
    ),
};

/** ms-swift's `top_k` without a limit. */
const OFF = -1;

/** Rewards of ours by the names of the plugin, which must not be those of ms-swift's own. */
export const pluginName = (reward: string): string => `safeguard_${reward}`;
