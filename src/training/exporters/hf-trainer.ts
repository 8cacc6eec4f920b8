/** @module Rules of the engines whose trainers are transformers' Trainer (TRL, ms-swift): one name for one thing. */
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
  updatesOf,
  WATCH,
} from './rules.js';
import { as, keeps, kept, lacks, only, type SettingTable, watchedHere, written } from './settings.js';

const microBatch = keeps('decides memory alone; MICRO_BATCH of launch.sh does here');

/** What both kinds of run have. */
export const HF_COMMON = {
  model: as('model'),
  output: as('output_dir'),
  seed: as('seed'),
  data: inTheData,
  'lora.alpha': as('lora_alpha'),
  'lora.dropout': as('lora_dropout'),
  'lora.rslora': as('use_rslora'),
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

export const HF_GRPO = {
  ...SERVED,
  ...WATCH,
  steps: (_: number, config: GrpoConfig) => written({ max_steps: updatesOf(config) }, 'optimizer updates'),
  prompts_per_step: (prompts: number, { num_generations: each }: GrpoConfig) =>
    written({ generation_batch_size: prompts * each }, 'completions'),
  num_generations: as('num_generations'),
  batches: (_: number, config: GrpoConfig) =>
    kept(`${completionsPerUpdate(config)} completions an update, which launch.sh divides`),
  num_iterations: as('num_iterations'),
  micro_groups: microBatch,
  max_completion_length: as('max_completion_length'),
  temperature: as('temperature'),
  top_p: as('top_p'),
  importance_sampling_level: as('importance_sampling_level'),
  epsilon: as('epsilon'),
  epsilon_high: as('epsilon_high'),
  delta: as('delta'),
  beta: as('beta'),
  'checkpoint.every_steps': (every: number, { batches, num_iterations }: GrpoConfig) =>
    written({ save_steps: every * batches * num_iterations }, 'optimizer updates'),
} as const;

/** Held-out measurement is ours alone; `why` says what the engine does in its place. */
export const watchedEvaluation = (why: string) =>
  ({
    'evaluation.every_steps': watchedHere(why),
    'evaluation.prompts': watchedHere(why),
    'evaluation.patience': watchedHere(why),
    'evaluation.select': watchedHere(why),
  }) satisfies Partial<SettingTable<GrpoConfig>>;

const NOT_TRAINED_ON = 'is not in the data; the engine measures nothing: measure its checkpoints here';

export const HF_SFT = {
  'evaluation.every_steps': keeps(NOT_TRAINED_ON),
  'evaluation.samples': keeps(NOT_TRAINED_ON),
  'evaluation.file': keeps(NOT_TRAINED_ON),
  steps: as('max_steps'),
  objective: only('answers', 'the engine learns answers alone: leave it out'),
  token_weights: () => lacks('every token of an answer counts the same there: leave it out'),
  batch_size: (size: number) => kept(`${size} samples an update, which launch.sh divides`),
  micro_batch_size: microBatch,
  'checkpoint.every_steps': as('save_steps'),
} satisfies Partial<SettingTable<SftConfig>>;
