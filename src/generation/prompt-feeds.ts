/** @module Prompts side by side, padded on the right, as feeds of a text graph. */
import { collate } from '../models/qwen2_5_vl/collate.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { featureIndex } from '../models/qwen2_5_vl/feeds.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { getRopeIndex } from '../models/qwen2_5_vl/rope-index.js';
import type { HostTensor } from '../runtime/session.js';

export interface PromptFeeds {
  /** input_ids and feature_index [batch, seq], position_ids [3, batch, seq], features [features, D]. */
  readonly feeds: Record<'input_ids' | 'position_ids' | 'feature_index' | 'features', HostTensor>;
  readonly batch: number;
  readonly seq: number;
  /** Tokens of each prompt. */
  readonly lengths: readonly number[];
  /** transformers' rope delta of each prompt. */
  readonly ropeDeltas: readonly number[];
}

export interface PromptFeedSettings {
  readonly pad: number;
  /** Of all pictures, one after the other; null without any. */
  readonly features: HostTensor | null;
  /** Rows are filled up to a multiple of this. Default 1. */
  readonly lengthStep?: number;
}

/** What is fed where there is no picture: a graph that takes features takes at least one. */
export function noFeatures(config: Qwen2_5_VLConfig): HostTensor {
  const width = config.vision.outHiddenSize;
  return { dtype: 'f32', shape: [1, width], data: new Float32Array(width) };
}

export function promptFeeds(
  prompts: readonly EncodedPrompt[],
  config: Qwen2_5_VLConfig,
  { pad, features, lengthStep = 1 }: PromptFeedSettings,
): PromptFeeds {
  const { imageTokenId, videoTokenId } = config;
  const lengths = prompts.map((prompt) => prompt.inputIds.length);
  const filled = Math.ceil(Math.max(...lengths) / lengthStep) * lengthStep;
  const collated = collate(
    prompts.map(({ inputIds, images }) => ({
      // A video's tokens take the next features just as an image's do, so the graphs know the one kind only.
      inputIds: inputIds.map((id) => (id === videoTokenId ? imageTokenId : id)),
      images,
    })),
    { padId: pad, side: 'right', length: filled },
  );
  const { batch, seq, inputIds } = collated;
  const { positionIds, ropeDeltas } = getRopeIndex({ ...collated, config });
  const shape = [batch, seq];
  return {
    feeds: {
      input_ids: { dtype: 'i64', shape, data: inputIds },
      position_ids: { dtype: 'i64', shape: [3, ...shape], data: positionIds },
      feature_index: { dtype: 'i64', shape, data: featureIndex(inputIds, imageTokenId) },
      features: features ?? noFeatures(config),
    },
    batch,
    seq,
    lengths,
    ropeDeltas: [...ropeDeltas],
  };
}
