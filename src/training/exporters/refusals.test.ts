/**
 * Every setting is tried with every value that a rule of some table tells apart. What a table says its engine lacks must be
 * refused by an export that asks for it; the lists at the end are what the tables lack, in words of their own.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSftConfig, type SftConfig } from '../config.js';
import { type GrpoConfig, parseGrpoConfig } from '../grpo/config.js';
import { AGGREGATIONS, LOSS_TYPES, RATIO_LEVELS, REWARD_SCALES } from '../grpo/loss-types.js';
import { sharedFolder } from '../tiny-model.test-util.js';
import { GRPO_ENGINES, type GrpoEngine, SFT_ENGINES, type SftEngine } from './engines.js';
import { exportGrpo, exportSft } from './export.js';
import { FITTING, SFT_RUN } from './fitting.test-util.js';
import { mappedSettings, namedSettings, type SettingTable } from './settings.js';

type Settings = Readonly<Record<string, unknown>>;
/** Settings to lay over a configuration that the engine takes, in all ways worth trying. */
type Trials<Config> = Readonly<Record<keyof SettingTable<Config>, readonly Settings[]>>;

/** Found at its default or in the configuration that is laid under. */
const AS_IT_IS: readonly Settings[] = [{}];

const inSection = (section: string, values: readonly Settings[]): Settings[] =>
  values.map((settings) => ({ [section]: settings }));
const optimizers = (...values: readonly Settings[]): Settings[] =>
  inSection(
    'optimizer',
    values.map((settings) => ({ lr: 1e-6, weight_decay: 0, ...settings })),
  );
const adapters = (...values: readonly Settings[]): Settings[] =>
  inSection(
    'lora',
    values.map((settings) => ({ r: 8, alpha: 16, ...settings })),
  );

const KINDS = ['constant', 'linear', 'cosine'];
const SCHEDULES = KINDS.flatMap((kind) => [0, 0.1].map((min_ratio) => ({ schedule: { kind, min_ratio } })));
const WARMED = { schedule: { kind: 'constant', warmup_steps: 5 } };

const SHARED = {
  model: AS_IT_IS,
  output: AS_IT_IS,
  seed: AS_IT_IS,
  data: AS_IT_IS,
  steps: AS_IT_IS,
  vision: [
    { vision: 'frozen' },
    { vision: 'frozen', lora: undefined },
    { vision: 'trained', lora: undefined },
  ],
  vision_lr_ratio: [{ vision_lr_ratio: 1 }, { vision_lr_ratio: 0.5 }],
  trainable: [{ trainable: ['model.*'], lora: undefined }],
  threads: [{ threads: 1 }],
  image_cache_mb: [{ image_cache_mb: 1 }],
  gradient_checkpointing: [{ gradient_checkpointing: true }],
  'lora.r': adapters({}),
  'lora.alpha': adapters({ alpha: 16 }, { alpha: 16.5 }),
  'lora.rslora': adapters({ rslora: false }, { rslora: true }),
  'lora.target_modules': adapters({ target_modules: 'all-linear' }, { target_modules: ['q_proj'] }),
  'optimizer.lr': optimizers({}),
  'optimizer.betas': optimizers({}),
  'optimizer.eps': optimizers({}),
  'optimizer.weight_decay': optimizers({ weight_decay: 0 }, { weight_decay: 0.1 }).flatMap((settings) => [
    settings,
    ...['frozen', 'trained'].map((vision) => ({ ...settings, vision, lora: undefined })),
  ]),
  'optimizer.max_grad_norm': optimizers({}),
  'optimizer.groups': optimizers({ groups: [{ match: 'model.*', lr: 1e-5 }] }),
  'schedule.kind': SCHEDULES,
  'schedule.warmup_steps': [WARMED],
  'schedule.min_ratio': SCHEDULES,
  'checkpoint.every_steps': AS_IT_IS,
  'checkpoint.keep': AS_IT_IS,
} as const;

const GRPO_TRIALS: Trials<GrpoConfig> = {
  ...SHARED,
  prompts_per_step: AS_IT_IS,
  num_generations: AS_IT_IS,
  batches: [{ batches: 1 }, { batches: 2 }],
  num_iterations: [{ num_iterations: 1 }, { num_iterations: 2 }],
  micro_groups: AS_IT_IS,
  max_completion_length: AS_IT_IS,
  temperature: AS_IT_IS,
  top_p: AS_IT_IS,
  top_k: [{ top_k: 0 }, { top_k: 50 }],
  loss_type: LOSS_TYPES.flatMap((loss_type) =>
    [1, 2].flatMap((batches) =>
      RATIO_LEVELS.map((importance_sampling_level) => ({ loss_type, batches, importance_sampling_level })),
    ),
  ),
  importance_sampling_level: RATIO_LEVELS.map((level) => ({ importance_sampling_level: level })),
  epsilon: AS_IT_IS,
  epsilon_high: [{ epsilon_high: 0.28 }],
  delta: [{ delta: 1.1 }, { delta: 4 }, { delta: 4, importance_sampling_level: 'sequence' }],
  beta: [{ beta: 0 }, { beta: 0.01 }],
  scale_rewards: REWARD_SCALES.map((scale) => ({ scale_rewards: scale })),
  multi_objective_aggregation: AGGREGATIONS.map((one) => ({ multi_objective_aggregation: one })),
  rewards: [
    { rewards: { label: 1 } },
    { rewards: { length: 1 } },
    { rewards: { category: 1, quote: 1 } },
    { rewards: { label: 1, policyshift_pair: 1 } },
  ],
  remote_rewards: [{ rewards: { own: 1 }, remote_rewards: { own: { url: 'http://host:1' } } }],
  dynamic_sampling: [{ dynamic_sampling: 0 }, { dynamic_sampling: 3 }],
  mask_truncated_completions: [{ mask_truncated_completions: false }, { mask_truncated_completions: true }],
  max_steps_without_signal: [{ max_steps_without_signal: 5 }],
  max_truncated_steps: [{ max_truncated_steps: 5 }],
  keep_completions_every: [{ keep_completions_every: 2 }],
  profile: [{ profile: 'card' }],
  'lora.dropout': adapters({}),
  'schedule.kind': [...SCHEDULES, ...SCHEDULES.map((settings) => ({ ...settings, num_iterations: 2 }))],
  'schedule.warmup_steps': [WARMED, { ...WARMED, num_iterations: 2 }],
  'evaluation.every_steps': inSection('evaluation', [{ every_steps: 5 }]),
  'evaluation.prompts': inSection('evaluation', [{ prompts: 5 }]),
  'evaluation.patience': inSection('evaluation', [{ patience: 0 }, { patience: 3 }]),
  'evaluation.select': inSection('evaluation', [{ select: 'reward' }]),
};

const SFT_TRIALS: Trials<SftConfig> = {
  ...SHARED,
  batch_size: AS_IT_IS,
  micro_batch_size: AS_IT_IS,
  max_length: AS_IT_IS,
  objective: [{ objective: 'answers' }, { objective: 'cells', vision: 'trained' }],
  token_weights: [{ token_weights: { yes: 2 } }],
  'lora.dropout': adapters({ dropout: 0.1 }),
  'evaluation.every_steps': inSection('evaluation', [{ every_steps: 5 }]),
  'evaluation.samples': inSection('evaluation', [{ samples: 5 }]),
  'evaluation.file': [
    { evaluation: { file: 'held-out.jsonl' }, data: { source: 'jsonl', file: 'data.jsonl' } },
  ],
};

const GRPO_BASE: Settings = {
  preset: 'paper-exact',
  model: 'somebody/model',
  output: 'out',
  steps: 2,
  optimizer: { lr: 1e-6 },
  data: { source: 'iconworld' },
};

const SFT_BASE: Settings = {
  model: 'somebody/model',
  output: 'out',
  ...SFT_RUN,
};

const scratch = sharedFolder();
const options = (json: Settings) => ({ file: 'run.yaml', json, folder: join(scratch, 'refused') });
const noData = (): Promise<never> => Promise.reject(new Error('a refused export asked for its data'));

interface Engine<Config extends object> {
  readonly title: string;
  readonly table: SettingTable<Config>;
  readonly base: Settings;
  readonly parse: (json: Settings) => Config;
  readonly write: (config: Config, json: Settings) => Promise<unknown>;
}

function wrongIn<Config extends object>(config: Config, json: Settings, table: SettingTable<Config>) {
  const lines = mappedSettings(config, table);
  const named = namedSettings(json);
  const wrong = lines.filter(
    ({ path, translation: { kind } }) => kind === 'lacks' || (kind === 'unwatched' && named.has(path)),
  );
  return { lines, wrong };
}

/** Everything that the table lacks among the trials, each as `setting: value`, after the export refused it. */
async function refused<Config extends object>(
  { title, table, base, parse, write }: Engine<Config>,
  trials: Trials<Config>,
): Promise<string[]> {
  const lacking = new Set<string>();
  expect(Object.keys(trials).sort()).toEqual(Object.keys(table).sort());
  // What is laid under every trial is nothing to refuse.
  expect(wrongIn(parse(base), base, table).wrong).toEqual([]);
  for (const [path, ways] of Object.entries<readonly Settings[]>(trials)) {
    for (const settings of ways) {
      const json = { ...base, ...settings };
      const config = parse(json);
      const { lines, wrong } = wrongIn(config, json, table);
      expect(lines.map((line) => line.path)).toContain(path);
      if (wrong.length === 0) continue;
      const message = await write(config, json).then(String, String);
      expect(message).toContain(`UserError: run.yaml cannot be handed to ${title} with the same meaning. `);
      for (const { path: at, value, translation } of wrong) {
        const why = 'why' in translation ? translation.why : '';
        expect(why).not.toBe('');
        expect(message).toContain(`${at} (${JSON.stringify(value)}): ${why}.`);
        lacking.add(`${at}: ${JSON.stringify(value)}`);
      }
      expect(existsSync(join(scratch, 'refused'))).toBe(false);
    }
  }
  return [...lacking].sort();
}

/** What no engine has. */
const NOWHERE = [
  'optimizer.groups: [{"match":"model.*","lr":0.00001}]',
  'optimizer.weight_decay: 0.1',
  'schedule.kind: "linear"',
  'trainable: ["model.*"]',
];

/** What no engine has in GRPO. */
const NOWHERE_IN_GRPO = [
  ...NOWHERE,
  'evaluation.patience: 3',
  'evaluation.select: "reward"',
  'keep_completions_every: 2',
  'max_steps_without_signal: 5',
  'max_truncated_steps: 5',
  'rewards: {"category":1,"quote":1}',
  'rewards: {"label":1,"policyshift_pair":1}',
];

const EXPECTED_GRPO: Readonly<Record<GrpoEngine, readonly string[]>> = {
  'ms-swift': [
    ...NOWHERE_IN_GRPO,
    'evaluation.every_steps: 5',
    'evaluation.patience: 0',
    'evaluation.prompts: 5',
    'loss_type: "bnpo"',
    'loss_type: "cispo"',
    'loss_type: "dapo"',
  ],
  trl: [
    ...NOWHERE_IN_GRPO,
    'dynamic_sampling: 3',
    'evaluation.every_steps: 5',
    'evaluation.patience: 0',
    'evaluation.prompts: 5',
    'loss_type: "bnpo"',
    'vision_lr_ratio: 0.5',
  ],
  verl: [
    ...NOWHERE_IN_GRPO,
    'delta: 1.1',
    'delta: 4',
    'dynamic_sampling: 3',
    'lora.rslora: true',
    'loss_type: "cispo"',
    'loss_type: "dapo"',
    'mask_truncated_completions: true',
    'multi_objective_aggregation: "normalize_then_sum"',
    'rewards: {"length":1}',
    'scale_rewards: "batch"',
    'schedule.kind: "cosine"',
    'schedule.warmup_steps: 5',
    'vision: "frozen"',
    'vision_lr_ratio: 0.5',
  ],
  openrlhf: [
    ...NOWHERE_IN_GRPO,
    'delta: 1.1',
    'dynamic_sampling: 3',
    'lora.alpha: 16.5',
    'lora.rslora: true',
    'lora.target_modules: "all-linear"',
    'lora.target_modules: ["q_proj"]',
    'loss_type: "bnpo"',
    'loss_type: "cispo"',
    'loss_type: "dapo"',
    'loss_type: "dr_grpo"',
    'mask_truncated_completions: true',
    'multi_objective_aggregation: "normalize_then_sum"',
    'rewards: {"length":1}',
    'scale_rewards: "batch"',
    'top_k: 50',
    'vision_lr_ratio: 0.5',
  ],
};

const EXPECTED_SFT: Readonly<Record<SftEngine, readonly string[]>> = {
  'ms-swift': [...NOWHERE, 'objective: "cells"', 'token_weights: {"yes":2}'],
  trl: [...NOWHERE, 'objective: "cells"', 'token_weights: {"yes":2}', 'vision_lr_ratio: 0.5'],
};

describe('an export that asks for what its engine lacks is refused', () => {
  it.each(Object.keys(GRPO_ENGINES) as GrpoEngine[])('GRPO with %s', async (name) => {
    const { title, table } = GRPO_ENGINES[name];
    const engine: Engine<GrpoConfig> = {
      title,
      table,
      base: { ...GRPO_BASE, ...FITTING[name] },
      parse: parseGrpoConfig,
      write: (config, json) => exportGrpo(name, config, noData, options(json)),
    };
    expect(await refused(engine, GRPO_TRIALS)).toEqual([...EXPECTED_GRPO[name]].sort());
  });

  it.each(Object.keys(SFT_ENGINES) as SftEngine[])('SFT with %s', async (name) => {
    const { title, table } = SFT_ENGINES[name];
    const engine: Engine<SftConfig> = {
      title,
      table,
      base: SFT_BASE,
      parse: parseSftConfig,
      write: (config, json) => exportSft(name, config, noData, options(json)),
    };
    expect(await refused(engine, SFT_TRIALS)).toEqual([...EXPECTED_SFT[name]].sort());
  });
});
