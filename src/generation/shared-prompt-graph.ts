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

/**
 * The prompt's cache is read once for all its answers and never copied. Feeds: `input_ids` i64 [prompts, answers],
 * `position_ids` i64 [3, prompts, answers], `prompt_mask` [prompts, 1, 1, prompt] (added to the scores), `keys.L`, `values.L`
 * [prompts, kvHeads, prompt, headDim] and `own_keys.L`, `own_values.L` [prompts, answers, kvHeads, past, headDim]; gives
 * `logits` [prompts·answers, V] and the own caches, one token longer.
 */
export function sharedPromptGraph(config: Qwen2_5_VLConfig, lowRank?: LowRank): Record<string, Tensor> {
  const weights = new Parameters(lowRank);
  const inputIds = op.input('input_ids', 'i64', ['prompts', 'answers']);
  const embeddings = embedInputs(weights, config, inputIds);
  const mask = op.input('prompt_mask', 'f32', ['prompts', 1, 1, 'prompt']);
  const caches: Record<string, Tensor> = {};
  const { headDim, numKeyValueHeads, hiddenSize } = config.text;
  const attend: Attend = (projections) => {
    const { layer } = projections;
    const cached = (kind: 'keys' | 'values'): CachedRows => {
      const newest = op.reshape(projections[kind === 'keys' ? 'key' : 'value'], [
        'prompts',
        'answers',
        numKeyValueHeads,
        1,
        headDim,
      ]);
      const name = ownCacheName(kind, layer);
      const past = op.input(name, 'f32', ['prompts', 'answers', numKeyValueHeads, 'past', headDim]);
      caches[name] = op.concat([past, newest], 3);
      const prompt = op.input(cacheName(kind, layer), 'f32', [
        'prompts',
        numKeyValueHeads,
        'prompt',
        headDim,
      ]);
      return { prompt, own: caches[name] };
    };
    return attendBoth(projections.query, cached('keys'), cached('values'), mask);
  };
  const positionIds = op.input('position_ids', 'i64', [3, 'prompts', 'answers']);
  const states = textModel(weights, config, embeddings, positionIds, attend);
  const hidden = op.reshape(states[states.length - 1], [op.rowsOf(embeddings), hiddenSize]);
  return { logits: languageHead(weights, config, hidden), ...caches };
}

/** Keys or values: prompt [P, kvHeads, prompt, D], own [P, A, kvHeads, past + 1, D]. */
interface CachedRows {
  readonly prompt: Tensor;
  readonly own: Tensor;
}

/**
 * Attention to the prompt and to the answer's own tokens under one softmax, whose two halves are put together by their
 * largest scores and sums: query [P, A, heads, D] → [P, A, heads·D].
 */
function attendBoth(
  query: Projections['query'],
  keys: CachedRows,
  values: CachedRows,
  promptMask: Tensor,
): Tensor {
  const [prompts, answers, heads, size] = query.shape as [Dim, Dim, number, number];
  const kvHeads = keys.prompt.shape[1] as number;
  const sharing = heads / kvHeads;
  const asking = op.mul(query, op.scalar(1 / Math.sqrt(size)));
  // To the prompt the queries of all answers are rows of one matrix.
  const together = op.reshape(op.transpose(asking, [0, 2, 1, 3]), [
    prompts,
    kvHeads,
    multiplyDims(sharing, answers),
    size,
  ]);
  const apart = op.reshape(asking, [prompts, answers, kvHeads, sharing, size]);
  const takenApart = (x: Tensor): Tensor => {
    const byHead = op.reshape(x, [prompts, kvHeads, sharing, answers, x.shape[3]]);
    return op.transpose(byHead, [0, 3, 1, 2, 4]);
  };
  const toPrompt = halfSoftmax(
    op.add(op.matmul(together, op.matrixTranspose(keys.prompt)), promptMask),
    values.prompt,
  );
  const toOwn = halfSoftmax(op.matmul(apart, op.matrixTranspose(keys.own)), values.own);
  const halves = [
    {
      largest: takenApart(toPrompt.largest),
      sum: takenApart(toPrompt.sum),
      mixed: takenApart(toPrompt.mixed),
    },
    toOwn,
  ];
  const largest = op.max(halves[0].largest, halves[1].largest);
  const [first, second] = halves.map((half) => {
    const scale = op.exp(op.sub(half.largest, largest));
    return { sum: op.mul(half.sum, scale), mixed: op.mul(half.mixed, scale) };
  });
  const whole = op.div(op.add(first.mixed, second.mixed), op.add(first.sum, second.sum));
  return op.reshape(whole, [prompts, answers, heads * size]);
}

interface HalfSoftmax {
  readonly largest: Tensor;
  readonly sum: Tensor;
  readonly mixed: Tensor;
}

/** Of scores […, rows, keys] the largest, and relative to it the sum of the exponentials and the values mixed by them. */
function halfSoftmax(scores: Tensor, values: Tensor): HalfSoftmax {
  const last = scores.shape.length - 1;
  const largest = op.reduceMax(scores, [last]);
  const parts = op.exp(op.sub(scores, largest));
  return { largest, sum: op.reduceSum(parts, [last]), mixed: op.matmul(parts, values) };
}
