import { beforeAll, describe, expect, it } from 'vitest';
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { sharedFolder, type TinyModel, tinyModel } from './tiny-model.test-util.js';
import { fits, trainableNames } from './trainable.js';
import { initialWeights, optimizedParameters, readWeights } from './weights.js';

const scratch = sharedFolder();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await tinyModel(scratch);
});

describe('fits', () => {
  it('takes * for any characters and everything else as it is', () => {
    expect(fits('visual.*', 'visual.merger.ln_q.weight')).toBe(true);
    expect(fits('visual.*', 'model.visual.x')).toBe(false);
    expect(fits('*.bias', 'model.layers.0.q_proj.bias')).toBe(true);
    expect(fits('model.layers.*.mlp.*', 'model.layers.10.mlp.up_proj.weight')).toBe(true);
    expect(fits('model.norm', 'model.norm.weight')).toBe(false);
    expect(fits('modelxnorm.weight', 'model.norm.weight')).toBe(false);
    expect(fits('a.b', 'axb')).toBe(false);
    expect(fits('(*', '(x')).toBe(true);
  });
});

describe('trainableNames', () => {
  const names = ['visual.merger.mlp.0.weight', 'model.embed_tokens.weight', 'model.norm.weight'];

  it('leaves a frozen tower out, and takes what the patterns name', () => {
    expect(trainableNames(names, { vision: 'trained' })).toEqual(names);
    expect(trainableNames(names, { vision: 'frozen' })).toEqual(names.slice(1));
    const trainable = ['model.norm.*', 'visual.*'];
    expect(trainableNames(names, { vision: 'trained', trainable })).toEqual([names[0], names[2]]);
  });

  it('refuses patterns that name nothing', () => {
    expect(() => trainableNames(names, { vision: 'trained', trainable: ['lm_head.*'] })).toThrow(
      "trainable: no weight's name fits 'lm_head.*'; names look like model.layers.0.",
    );
    expect(() => trainableNames(names, { vision: 'frozen', trainable: ['*', 'visual.*'] })).toThrow(
      "'visual.*' fits weights of the vision tower only, which is frozen: set vision: trained.",
    );
  });
});

describe('optimizedParameters', () => {
  const optimizer = { lr: 0.1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.2 } as const;
  const settingsOf = (groups?: { match: string; lr?: number; weightDecay?: number }[]) => {
    const names = [...tiny.weights.keys()];
    const made = optimizedParameters(tiny.weights, names, { optimizer, visionLrRatio: 0.5, groups });
    return new Map(made.map(({ name, settings }) => [name, [settings.lr, settings.weightDecay]]));
  };

  it('decays matrices only, and slows the tower down', () => {
    const settings = settingsOf();
    expect(settings.get('model.layers.0.self_attn.q_proj.weight')).toEqual([0.1, 0.2]);
    expect(settings.get('model.layers.0.self_attn.q_proj.bias')).toEqual([0.1, 0]);
    expect(settings.get('model.norm.weight')).toEqual([0.1, 0]);
    expect(settings.get('visual.patch_embed.proj.weight')).toEqual([0.05, 0.2]);
    expect(settings.get('visual.merger.ln_q.weight')).toEqual([0.05, 0]);
  });

  it('lets the first group that fits decide', () => {
    const settings = settingsOf([
      { match: 'visual.merger.*', lr: 0.3 },
      { match: 'visual.*', weightDecay: 0.7 },
      { match: 'model.embed_tokens.weight', lr: 0.01, weightDecay: 0 },
    ]);
    expect(settings.get('visual.merger.mlp.0.weight')).toEqual([0.3, 0.2]);
    // A group without a rate keeps the tower's; a vector is decayed by no group.
    expect(settings.get('visual.patch_embed.proj.weight')).toEqual([0.05, 0.7]);
    expect(settings.get('visual.blocks.0.norm1.weight')).toEqual([0.05, 0]);
    expect(settings.get('model.embed_tokens.weight')).toEqual([0.01, 0]);
    expect(settings.get('model.norm.weight')).toEqual([0.1, 0]);
  });

  it('refuses a group for nothing', () => {
    expect(() => settingsOf([{ match: 'model.head', lr: 1 }])).toThrow(
      "optimizer.groups: no trained weight's name fits 'model.head'.",
    );
  });
});

describe('initialWeights', () => {
  it('begins norms at 1, biases at 0 and matrices with the spread of the config', () => {
    const weights = initialWeights(tiny.config, 1);
    expect(new Set(weights.get('model.norm.weight')?.data)).toEqual(new Set([1]));
    expect(new Set(weights.get('model.layers.0.self_attn.q_proj.bias')?.data)).toEqual(new Set([0]));
    const { data } = weights.get('model.embed_tokens.weight') ?? { data: new Float32Array() };
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const spread = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
    expect(mean).toBeCloseTo(0, 1);
    expect(spread / tiny.config.initializerRange).toBeCloseTo(1, 1);
  });

  it('gives the same weights for a seed, which a checkpoint keeps to the bit', async () => {
    const [again, other] = [initialWeights(tiny.config, 7), initialWeights(tiny.config, 8)];
    expect(again).toEqual(tiny.weights);
    expect(other.get('model.embed_tokens.weight')).not.toEqual(tiny.weights.get('model.embed_tokens.weight'));
    const checkpoint = await Checkpoint.open(tiny.folder);
    expect(readWeights(checkpoint, tiny.config)).toEqual(again);
    checkpoint.close();
  });
});
