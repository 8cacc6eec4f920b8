/** @module The two graphs that generation runs: the vision tower, and the text model over its cache. */
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { type Attend, embedInputs, languageHead, textModel } from '../models/qwen2_5_vl/text.js';
import { mergePatches, visionBlocks, visionInputs } from '../models/qwen2_5_vl/vision.js';
import { type LowRank, Parameters } from '../nn/parameters.js';

/** Feeds: `patches`, `patch_positions`, `patch_present`, `token_slots`; gives `features` [tokens, D]. */
export function visionGraph(config: Qwen2_5_VLConfig): Record<string, Tensor> {
  const weights = new Parameters();
  const { inputs, tokenSlots } = visionInputs(config, true);
  const states = visionBlocks(weights, config, inputs);
  return { features: mergePatches(weights, config, states[states.length - 1], tokenSlots) };
}

export const cacheName = (kind: 'keys' | 'values', layer: number): string => `${kind}.${layer}`;

/**
 * The text model that appends to its key/value cache, for a prompt (rows padded on the right) as for single tokens.
 * Feeds: `input_ids` [batch, seq], `position_ids` [3, batch, seq], `feature_index` [batch, seq], `features` [features, D],
 * `last_index` i32 [batch], `total` i32 [], `logit_rows` i64 [rows] (flat positions whose logits are wanted) and
 * `keys.L`, `values.L` [batch, kvHeads, capacity, headDim]; gives `logits` [rows, V] and the caches.
 */
export function cachedTextGraph(config: Qwen2_5_VLConfig, lowRank?: LowRank): Record<string, Tensor> {
  const weights = new Parameters(lowRank);
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads } = config.text;
  const inputIds = op.input('input_ids', 'i64', ['batch', 'seq']);
  const embeddings = embedInputs(weights, config, inputIds, {
    features: op.input('features', 'f32', ['features', config.vision.outHiddenSize]),
    featureIndex: op.input('feature_index', 'i64', ['batch', 'seq']),
  });
  const lastIndex = op.input('last_index', 'i32', ['batch']);
  const total = op.input('total', 'i32', []);
  const caches: Record<string, Tensor> = {};
  const attend: Attend = ({ layer, query, key, value }) => {
    const cache = (kind: 'keys' | 'values'): Tensor =>
      op.input(cacheName(kind, layer), 'f32', ['batch', numKeyValueHeads, 'capacity', headDim]);
    const flat = (x: Tensor, heads: number): Tensor => op.reshape(x, ['batch', 'seq', heads * headDim]);
    const { output, keys, values } = op.groupQueryAttention({
      query: flat(query, numAttentionHeads),
      key: flat(key, numKeyValueHeads),
      value: flat(value, numKeyValueHeads),
      cachedKeys: cache('keys'),
      cachedValues: cache('values'),
      lastIndex,
      total,
      heads: numAttentionHeads,
      kvHeads: numKeyValueHeads,
    });
    caches[cacheName('keys', layer)] = keys;
    caches[cacheName('values', layer)] = values;
    return output;
  };
  const positionIds = op.input('position_ids', 'i64', [3, 'batch', 'seq']);
  const states = textModel(weights, config, embeddings, positionIds, attend);
  const hidden = op.reshape(states[states.length - 1], [op.rowsOf(embeddings), hiddenSize]);
  const wanted = op.gather(hidden, op.input('logit_rows', 'i64', ['rows']));
  return { logits: languageHead(weights, config, wanted), ...caches };
}
