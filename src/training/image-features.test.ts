import { beforeAll, describe, expect, it } from 'vitest';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import { collateExamples } from './batches.js';
import { encodeSample } from './examples.js';
import { FeatureCache, FrozenVision } from './image-features.js';
import { sftGraph } from './sft-graph.js';
import { StepSession } from './step-session.js';
import { noise, sharedFolder, type TinyModel, tinyModel, tinySource } from './tiny-model.test-util.js';
import { isVision } from './trainable.js';
import { optimizedParameters } from './weights.js';

const scratch = sharedFolder();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await tinyModel(scratch);
});

const processed = (width: number, height: number, seed: number): ProcessedImage =>
  tiny.processor.imageProcessor.preprocess(noise(width, height, seed));

describe('FeatureCache', () => {
  const four = (value: number): Float32Array => new Float32Array(4).fill(value);

  it('forgets what was asked for longest ago when it is full', () => {
    const cache = new FeatureCache(32);
    cache.set('a', four(1));
    cache.set('b', four(2));
    expect(cache.get('a')?.[0]).toBe(1);
    cache.set('c', four(3));
    expect(cache.get('b')).toBeUndefined();
    expect([cache.get('a')?.[0], cache.get('c')?.[0]]).toEqual([1, 3]);
  });

  it('keeps nothing larger than itself, and nothing at a size of 0', () => {
    const cache = new FeatureCache(32);
    cache.set('a', four(1));
    cache.set('large', new Float32Array(9));
    expect(cache.get('large')).toBeUndefined();
    expect(cache.get('a')).toBeDefined();
    const none = new FeatureCache(0);
    none.set('a', four(1));
    expect(none.get('a')).toBeUndefined();
  });
});

describe('FrozenVision', () => {
  it('runs the tower once an image, and gives the same bits with and without cache', async () => {
    const [a, b] = [processed(56, 56, 1), processed(84, 28, 2)];
    const cached = await FrozenVision.create(tiny.config, tiny.weights, { threads: 1 });
    const first = await cached.features([a, b]);
    // The same pixels in another object, among other neighbours.
    const again = await cached.features([b, processed(56, 56, 1), b]);
    expect(cached.computed).toBe(2);
    const uncached = await FrozenVision.create(tiny.config, tiny.weights, { threads: 1, cacheMegabytes: 0 });
    const plain = await uncached.features([b, a, b]);
    await uncached.features([a]);
    expect(uncached.computed).toBe(4);
    expect(again).toEqual(plain);
    expect(first.shape).toEqual([4 + 3, tiny.config.vision.outHiddenSize]);
    await cached.dispose();
    await uncached.dispose();
  });

  it('tells images of the same pixels and another shape apart', async () => {
    const vision = await FrozenVision.create(tiny.config, tiny.weights, { threads: 1 });
    const { pixelValues } = processed(56, 84, 3);
    await vision.features([
      { pixelValues, grid: [1, 4, 6] },
      { pixelValues, grid: [1, 6, 4] },
    ]);
    expect(vision.computed).toBe(2);
    await vision.dispose();
  });

  it('gives the loss and the gradients that the tower in the step gives', async () => {
    const { config, weights, processor } = tiny;
    const source = tinySource();
    const limits = { maxLength: 512, vocabSize: config.text.vocabSize };
    const samples = await Promise.all([1, 3, 5, 6].map((index) => source.sample(index)));
    const examples = samples.map((sample) => encodeSample(processor, sample, limits));
    const names = [...weights.keys()].filter((name) => !isVision(name));
    const vision = await FrozenVision.create(config, weights, { threads: 1 });
    const step = async (images: 'tower' | 'features'): Promise<[number, OptimizedParameter[]]> => {
      const batch = collateExamples(examples, { config, padId: 0, labelWeight: 0.1, images });
      const graph = sftGraph(config, {
        images,
        padding: 'right',
        paddedSlots: batch.padded,
        pieces: batch.pieces,
        trainable: (name) => !isVision(name),
      });
      const optimized = optimizedParameters(weights, names, {
        optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 },
        visionLrRatio: 1,
      });
      const session = await StepSession.create(graph, weights, { threads: 1 });
      const feeds = { ...batch.feeds };
      if (images === 'features') feeds.features = await vision.features(batch.images);
      const byName = new Map(optimized.map((parameter) => [parameter.name, parameter]));
      const { loss } = await session.accumulate(feeds, byName);
      await session.dispose();
      // Frozen, the tower is no part of the step at all.
      expect([...graph.parameters.keys()].some(isVision)).toBe(images === 'tower');
      return [loss, optimized];
    };
    const [towerLoss, tower] = await step('tower');
    const [featureLoss, features] = await step('features');
    expect(featureLoss).toBeCloseTo(towerLoss, 5);
    tower.forEach(({ gradient, name }, i) => {
      const scale = Math.max(...gradient.map(Math.abs), 1e-3);
      const worst = Math.max(...gradient.map((value, k) => Math.abs(value - features[i].gradient[k])));
      expect({ name, fits: worst / scale < 1e-4 }).toEqual({ name, fits: true });
    });
    await vision.dispose();
  });
});
