/** @module The text model for whole prompts: their keys and values, and the logits after their last tokens. */
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import { askedStates } from '../models/qwen2_5_vl/asked-rows.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import {
  type Attend,
  attendBackwards,
  embedInputs,
  languageHead,
  lengthOfPieces,
  textModel,
} from '../models/qwen2_5_vl/text.js';
import { type LowRank, Parameters } from '../nn/parameters.js';
import { cacheName } from './graphs.js';

/**
 * Feeds: `input_ids` i64 [batch, seq], padded on the right to a multiple of `pieces`; `position_ids` i64 [3, batch, seq];
 * `feature_index` i64 [batch, seq]; `features` [features, D]; `mask` [1, 1, seq, seq]; `asked_rows` and `asked_mask` of
 * `asked-rows.ts`, one row a prompt; gives `logits` [batch, V] and `keys.L`, `values.L` [batch, kvHeads, seq, headDim].
 */
export function promptGraph(
  config: Qwen2_5_VLConfig,
  pieces: number,
  lowRank?: LowRank,
): Record<string, Tensor> {
  const weights = new Parameters(lowRank);
  const seq = lengthOfPieces(pieces);
  const embeddings = embedInputs(weights, config, op.input('input_ids', 'i64', ['batch', seq]), {
    features: op.input('features', 'f32', ['features', config.vision.outHiddenSize]),
    featureIndex: op.input('feature_index', 'i64', ['batch', seq]),
  });
  const caches: Record<string, Tensor> = {};
  const keeping =
    (attend: Attend): Attend =>
    (projections) => {
      const { layer, key, value } = projections;
      caches[cacheName('keys', layer)] = op.transpose(key, [0, 2, 1, 3]);
      caches[cacheName('values', layer)] = op.transpose(value, [0, 2, 1, 3]);
      return attend(projections);
    };
  const mask = op.input('mask', 'f32', [1, 1, seq, seq]);
  const rows = op.input('asked_rows', 'i64', ['batch', 'asked']);
  const asked = askedStates({ rows }, seq);
  const positionIds = op.input('position_ids', 'i64', [3, 'batch', seq]);
  const states = textModel(weights, config, embeddings, positionIds, keeping(attendBackwards(mask, pieces)), {
    rows,
    attend: keeping(asked.attend),
  });
  const last = states[states.length - 1];
  const logits = languageHead(weights, config, op.reshape(last, [op.rowsOf(last), config.text.hiddenSize]));
  return { logits, ...caches };
}
