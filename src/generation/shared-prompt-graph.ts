/** @module The text model for one token of each of several answers to each prompt, over one cache a prompt. */
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import { type Dim, multiplyDims } from '../graph/shape.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import {
  type Attend,
  embedInputs,
  languageHead,
  type Projections,
  textModel,
} from '../models/qwen2_5_vl/text.js';
import { type LowRank, Parameters } from '../nn/parameters.js';
import { cacheName } from './graphs.js';

/** What each answer has added to its prompt's cache, which is called {@link cacheName}. */
export const ownCacheName = (kind: 'keys' | 'values', layer: number): string =>
  `own_${cacheName(kind, layer)}`;

/** The newest token's part of it, an output. */
export const newestName = (kind: 'keys' | 'values', layer: number): string =>
  `newest_${cacheName(kind, layer)}`;

/**
 * Neither cache is copied: the prompt's is read once for all its answers, and what the answers add stands in buffers that
 * the caller appends to. Feeds: `input_ids` i64 [prompts, answers], `position_ids` i64 [3, prompts, answers], `prompt_mask`
 * [prompts, 1, 1, prompt] and `own_mask` [own] (added to the scores), `keys.L`, `values.L` [prompts, kvHeads, prompt, headDim]
 * and `own_keys.L`, `own_values.L` [prompts, kvHeads, answers, own, headDim]; gives `logits` [prompts·answers, V] and the newest
 * tokens' `newest_keys.L`, `newest_values.L` [prompts, kvHeads, answers, 1, headDim].
 */
export function sharedPromptGraph(config: Qwen2_5_VLConfig, lowRank?: LowRank): Record<string, Tensor> {
  const weights = new Parameters(lowRank);
  const inputIds = op.input('input_ids', 'i64', ['prompts', 'answers']);
  const embeddings = embedInputs(weights, config, inputIds);
  const promptMask = op.input('prompt_mask', 'f32', ['prompts', 1, 1, 'prompt']);
  const ownMask = op.input('own_mask', 'f32', ['own']);
  const newest: Record<string, Tensor> = {};
  const { headDim, numKeyValueHeads, hiddenSize } = config.text;
  const attend: Attend = ({ layer, query, key, value }) => {
    const cached = (kind: 'keys' | 'values', projected: Tensor): CachedRows => {
      const name = newestName(kind, layer);
      newest[name] = op.reshape(op.transpose(projected, [0, 2, 1, 3]), [
        'prompts',
        numKeyValueHeads,
        'answers',
        1,
        headDim,
      ]);
      return {
        prompt: op.input(cacheName(kind, layer), 'f32', ['prompts', numKeyValueHeads, 'prompt', headDim]),
        own: op.input(ownCacheName(kind, layer), 'f32', [
          'prompts',
          numKeyValueHeads,
          'answers',
          'own',
          headDim,
        ]),
        newest: newest[name],
      };
    };
    const keys = cached('keys', key);
    return attendToAll(query, keys, cached('values', value), { prompt: promptMask, own: ownMask });
  };
  const positionIds = op.input('position_ids', 'i64', [3, 'prompts', 'answers']);
  const states = textModel(weights, config, embeddings, positionIds, attend);
  const hidden = op.reshape(states[states.length - 1], [op.rowsOf(embeddings), hiddenSize]);
  return { logits: languageHead(weights, config, hidden), ...newest };
}

/** Keys or values: prompt [P, kvHeads, prompt, D], own [P, kvHeads, A, own, D], newest [P, kvHeads, A, 1, D]. */
interface CachedRows {
  readonly prompt: Tensor;
  readonly own: Tensor;
  readonly newest: Tensor;
}

/**
 * Attention to the prompt, to the answer's own tokens and to its newest one under one softmax, whose parts share the largest
 * score and the sum, so that nothing is laid side by side: query [P, A, heads, D] → [P, A, heads·D].
 */
function attendToAll(
  query: Projections['query'],
  keys: CachedRows,
  values: CachedRows,
  masks: { readonly prompt: Tensor; readonly own: Tensor },
): Tensor {
  const [prompts, answers, heads, size] = query.shape as [Dim, Dim, number, number];
  const kvHeads = keys.prompt.shape[1] as number;
  const sharing = heads / kvHeads;
  const byHead = op.reshape(op.mul(query, op.scalar(1 / Math.sqrt(size))), [
    prompts,
    answers,
    kvHeads,
    sharing,
    size,
  ]);
  // To its own tokens each answer has a matrix of few rows; to the prompt the queries of all answers are rows of one.
  const apart = op.transpose(byHead, [0, 2, 1, 3, 4]);
  const rows = multiplyDims(answers, sharing);
  const together = (x: Tensor): Tensor => op.reshape(x, [prompts, kvHeads, rows, x.shape[4]]);
  const scoresOf = (rows: Tensor, keys: Tensor): Tensor => op.matmul(rows, op.matrixTranspose(keys));
  const scores = [
    op.add(scoresOf(together(apart), keys.prompt), masks.prompt),
    op.add(together(scoresOf(apart, keys.own)), masks.own),
    together(scoresOf(apart, keys.newest)),
  ];
  const largest = scores.map((part) => op.reduceMax(part, [3])).reduce(op.max);
  const [prompt, own, newest] = scores.map((part) => op.exp(op.sub(part, largest)));
  const mixedOwn = (weights: Tensor, values: Tensor): Tensor => {
    const byAnswer = op.reshape(weights, [prompts, kvHeads, answers, sharing, weights.shape[3]]);
    return together(op.matmul(byAnswer, values));
  };
  const mixed = [
    op.matmul(prompt, values.prompt),
    mixedOwn(own, values.own),
    mixedOwn(newest, values.newest),
  ].reduce(op.add);
  const sum = [prompt, own, newest].map((part) => op.reduceSum(part, [3])).reduce(op.add);
  const whole = op.reshape(op.div(mixed, sum), [prompts, kvHeads, answers, sharing, size]);
  return op.reshape(op.transpose(whole, [0, 2, 1, 3, 4]), [prompts, answers, heads * size]);
}
