/** @module The YAML file of a training run. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { SCHEDULES } from '../optim/schedules.js';
import { messageOf, UserError } from '../util/errors.js';
import { sha256 } from '../util/hash.js';

export const positive = z.number().positive();
export const count = z.number().int().positive();

export const optimizer = z.strictObject({
  lr: positive,
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.95]),
  eps: positive.default(1e-8),
  /** On matrices; vectors (norms, biases) are never decayed. */
  weight_decay: z.number().min(0).default(0.1),
  max_grad_norm: positive.default(1),
  /** Weights with settings of their own; the first group whose `match` fits a weight's name counts. */
  groups: z
    .array(
      z.strictObject({
        /** A weight's name, with `*` for any characters: `visual.*`. */
        match: z.string().min(1),
        /** In place of `lr` (and of `vision_lr_ratio`). */
        lr: positive.optional(),
        /** In place of `weight_decay`; on matrices alone, too. */
        weight_decay: z.number().min(0).optional(),
      }),
    )
    .min(1)
    .optional(),
});

export const schedule = z.strictObject({
  kind: z.enum(SCHEDULES).default('cosine'),
  warmup_steps: z.number().int().min(0).default(0),
  min_ratio: z.number().min(0).max(1).default(0),
});

/** A PEFT adapter in place of the weights themselves. */
export const lora = z.strictObject({
  r: count,
  alpha: positive,
  dropout: z.number().min(0).lt(1).default(0),
  /** Scale by √r instead of r. */
  rslora: z.boolean().default(false),
  /** Modules by the end of their names; `all-linear` is the language model without its head. */
  target_modules: z.union([z.literal('all-linear'), z.array(z.string().min(1)).min(1)]).default('all-linear'),
});

export type LoraYaml = z.infer<typeof lora>;

/** An adapter decides by itself what is trained. */
export function checkLora(
  config: { readonly lora?: LoraYaml; readonly vision: string; readonly trainable?: readonly string[] },
  name: string,
): void {
  if (config.lora === undefined) return;
  if (config.vision === 'trained')
    throw new UserError(
      `${name}: an adapter leaves the tower as it is: set vision: frozen, or leave lora out.`,
    );
  if (config.trainable !== undefined)
    throw new UserError(`${name}: lora.target_modules says what is trained: leave trainable out.`);
}

/** Whether, or every how many layers, a hidden state is kept and the values between are computed again. */
export const gradientCheckpointing = z.union([z.boolean(), count], {
  error: 'must be true, false or a number of layers',
});

/** Layers between two hidden states that are kept; undefined where all values are. */
export function layersBetweenStates(
  setting: z.infer<typeof gradientCheckpointing> | undefined,
): number | undefined {
  return typeof setting === 'boolean' ? (setting ? 1 : undefined) : setting;
}

const iconworldData = z.strictObject({
  source: z.literal('iconworld'),
  /** Weights of the kinds of samples in the mixture. */
  tasks: z.record(z.string(), z.number().min(0)),
  /** [share of the run, most ruling statements a policy has from there on], ascending. */
  curriculum: z.array(z.tuple([z.number().min(0).max(1), z.number().int().min(1).max(9)])).default([[0, 9]]),
});

const jsonlData = z.strictObject({
  source: z.literal('jsonl'),
  /** Lines of `{"prompt": …, "answer": …, "images": [paths], "task": …}`; paths relative to the file. */
  file: z.string(),
});

/** Enough samples for a calm mean, often enough to see where it turns. */
const DEFAULT_EVALUATION = { every_steps: 100, samples: 256 } as const;

export const sftConfig = z.strictObject({
  /** What to start from: a checkpoint folder, a model of the hub, or safeguard-vl-tiny, the embedded one. */
  model: z.string(),
  output: z.string(),
  seed: z.number().int().default(0),
  steps: count,
  batch_size: count,
  /** Rows computed at once; gradients accumulate over batch_size / micro_batch_size of them. */
  micro_batch_size: count,
  max_length: count.default(4096),
  /** `frozen` computes image features once per image; `trained` trains the tower with the rest. */
  vision: z.enum(['frozen', 'trained']).default('frozen'),
  /** Factor on the learning rate of the vision tower. */
  vision_lr_ratio: positive.default(1),
  /** `answers` where it is left out; `cells` trains the tower alone to see in the language model's words. */
  objective: z.enum(['answers', 'cells']).optional(),
  /**
   * What single words of an answer count in the loss, where others count 1: a verdict of one token among sixty that only copy
   * is hardly heard. Each must be one token, written with the space before it if it has one.
   */
  token_weights: z.record(z.string().min(1), positive).optional(),
  optimizer,
  schedule: schedule.default({ kind: 'cosine', warmup_steps: 0, min_ratio: 0 }),
  data: z.discriminatedUnion('source', [iconworldData, jsonlData], {
    error: "'source' must be iconworld or jsonl",
  }),
  /** Measures the loss on samples that are never trained on; nothing is held out where it is left out. */
  evaluation: z
    .strictObject({
      every_steps: count.default(DEFAULT_EVALUATION.every_steps),
      /** The most samples held out: IconWorld's validation split, or rows of the file. */
      samples: count.default(DEFAULT_EVALUATION.samples),
      /** Rows of their own, in the format of `data.file`; where it is left out, rows of `data.file` are held out. */
      file: z.string().min(1).optional(),
    })
    .optional(),
  checkpoint: z
    .strictObject({ every_steps: count.default(200), keep: count.default(2) })
    .default({ every_steps: 200, keep: 2 }),
  threads: count.optional(),
  /** Names of the weights to train, with `*` for any characters; all that `vision` allows where it is left out. */
  trainable: z.array(z.string().min(1)).min(1).optional(),
  lora: lora.optional(),
  /** Megabytes of image features kept in memory where the tower is frozen. */
  image_cache_mb: z.number().min(0).optional(),
  gradient_checkpointing: gradientCheckpointing.optional(),
});

export type SftConfig = z.infer<typeof sftConfig>;

/** Checks a configuration given as an object; the message names every wrong setting. */
export function parseSftConfig(json: unknown, name = 'The configuration'): SftConfig {
  const config = parseSettings(sftConfig, json, name);
  if (config.batch_size % config.micro_batch_size !== 0) {
    throw new UserError(`${name}: batch_size must be a multiple of micro_batch_size.`);
  }
  checkLora(config, name);
  if (config.objective === 'cells' && config.token_weights !== undefined)
    throw new UserError(`${name}: the objective cells learns no answers: leave token_weights out.`);
  const { data } = config;
  if (data.source === 'iconworld') {
    checkCurriculum(data.curriculum, name);
    if (config.evaluation?.file !== undefined)
      throw new UserError(
        `${name}: evaluation.file goes with data.source jsonl: IconWorld has a validation split, leave it out.`,
      );
  }
  return config;
}

/** @throws UserError that names every wrong setting. */
export function parseSettings<Settings>(schema: z.ZodType<Settings>, json: unknown, name: string): Settings {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new UserError(`${name} is not valid: ${parsed.error.issues.flatMap(describe).join('; ')}.`);
}

function describe(issue: z.core.$ZodIssue): string[] {
  const place = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [`${place || 'the whole file'}: ${issue.message}`];
  return issue.keys.map((key) => `there is no setting '${place === '' ? key : `${place}.${key}`}'`);
}

export function checkCurriculum(curriculum: readonly (readonly [number, number])[], name: string): void {
  const starts = curriculum.map(([from]) => from);
  if (starts[0] === 0 && starts.every((from, i) => i === 0 || from > starts[i - 1])) return;
  throw new UserError(`${name}: data.curriculum must begin with a share of 0 and go on with larger ones.`);
}

/** What {@link runIdentity} leaves out. */
export const SFT_FREE = [
  'output',
  'checkpoint',
  'image_cache_mb',
  'gradient_checkpointing',
  'evaluation.every_steps',
] as const;

/**
 * What decides the numbers of a run: everything but where it is saved and how it is kept in memory, which may change
 * between resumes. Its hash stands in every checkpoint, so settings that are added later must be left out of the
 * parsed object where a file does not name them.
 */
export function runIdentity(config: SftConfig): string {
  const {
    output: _,
    checkpoint: __,
    image_cache_mb: ___,
    // Changes no bit.
    gradient_checkpointing: ____,
    evaluation,
    ...identity
  } = config;
  // How often is measured changes no weight; what is held out is not trained on.
  const held = evaluation && { samples: evaluation.samples, file: evaluation.file };
  return sha256(JSON.stringify({ ...identity, evaluation: held }));
}

export function loadSftConfig(path: string): SftConfig {
  return parseSftConfig(readYaml(path), path);
}

/** @throws UserError for a file that cannot be read or is not YAML. */
export function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`Cannot read the configuration ${path}: ${messageOf(error)}.`);
  }
  try {
    return parse(text);
  } catch (error) {
    throw new UserError(`${path} is not valid YAML: ${messageOf(error)}`);
  }
}
