/** @module Micro-batches: examples of like length side by side, padded on the right, as feeds of the SFT graph. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { causalFeed, featureIndex, visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import { getRopeIndex } from '../models/qwen2_5_vl/rope-index.js';
import { askedStatesFeeds } from '../models/qwen2_5_vl/asked-rows.js';
import { LENGTH_STEP, piecesOf } from '../models/qwen2_5_vl/text.js';
import type { TrainingExample } from './examples.js';
import type { Feeds, ObjectiveBatch } from './objective.js';

export interface MicroBatch extends ObjectiveBatch {
  readonly images: readonly ProcessedImage[];
  /** Whether the vision tower's slots hold padding. */
  readonly padded: boolean;
  /** Pieces in which the rows attend. */
  readonly pieces: number;
}

/** What a pass costs besides its tokens, in tokens: every weight's gradient is written and added once more. */
const PASS_COST = 256;

/** Rounded up, so that pieces divide it, few different shapes occur and buffers are found again. */
const paddedLength = (length: number): number => Math.ceil(length / LENGTH_STEP) * LENGTH_STEP;

/**
 * Sorts by length and cuts where the least padding is computed. No micro-batch has more padded tokens than `size` rows
 * of the longest example would. Order within equals is kept.
 */
export function microBatches(examples: readonly TrainingExample[], size: number): TrainingExample[][] {
  const sorted = [...examples].sort((a, b) => a.inputIds.length - b.inputIds.length);
  const lengths = sorted.map((example) => paddedLength(example.inputIds.length));
  const limit = size * (lengths.at(-1) ?? 0);
  // best[end]: the least cost of the first `end` examples, and where their last micro-batch starts.
  const best: { cost: number; start: number }[] = [{ cost: 0, start: 0 }];
  for (let end = 1; end <= lengths.length; end++) {
    let chosen = { cost: Number.POSITIVE_INFINITY, start: end - 1 };
    for (let start = end - 1; start >= 0; start--) {
      const tokens = (end - start) * lengths[end - 1];
      if (tokens > limit) break;
      const cost = best[start].cost + tokens + PASS_COST;
      if (cost < chosen.cost) chosen = { cost, start };
    }
    best.push(chosen);
  }
  const out: TrainingExample[][] = [];
  for (let end = sorted.length; end > 0; end = best[end].start)
    out.unshift(sorted.slice(best[end].start, end));
  return out;
}

/** What some ids count in the loss; every other one counts 1. */
export type TokenWeights = ReadonlyMap<number, number>;

const NO_WEIGHTS: TokenWeights = new Map();

/** How much all answer tokens count together. */
export function answerTokens(
  examples: readonly TrainingExample[],
  weights: TokenWeights = NO_WEIGHTS,
): number {
  const plain = examples.reduce((sum, example) => sum + example.answerLength, 0);
  if (weights.size === 0) return plain;
  return examples.reduce(
    (total, { inputIds, answerLength }) =>
      inputIds.slice(-answerLength).reduce((sum, id) => sum + (weights.get(id) ?? 1), total),
    0,
  );
}

export interface CollateSettings {
  readonly config: Qwen2_5_VLConfig;
  readonly padId: number;
  /**
   * What one answer token counts in the loss: 1 / {@link answerTokens} of the whole step, so that accumulated
   * micro-batches give the step's token mean.
   */
  readonly labelWeight: number;
  /** Multiplies it. */
  readonly tokenWeights?: TokenWeights;
  /** `tower`: feed the vision tower with patches. `features`: leave the images to whoever computes their features. */
  readonly images: 'tower' | 'features';
}

/** The feeds of one micro-batch, padded on the right. */
export function collateExamples(
  examples: readonly TrainingExample[],
  { config, padId, labelWeight, tokenWeights = NO_WEIGHTS, images: imagePath }: CollateSettings,
): MicroBatch {
  const batch = examples.length;
  const longest = Math.max(...examples.map((example) => example.inputIds.length));
  const seq = paddedLength(longest);
  const inputIds = new BigInt64Array(batch * seq).fill(BigInt(padId));
  const attentionMask = new BigInt64Array(batch * seq);
  const predicting: number[] = [];
  const labels: bigint[] = [];
  examples.forEach((example, row) => {
    example.inputIds.forEach((id, i) => {
      inputIds[row * seq + i] = BigInt(id);
      attentionMask[row * seq + i] = 1n;
    });
    const { length } = example.inputIds;
    for (let i = length - example.answerLength; i < length; i++) {
      predicting.push(row * seq + i - 1);
      labels.push(BigInt(example.inputIds[i]));
    }
  });
  const images = examples.flatMap((example) => example.images);
  const { positionIds } = getRopeIndex({
    inputIds,
    attentionMask,
    batch,
    seq,
    grids: images.map((image) => image.grid),
    config,
  });
  const mask = causalFeed(seq);
  const feeds: Feeds = {
    input_ids: { dtype: 'i64', shape: [batch, seq], data: inputIds },
    position_ids: { dtype: 'i64', shape: [3, batch, seq], data: positionIds },
    mask,
    ...askedStatesFeeds(predicting, { batch, mask }),
    labels: { dtype: 'i64', shape: [labels.length], data: BigInt64Array.from(labels) },
    label_weights: {
      dtype: 'f32',
      shape: [labels.length],
      data: Float32Array.from(labels, (id) => labelWeight * (tokenWeights.get(Number(id)) ?? 1)),
    },
  };
  let padded = false;
  if (images.length > 0) {
    feeds.feature_index = {
      dtype: 'i64',
      shape: [batch, seq],
      data: featureIndex(inputIds, config.imageTokenId),
    };
  }
  if (images.length > 0 && imagePath === 'tower') {
    const vision = visionFeeds(images, config);
    padded = vision.layout.padded;
    feeds.patches = vision.patches;
    feeds.patch_positions = vision.positions;
    feeds.patch_present = vision.present;
    feeds.token_slots = vision.tokenSlots;
  }
  return {
    feeds,
    images,
    answers: examples.map(({ task, answerLength }) => ({ task, length: answerLength })),
    padded,
    pieces: piecesOf(seq),
    tokens: examples.reduce((sum, example) => sum + example.inputIds.length, 0),
    paddedTokens: batch * seq,
  };
}
