import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { UserError } from '../util/errors.js';
import { loadGrpoConfig } from './grpo/config.js';
import { layersBetweenStates, loadSftConfig, parseSftConfig, runIdentity } from './config.js';

/** The tiny model's first stage as its checkpoints know it: a change to this hash would end every run under way. */
const FIRST_STAGE = `
model: runs/out/tiny/init
output: runs/out/tiny/1-see-and-read
seed: 1
steps: 1500
batch_size: 48
micro_batch_size: 16
max_length: 640
vision: trained
optimizer: { lr: 1.5e-3, betas: [0.9, 0.95], weight_decay: 0.05, max_grad_norm: 1 }
schedule: { kind: constant, warmup_steps: 50 }
data:
  source: iconworld
  tasks: { reading: 0.7, caption: 0.3 }
  curriculum: [[0, 1], [0.06, 2], [0.15, 4], [0.35, 8]]
checkpoint: { every_steps: 100, keep: 2 }
`;
const FIRST_STAGE_IDENTITY = '9abb8d8414862f41bb5bd42940ffa5176a35f863665e85f486bc5ae9c18bad46';

const least = {
  model: 'm',
  output: 'o',
  steps: 1,
  batch_size: 4,
  micro_batch_size: 2,
  optimizer: { lr: 1 },
  data: { source: 'jsonl', file: 'f' },
};

describe('parseSftConfig', () => {
  it('takes weights of words for answers alone', () => {
    const token_weights = { ' banned': 40 };
    expect(parseSftConfig({ ...least, token_weights })).toMatchObject({ token_weights });
    expect(() => parseSftConfig({ ...least, token_weights: { yes: 0 } })).toThrow(/token_weights\.yes/);
    expect(() =>
      parseSftConfig({ ...least, token_weights, objective: 'cells', vision: 'trained' }, 'run.yaml'),
    ).toThrow('run.yaml: the objective cells learns no answers: leave token_weights out.');
  });

  it('fills in what a file leaves out', () => {
    expect(parseSftConfig(least)).toEqual({
      ...least,
      seed: 0,
      max_length: 4096,
      vision: 'frozen',
      vision_lr_ratio: 1,
      optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.1, max_grad_norm: 1 },
      schedule: { kind: 'cosine', warmup_steps: 0, min_ratio: 0 },
      checkpoint: { every_steps: 200, keep: 2 },
    });
  });

  it('takes groups, names to train and the size of the cache', () => {
    const settings = {
      trainable: ['model.*'],
      image_cache_mb: 64,
      optimizer: { lr: 1, groups: [{ match: 'model.embed_tokens.*', lr: 0.1, weight_decay: 0 }] },
    };
    expect(parseSftConfig({ ...least, ...settings })).toMatchObject(settings);
  });

  it.each([
    [{ learning_rate: 1 }, "there is no setting 'learning_rate'"],
    [{ optimizer: { lr: 1, momentum: 0 } }, "there is no setting 'optimizer.momentum'"],
    [
      { optimizer: { lr: 1, groups: [{ match: 'a', rate: 1 }] } },
      "there is no setting 'optimizer.groups.0.rate'",
    ],
    [{ data: { source: 'jsonl', file: 'f', shuffle: true } }, "there is no setting 'data.shuffle'"],
    [{ data: { source: 'parquet' } }, "data.source: 'source' must be iconworld or jsonl"],
    [{ optimizer: { lr: -1 } }, 'optimizer.lr: Too small: expected number to be >0'],
    [{ gradient_checkpointing: 0 }, 'gradient_checkpointing: Too small: expected number to be >0'],
    [{ gradient_checkpointing: 'all' }, 'gradient_checkpointing: must be true, false or a number of layers'],
    [{ vision: 'half' }, 'vision: Invalid option: expected one of "frozen"|"trained"'],
    [{ steps: '10' }, 'steps: Invalid input: expected number, received string'],
    [{ micro_batch_size: 3 }, 'batch_size must be a multiple of micro_batch_size'],
    [{ trainable: [] }, 'trainable: Too small'],
    [
      { data: { source: 'iconworld', tasks: { caption: 1 }, curriculum: [[0.5, 2]] } },
      'data.curriculum must begin with a share of 0 and go on with larger ones',
    ],
    [
      {
        data: {
          source: 'iconworld',
          tasks: { caption: 1 },
          curriculum: [
            [0, 1],
            [0.5, 2],
            [0.5, 3],
          ],
        },
      },
      'data.curriculum must begin with a share of 0',
    ],
  ])('refuses %j', (settings, message) => {
    expect(() => parseSftConfig({ ...least, ...settings }, 'run.yaml')).toThrow(UserError);
    expect(() => parseSftConfig({ ...least, ...settings }, 'run.yaml')).toThrow(message);
  });

  it('names every mistake at once', () => {
    const wrong = { ...least, seeds: 1, steps: 0 };
    expect(() => parseSftConfig(wrong, 'run.yaml')).toThrow(
      /^run\.yaml is not valid: steps: Too small.*; there is no setting 'seeds'\.$/,
    );
  });
});

describe('runIdentity', () => {
  it('stays what running stages have stored', () => {
    expect(runIdentity(parseSftConfig(parse(FIRST_STAGE)))).toBe(FIRST_STAGE_IDENTITY);
  });

  it('changes with what decides the numbers and with nothing else', () => {
    const identity = (settings: object): string => runIdentity(parseSftConfig({ ...least, ...settings }));
    const plain = identity({});
    for (const same of [
      { output: 'p' },
      { checkpoint: { keep: 9 } },
      { image_cache_mb: 1 },
      { gradient_checkpointing: 2 },
      { seed: 0 },
    ]) {
      expect(identity(same)).toBe(plain);
    }
    for (const other of [{ seed: 1 }, { steps: 2 }, { trainable: ['*'] }, { threads: 2 }, { model: 'n' }]) {
      expect(identity(other)).not.toBe(plain);
    }
  });
});

describe('layersBetweenStates', () => {
  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, 1],
    [3, 3],
  ])('makes of %s %s', (setting, layers) => {
    expect(layersBetweenStates(setting)).toBe(layers);
  });
});

describe('loadSftConfig', () => {
  it('says which file cannot be read or is no YAML', () => {
    const folder = scratchFolder();
    const path = join(folder, 'run.yaml');
    expect(() => loadSftConfig(path)).toThrow(/^Cannot read the configuration .*run\.yaml: ENOENT/);
    writeFileSync(path, 'a: [1,\nb: 2');
    expect(() => loadSftConfig(path)).toThrow(/run\.yaml is not valid YAML: /);
    writeFileSync(path, '');
    expect(() => loadSftConfig(path)).toThrow(/run\.yaml is not valid: the whole file: .*expected object/);
  });

  it('reads the stages of the tiny model', () => {
    const stages = readdirSync('runs/tiny').filter((name) => name.endsWith('.yaml'));
    expect(stages).toContain('14-grpo.yaml');
    for (const stage of stages) {
      const path = join('runs/tiny', stage);
      const { data } = stage.endsWith('-grpo.yaml') ? loadGrpoConfig(path) : loadSftConfig(path);
      expect(data.source).toBe(stage.endsWith('-recaption.yaml') ? 'jsonl' : 'iconworld');
    }
  });
});
