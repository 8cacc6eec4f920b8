/** @module The YAML file of a GRPO run: a preset, and what differs from it. Names are TRL's where it has one. */
import { z } from 'zod';
import { sha256 } from '../../util/hash.js';
import { UserError } from '../../util/errors.js';
import {
  checkCurriculum,
  checkLora,
  count,
  gradientCheckpointing,
  lora,
  optimizer,
  parseSettings,
  positive,
  readYaml,
  schedule,
} from '../config.js';
import { AGGREGATIONS, LOSS_TYPES, RATIO_LEVELS, REWARD_SCALES } from './loss-types.js';
import { HELD_OUT_SCORES } from './records.js';

const share = z.number().min(0).max(1);

const iconworldPrompts = z.strictObject({
  source: z.literal('iconworld'),
  /** [share of the run, most ruling statements a policy has from there on], ascending. */
  curriculum: z.array(z.tuple([share, z.int().min(1).max(9)])).default([[0, 9]]),
  /** Share of prompts that come as pairs: one picture under a policy that passes it and one that blocks it. */
  pairs: share.default(0),
  /** The most statements of voice a policy has; as in IconWorld where it is left out. The evaluation's levels have seven. */
  max_voice: z.int().min(0).max(9).optional(),
  /** Of the prompts that are no pairs, the share whose policy was written without the picture in mind, as the evaluation's levels are. */
  unrelated: share.default(0),
  /** Share of prompts that are questions about a picture instead, for the reward `exact`: what else the model can do stays rehearsed. */
  questions: share.optional(),
});

const jsonlPrompts = z.strictObject({
  source: z.literal('jsonl'),
  /** Lines of `{"prompt" or "policy", "images", "solution" or "label", …}`; see `prompts.ts`. */
  file: z.string(),
  /** The last so many lines are held out; 0 evaluates nothing. */
  held_out: z.int().min(0).default(0),
});

/** A reward that is asked for over HTTP; see `rewards/remote.ts`. */
const remoteReward = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'must be an http(s) address' }),
  timeout_seconds: positive.default(60),
  retries: z.int().min(0).default(5),
});

export const grpoConfig = z.strictObject({
  /** What to start from: a checkpoint folder, a model of the hub, or safeguard-vl-tiny; also the reference where `beta` is not 0. */
  model: z.string(),
  output: z.string(),
  seed: z.int().default(0),
  /** Generation batches of the run; each is used for `num_iterations` × `batches` optimizer steps. */
  steps: count,
  /** Different prompts of a generation batch. */
  prompts_per_step: count,
  /** G: completions of each prompt. */
  num_generations: z.int().min(2),
  /** Optimizer steps that a generation batch is cut into. */
  batches: count.default(1),
  /** μ: how often a generation batch is gone through. */
  num_iterations: count.default(1),
  /** Groups computed at once in the update; gradients accumulate over the rest. */
  micro_groups: count.default(4),
  max_completion_length: count,
  temperature: positive.default(1),
  top_p: share.default(1),
  /** 0 is off. */
  top_k: z.int().min(0).default(0),
  loss_type: z.enum(LOSS_TYPES),
  importance_sampling_level: z.enum(RATIO_LEVELS).default('token'),
  /** The lower clip, and the upper one where `epsilon_high` is left out. */
  epsilon: positive.default(0.2),
  epsilon_high: positive.optional(),
  /** The two-sided clip's ceiling on the ratio; none where it is left out. */
  delta: positive.optional(),
  /** Weight of k3 to the start model; 0 needs no reference. */
  beta: z.number().min(0),
  scale_rewards: z.enum(REWARD_SCALES),
  multi_objective_aggregation: z.enum(AGGREGATIONS),
  /** Function → weight. */
  rewards: z.record(z.string(), z.number()),
  /** Functions of `rewards` that a service computes: name → where, in the words of `safeguard rewards serve`. */
  remote_rewards: z.record(z.string(), remoteReward).optional(),
  /** Groups whose completions all earn the same are replaced by other prompts, at most so many times over. 0 keeps them. */
  dynamic_sampling: z.int().min(0),
  mask_truncated_completions: z.boolean(),
  /** Steps in a row without any reward spread after which the run stops. */
  max_steps_without_signal: count.default(20),
  /** Steps in a row of nothing but cut-off completions after which the run stops. */
  max_truncated_steps: count.default(3),
  vision: z.enum(['frozen', 'trained']).default('frozen'),
  vision_lr_ratio: positive.default(1),
  trainable: z.array(z.string().min(1)).min(1).optional(),
  lora: lora.optional(),
  optimizer,
  schedule: schedule.default({ kind: 'cosine', warmup_steps: 0, min_ratio: 0 }),
  data: z.discriminatedUnion('source', [iconworldPrompts, jsonlPrompts], {
    error: "'source' must be iconworld or jsonl",
  }),
  /** Greedy answers to prompts that are never trained on. */
  evaluation: z
    .strictObject({
      every_steps: count.default(25),
      prompts: count.default(128),
      /** Evaluations without a better one after which the run stops; 0 never stops it. */
      patience: z.int().min(0).default(0),
      /** What better means: held-out macro-F1 where it is left out, or the mean held-out reward. */
      select: z.enum(HELD_OUT_SCORES).optional(),
    })
    .default({ every_steps: 25, prompts: 128, patience: 0 }),
  checkpoint: z
    .strictObject({ every_steps: count.default(25), keep: count.default(2) })
    .default({ every_steps: 25, keep: 2 }),
  /** Every how many steps completions are kept. */
  keep_completions_every: count.default(1),
  /** Whose format answers are read in, by name or file; iconworld for its own data, else paper. */
  profile: z.string().min(1).optional(),
  threads: count.optional(),
  image_cache_mb: z.number().min(0).optional(),
  gradient_checkpointing: gradientCheckpointing.optional(),
});

export type GrpoConfig = z.infer<typeof grpoConfig>;

/** The paper's optimizer: lr 1e-6, AdamW(0.9, 0.95), decay 0.1, gradients clipped at 1 (SafeGuard-VL:train/grpo.sh). */
const PAPER_OPTIMIZER = { lr: 1e-6, betas: [0.9, 0.95], weight_decay: 0.1, max_grad_norm: 1 };

/** What a preset sets; every setting in the file goes before it. */
const GRPO_PRESETS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  /** SafeGuard-VL:train/grpo.sh and plugin.py under ms-swift 3.8.1. */
  'paper-exact': {
    prompts_per_step: 2,
    num_generations: 8,
    max_completion_length: 512,
    temperature: 1,
    top_p: 0.9,
    top_k: 50,
    loss_type: 'grpo',
    epsilon: 0.2,
    beta: 0.01,
    scale_rewards: 'group',
    multi_objective_aggregation: 'sum_then_normalize',
    rewards: { accuracy: 1, format: 1 },
    dynamic_sampling: 0,
    mask_truncated_completions: false,
    optimizer: PAPER_OPTIMIZER,
  },
  /** DAPO's token mean, dynamic sampling and upper clip; GDPO's normalization; no bias between sampler and trainer. */
  recommended: {
    prompts_per_step: 2,
    num_generations: 8,
    max_completion_length: 512,
    temperature: 1,
    top_p: 1,
    top_k: 0,
    loss_type: 'dapo',
    epsilon: 0.2,
    epsilon_high: 0.28,
    beta: 0,
    scale_rewards: 'group',
    multi_objective_aggregation: 'normalize_then_sum',
    rewards: { label: 1, readable: 0.2, quote: 0.5 },
    dynamic_sampling: 3,
    mask_truncated_completions: true,
    optimizer: PAPER_OPTIMIZER,
  },
};

/** Checks a configuration given as an object, its `preset` (`recommended` where absent) filled in. */
export function parseGrpoConfig(json: unknown, name = 'The configuration'): GrpoConfig {
  const settings: Record<string, unknown> =
    typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : {};
  const { preset = 'recommended', ...own } = settings;
  const known = typeof preset === 'string' && Object.hasOwn(GRPO_PRESETS, preset);
  const base = known ? GRPO_PRESETS[preset] : undefined;
  if (base === undefined) {
    throw new UserError(`${name}: preset must be ${Object.keys(GRPO_PRESETS).join(' or ')}.`);
  }
  const config = parseSettings(grpoConfig, { ...base, ...own }, name);
  const completions = config.prompts_per_step * config.num_generations;
  if (config.prompts_per_step % config.batches !== 0)
    throw new UserError(`${name}: prompts_per_step must be a multiple of batches.`);
  if (Object.values(config.rewards).every((weight) => weight === 0))
    throw new UserError(
      `${name}: rewards gives no function a weight: ${completions} completions would all earn 0.`,
    );
  const unweighted = Object.keys(config.remote_rewards ?? {}).find(
    (reward) => !Object.hasOwn(config.rewards, reward),
  );
  if (unweighted !== undefined)
    throw new UserError(`${name}: remote_rewards.${unweighted} has no weight: name it in rewards too.`);
  checkLora(config, name);
  if (config.lora !== undefined && config.lora.dropout > 0)
    throw new UserError(
      `${name}: lora.dropout must be 0: the sampler drops nothing, and must be the trained model.`,
    );
  if (config.data.source === 'iconworld') {
    checkCurriculum(config.data.curriculum, name);
    if ((config.data.questions ?? 0) > 0 && !Object.hasOwn(config.rewards, 'exact'))
      throw new UserError(
        `${name}: data.questions asks for more than verdicts, and no reward is for it: give the reward exact a weight.`,
      );
  }
  return config;
}

export function loadGrpoConfig(path: string): GrpoConfig {
  return parseGrpoConfig(readYaml(path), path);
}

/** What {@link grpoIdentity} leaves out. */
export const GRPO_FREE = [
  'output',
  'checkpoint',
  'image_cache_mb',
  'keep_completions_every',
  'gradient_checkpointing',
  'remote_rewards',
] as const;

/**
 * The hash of what decides a run's numbers; `checkpoint.keep`, paths of the output and memory settings may change.
 * Settings that are added later must be left out of the parsed object where a file does not name them.
 */
export function grpoIdentity(config: GrpoConfig): string {
  const {
    output: _,
    checkpoint: __,
    image_cache_mb: ___,
    keep_completions_every: ____,
    gradient_checkpointing: _____,
    // Where a reward is computed, not what it is.
    remote_rewards: ______,
    ...identity
  } = config;
  return sha256(JSON.stringify(identity));
}
