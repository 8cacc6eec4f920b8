import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MASKED } from '../graph/composites.js';
import { visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import type { HostTensor } from '../runtime/session.js';
import { askedStatesFeeds } from '../models/qwen2_5_vl/asked-rows.js';
import { answerTokens, collateExamples, type MicroBatch, microBatches } from './batches.js';
import { encodeSample, type TrainingExample } from './examples.js';
import { TaskLosses } from './metrics.js';
import { type SftGraph, sftGraph } from './sft-graph.js';
import { StepSession } from './step-session.js';
import { sharedFolder, type TinyModel, tinyModel, tinySource } from './tiny-model.test-util.js';
import { optimizedParameters } from './weights.js';

const scratch = sharedFolder();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await tinyModel(scratch);
});

const example = (length: number, answerLength = 1): TrainingExample => ({
  inputIds: Array.from({ length }, (_, i) => i + 1),
  answerLength,
  images: [],
  task: 'read',
});

const collated = (examples: readonly TrainingExample[], labelWeight = 1): MicroBatch =>
  collateExamples(examples, { config: tiny.config, padId: 0, labelWeight, images: 'tower' });

const numbers = ({ data }: HostTensor): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

/** Lengths are computed in steps of 16. */
const roundedUp = (length: number): number => Math.ceil(length / 16) * 16;
const computed = (rows: readonly TrainingExample[]): number =>
  rows.length * roundedUp(Math.max(...rows.map(({ inputIds }) => inputIds.length)));

describe('microBatches', () => {
  it('holds every example once, keeps like lengths together, and no part is larger than `size` of the longest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 99 })),
        fc.integer({ min: 1, max: 7 }),
        (lengths, size) => {
          const examples = lengths.map((length) => example(length));
          const batches = microBatches(examples, size);
          expect(new Set(batches.flat())).toEqual(new Set(examples));
          expect(batches.flat()).toHaveLength(examples.length);
          const limit = size * roundedUp(Math.max(0, ...lengths));
          for (const rows of batches) expect(computed(rows)).toBeLessThanOrEqual(limit);
          const flat = batches.flat().map(({ inputIds }) => inputIds.length);
          expect(flat).toEqual([...lengths].sort((a, b) => a - b));
        },
      ),
    );
  });

  it('cuts where the lengths part', () => {
    const short = Array.from({ length: 5 }, () => example(20));
    const long = Array.from({ length: 3 }, () => example(900));
    expect(microBatches([...long, ...short], 4)).toEqual([short, long]);
  });

  it('keeps the order of equals, so that a step is the same in every run', () => {
    const [a, b, c] = [example(3), example(2), example(3)];
    expect(microBatches([a, b, c], 3)).toEqual([[b, a, c]]);
    expect(microBatches([a, b, c], 3)[0][1]).toBe(a);
  });
});

describe('collateExamples', () => {
  it('equals the feeds made by hand', () => {
    const batch = collated([example(3, 2), example(5, 1)], 0.25);
    const { feeds } = batch;
    // Lengths are rounded up to 16.
    const pad = (ids: number[]): number[] => [...ids, ...Array.from({ length: 16 - ids.length }, () => 0)];
    expect(feeds.input_ids.shape).toEqual([2, 16]);
    expect(numbers(feeds.input_ids)).toEqual([...pad([1, 2, 3]), ...pad([1, 2, 3, 4, 5])]);
    // The position before a token predicts it. Positions count through the whole batch, and so do the places of those asked for.
    expect(feeds.asked_rows.shape).toEqual([2, 16]);
    const asked = numbers(feeds.asked_rows);
    expect([asked.slice(0, 3), asked.slice(16, 18)]).toEqual([
      [0, 1, 0],
      [19, 16],
    ]);
    expect(numbers(feeds.label_rows)).toEqual([0, 1, 16]);
    expect(numbers(feeds.labels)).toEqual([2, 3, 5]);
    expect(numbers(feeds.label_weights)).toEqual([0.25, 0.25, 0.25]);
    expect(feeds.position_ids.shape).toEqual([3, 2, 16]);
    expect(numbers(feeds.position_ids).slice(0, 3)).toEqual([0, 1, 2]);
    expect(feeds.mask.shape).toEqual([1, 1, 16, 16]);
    const mask = numbers(feeds.mask);
    const masked = Math.fround(MASKED);
    expect(mask.slice(0, 3)).toEqual([0, masked, masked]);
    expect(mask.slice(16 * 15).every((value) => value === 0)).toBe(true);
    expect([batch.tokens, batch.paddedTokens]).toEqual([8, 32]);
    expect(Object.keys(feeds)).not.toContain('patches');
  });

  it('lets some tokens count more, and the whole still count 1', () => {
    const examples = [example(3, 2), example(5, 1)];
    const weights = new Map([[3, 10]]);
    expect(answerTokens(examples)).toBe(3);
    expect(answerTokens(examples, weights)).toBe(12);
    const { feeds } = collateExamples(examples, {
      config: tiny.config,
      padId: 0,
      labelWeight: 1 / 12,
      tokenWeights: weights,
      images: 'tower',
    });
    // The labels are 2, 3 and 5.
    expect(numbers(feeds.label_weights)).toEqual([1 / 12, 10 / 12, 1 / 12].map(Math.fround));
  });

  it('feeds the tower, or only the places of the image tokens', async () => {
    const sample = await tinySource().sample(1);
    const own = encodeSample(tiny.processor, sample, { maxLength: 512, vocabSize: 1000 });
    const settings = { config: tiny.config, padId: 0, labelWeight: 1 } as const;
    const tower = collateExamples([own], { ...settings, images: 'tower' });
    const features = collateExamples([own], { ...settings, images: 'features' });
    const vision = visionFeeds(own.images, tiny.config);
    expect(tower.feeds.patches).toEqual(vision.patches);
    expect(tower.feeds.token_slots).toEqual(vision.tokenSlots);
    expect(tower.padded).toBe(vision.layout.padded);
    expect(Object.keys(features.feeds)).not.toContain('patches');
    expect(features.feeds.feature_index).toEqual(tower.feeds.feature_index);
    expect(features.images).toEqual(own.images);
    const pads = own.inputIds.filter((id) => id === tiny.config.imageTokenId).length;
    expect(Math.max(...numbers(tower.feeds.feature_index))).toBe(pads - 1);
  });

  it('gives the same mask again after many other lengths', () => {
    const first = numbers(collated([example(20)]).feeds.mask);
    for (let length = 33; length < 200; length += 16) collated([example(length)]);
    expect(numbers(collated([example(20)]).feeds.mask)).toEqual(first);
  });
});

describe('a step', () => {
  interface Step {
    readonly loss: number;
    readonly byTask: Record<string, number>;
    readonly optimized: readonly OptimizedParameter[];
  }

  const sessions = new Map<string, StepSession>();
  afterAll(async () => {
    for (const session of sessions.values()) await session.dispose();
  });

  /** Sessions take seconds to build, and none of them keeps anything between runs. */
  async function sessionFor(
    { images, padded, pieces }: MicroBatch,
    padding: 'right' | 'left',
  ): Promise<StepSession> {
    const options = {
      images: images.length > 0 ? 'tower' : 'none',
      padding: padding === 'right' ? 'right' : 'any',
      paddedSlots: padded,
      // On the left as one square: the same result, however a row attends.
      pieces: padding === 'right' ? pieces : 1,
    } as const;
    const key = JSON.stringify(options);
    const graph = (): SftGraph => sftGraph(tiny.config, { ...options, trainable: () => true });
    const session = sessions.get(key) ?? (await StepSession.create(graph(), tiny.weights, { threads: 1 }));
    sessions.set(key, session);
    return session;
  }

  /** Loss and gradients of all examples, computed in the given micro-batches. */
  async function stepOf(rows: readonly TrainingExample[][], padding: 'right' | 'left'): Promise<Step> {
    const { config, weights } = tiny;
    const labelWeight = 1 / answerTokens(rows.flat());
    const optimized = optimizedParameters(weights, [...weights.keys()], {
      optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 },
      visionLrRatio: 1,
    });
    const byName = new Map(optimized.map((parameter) => [parameter.name, parameter]));
    const byTask = new TaskLosses();
    let loss = 0;
    for (const examples of rows) {
      const right = collateExamples(examples, { config, padId: 0, labelWeight, images: 'tower' });
      const session = await sessionFor(right, padding);
      const part = await session.accumulate(
        padding === 'right' ? right.feeds : moveLeft(right.feeds),
        byName,
      );
      loss += part.loss;
      byTask.add(right, part.logProbs);
    }
    return { loss, byTask: byTask.means(), optimized };
  }

  /** The same batch with its padding on the left: every row turned by the number of its padding tokens. */
  function moveLeft(feeds: MicroBatch['feeds']): MicroBatch['feeds'] {
    const [batch, seq] = feeds.input_ids.shape;
    const ids = feeds.input_ids.data as BigInt64Array;
    const shift = Array.from({ length: batch }, (_, row) => {
      let length = seq;
      // A row ends in <|im_end|>, which is not 0.
      while (ids[row * seq + length - 1] === 0n) length--;
      return seq - length;
    });
    const turned = (tensor: HostTensor): HostTensor => {
      const data = tensor.data as BigInt64Array;
      const out = data.map((_, i) => {
        const row = Math.floor(i / seq);
        return data[row * seq + (((i % seq) - shift[row % batch] + seq) % seq)];
      });
      return { ...tensor, data: out };
    };
    const mask = new Float32Array(batch * seq * seq).fill(MASKED);
    for (let row = 0; row < batch; row++) {
      for (let to = shift[row]; to < seq; to++) {
        mask.fill(0, (row * seq + to) * seq + shift[row], (row * seq + to) * seq + to + 1);
      }
      // A padding position sees itself alone: a row of nothing but masks would still be defined, but says nothing.
      for (let to = 0; to < shift[row]; to++) mask[(row * seq + to) * seq + to] = 0;
    }
    const asked = numbers(feeds.asked_rows);
    const places = numbers(feeds.label_rows);
    const predicting = places.map((place) => asked[place] + shift[Math.floor(asked[place] / seq)]);
    const masked: HostTensor = { dtype: 'f32', shape: [batch, 1, seq, seq], data: mask };
    return {
      ...feeds,
      input_ids: turned(feeds.input_ids),
      position_ids: turned(feeds.position_ids),
      feature_index: turned(feeds.feature_index),
      ...askedStatesFeeds(predicting, { batch, mask: masked }),
      mask: masked,
    };
  }

  const largestDifference = (a: Step, b: Step): number =>
    Math.max(
      ...a.optimized.map(({ gradient }, i) => {
        const other = b.optimized[i].gradient;
        const scale = Math.max(...gradient.map(Math.abs), 1e-3);
        return Math.max(...gradient.map((value, k) => Math.abs(value - other[k]))) / scale;
      }),
    );

  const examplesOf = async (count: number): Promise<TrainingExample[]> => {
    const source = tinySource();
    const limits = { maxLength: 512, vocabSize: tiny.config.text.vocabSize };
    return Promise.all(
      Array.from({ length: count }, async (_, i) =>
        encodeSample(tiny.processor, await source.sample(i), limits),
      ),
    );
  };

  it('has the same loss and gradients in micro-batches as in one batch', async () => {
    const examples = await examplesOf(6);
    const whole = await stepOf([examples], 'right');
    const parts = await stepOf(microBatches(examples, 2), 'right');
    const singles = await stepOf(microBatches(examples, 1), 'right');
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(singles.loss).toBeCloseTo(whole.loss, 5);
    expect(largestDifference(whole, parts)).toBeLessThan(1e-4);
    expect(largestDifference(whole, singles)).toBeLessThan(1e-4);
    for (const [task, loss] of Object.entries(whole.byTask))
      expect(singles.byTask[task]).toBeCloseTo(loss, 4);
    // The loss is the mean over all answer tokens, so it lies between the tasks' means.
    expect(Math.min(...Object.values(whole.byTask))).toBeLessThan(whole.loss);
    expect(Math.max(...Object.values(whole.byTask))).toBeGreaterThan(whole.loss);
  });

  it('does not depend on the side of the padding', async () => {
    const examples = await examplesOf(4);
    const right = await stepOf([examples], 'right');
    const left = await stepOf([examples], 'left');
    expect(left.loss).toBeCloseTo(right.loss, 5);
    expect(largestDifference(right, left)).toBeLessThan(1e-4);
  });
});
