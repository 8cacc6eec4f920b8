/** @module Composite ops: each decomposes into primitives; a backend with a fused kernel may keep it whole. */
import { isFloat } from './dtype.js';
import {
  type Attributes,
  makeNode,
  type OpDefinition,
  refuse,
  type Tensor,
  type TensorType,
} from './node.js';
import * as op from './ops.js';
import { ROW_COMPOSITES } from './row-composites.js';
import { broadcastShapes, type Dim, multiplyDims, type Shape, sameShape } from './shape.js';

/** Stands for −∞ in masks: large enough that exp gives 0 in f32, finite so that a fully masked row is no NaN. */
export const MASKED = -1e9;

/** A composite always says what it stands for. */
export type CompositeDefinition = Required<OpDefinition>;

const last = (x: { shape: Shape }): Dim => x.shape[x.shape.length - 1];

/** All operands must be floats of one dtype. */
function needFloats(name: string, inputs: readonly TensorType[]): void {
  const [{ dtype }] = inputs;
  if (!isFloat(dtype) || inputs.some((input) => input.dtype !== dtype)) {
    refuse(name, inputs, 'needs floats of one dtype');
  }
}

function elementwise(name: string, decompose: (x: Tensor) => Tensor): CompositeDefinition {
  return {
    infer(inputs) {
      if (!isFloat(inputs[0].dtype)) refuse(name, inputs, 'needs a float operand');
      return [inputs[0]];
    },
    decompose: ([x]) => [decompose(x)],
  };
}

function inferNormalization(name: string, inputs: readonly TensorType[]): TensorType[] {
  needFloats(name, inputs);
  const [x, ...vectors] = inputs;
  if (vectors.some((vector) => !sameShape(vector.shape, [last(x)]))) {
    refuse(name, inputs, 'weight and bias must have the size of the last axis');
  }
  return [x];
}

/** Queries as attention groups them, and what each pays to every key. */
interface AttentionWeights {
  /** Scaled, [B, K, group·S, D]. */
  readonly queries: Tensor;
  /** [B, H, S, T], after the mask. */
  readonly scores: Tensor;
  /** [B, K, group·S, T] */
  readonly weights: Tensor;
}

/** The first half of `attention`, up to its softmax; the same nodes for the same operands. */
export function attentionWeights([q, k, , mask]: readonly Tensor[], scale: number): AttentionWeights {
  const [batch, heads, length, size] = q.shape;
  const kvHeads = k.shape[1] as number;
  const group = (heads as number) / kvHeads;
  // The queries of one group stand below each other, so keys and values are never repeated.
  const rows = group === 1 ? length : multiplyDims(length, group);
  // Scaling q costs S·D products instead of S·T.
  const queries = op.reshape(scale === 1 ? q : op.mul(q, scale), [batch, kvHeads, rows, size]);
  const products = op.reshape(op.matmul(queries, op.matrixTranspose(k)), [batch, heads, length, k.shape[2]]);
  const scores = mask === undefined ? products : op.add(products, mask);
  return { queries, scores, weights: op.reshape(softmax(scores), [batch, kvHeads, rows, k.shape[2]]) };
}

function inferAttention(name: string, inputs: readonly TensorType[]): TensorType {
  needFloats(name, inputs);
  const [q, k, v, mask] = inputs;
  const [batch, heads, length, size] = q.shape;
  const fits =
    q.shape.length === 4 &&
    k.shape.length === 4 &&
    sameShape(k.shape.slice(0, 3), v.shape.slice(0, 3)) &&
    k.shape[0] === batch &&
    k.shape[3] === size &&
    (heads as number) % (k.shape[1] as number) === 0;
  if (!fits) refuse(name, inputs, 'needs q [B, H, S, D] and k, v [B, K, T, D] with K dividing H');
  if (mask !== undefined && !broadcastShapes(mask.shape, [batch, heads, length, k.shape[2]])) {
    refuse(name, inputs, 'the mask does not broadcast to the scores');
  }
  return { dtype: q.dtype, shape: [batch, heads, length, v.shape[3]] };
}

/** The queries of a `sharedAttention` with the two coordinates that meet the marks of the keys, and keys and values with those. */
interface MarkedOperands {
  readonly q: Tensor;
  readonly k: Tensor;
  /** With one more column, 1 for the key that stands for the query's own. */
  readonly v: Tensor;
}

export function markedOperands([q, k, v, score, marks]: readonly Tensor[]): MarkedOperands {
  const [batch, kvHeads, length] = k.shape;
  const columns = op.expand(marks, [batch, kvHeads, length, 2]);
  return {
    q: op.concat([q, score, op.expand(op.scalar(1, q.dtype), score.shape)], 3),
    k: op.concat([k, columns], 3),
    v: op.concat([v, op.slice(columns, 3, 0, 1)], 3),
  };
}

/** The halves of all heads [B, S, H, D/2], and the tables that meet them [B, S, 1, D/2]. */
interface Halves {
  readonly first: Tensor;
  readonly second: Tensor;
  readonly cos: Tensor;
  readonly sin: Tensor;
}

export function halvesOf(x: Tensor, cosine: Tensor, sine: Tensor): Halves {
  const [batch, length, size] = x.shape as [Dim, Dim, number];
  const half = last(cosine) as number;
  const heads = op.reshape(x, [batch, length, size / (2 * half), 2 * half]);
  const [cos, sin] = [cosine, sine].map((table) => op.reshape(table, [batch, length, 1, half]));
  return { first: op.slice(heads, 3, 0, half), second: op.slice(heads, 3, half, 2 * half), cos, sin };
}

const TABLE = {
  ...ROW_COMPOSITES,

  /** x·σ(x) (PyTorch `nn.SiLU`). */
  silu: elementwise('silu', (x) => op.mul(x, op.sigmoid(x))),

  /** ½x(1 + erf(x/√2)), the exact form (PyTorch `nn.GELU`). */
  gelu: elementwise('gelu', (x) => op.mul(op.mul(x, 0.5), op.add(op.erf(op.mul(x, Math.SQRT1_2)), 1))),

  /** exp(x) / Σ exp(x) along the last axis. */
  softmax: elementwise('softmax', (x) => {
    const powers = op.exp(op.sub(x, op.stopGradient(op.reduceMax(x, [-1]))));
    return op.div(powers, op.reduceSum(powers, [-1]));
  }),

  /** x − log Σ exp(x) along the last axis. */
  logSoftmax: elementwise('logSoftmax', (x) => {
    const shifted = op.sub(x, op.stopGradient(op.reduceMax(x, [-1])));
    return op.sub(shifted, op.log(op.reduceSum(op.exp(shifted), [-1])));
  }),

  /** x / √(mean(x²) + ε) · weight; and 1 / √(mean(x²) + ε) […, 1], for its gradient. */
  rmsNorm: {
    infer(inputs) {
      const [x] = inferNormalization('rmsNorm', inputs);
      return [x, { ...x, shape: [...x.shape.slice(0, -1), 1] }];
    },
    decompose([x, weight], { epsilon }) {
      const meanSquare = op.reduceMean(op.mul(x, x), [-1]);
      const scale = op.reciprocal(op.sqrt(op.add(meanSquare, epsilon as number)));
      return [op.mul(op.mul(x, scale), weight), scale];
    },
  },

  /** (x − mean) / √(variance + ε) · weight + bias. */
  layerNorm: {
    infer: (inputs) => inferNormalization('layerNorm', inputs),
    decompose([x, weight, bias], { epsilon }) {
      const centred = op.sub(x, op.reduceMean(x, [-1]));
      const variance = op.reduceMean(op.mul(centred, centred), [-1]);
      const scale = op.reciprocal(op.sqrt(op.add(variance, epsilon as number)));
      return [op.add(op.mul(op.mul(centred, scale), weight), bias)];
    },
  },

  /** x […, in] · weightᵀ [out, in] (+ bias [out]) → […, out], as PyTorch stores it. */
  linear: {
    infer(inputs) {
      needFloats('linear', inputs);
      const [x, weight, bias] = inputs;
      const fits =
        weight.shape.length === 2 &&
        weight.shape[1] === last(x) &&
        (bias === undefined || sameShape(bias.shape, [weight.shape[0]]));
      if (!fits) refuse('linear', inputs, 'weight must be [out, in] and bias [out]');
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), weight.shape[0]] }];
    },
    // Two-dimensional operands let the product run as one Gemm, forward and backward.
    decompose([x, weight, bias]) {
      const rows = op.reshape(x, [op.rowsOf(x), last(x)]);
      const product = op.matmul(rows, op.matrixTranspose(weight));
      const sum = bias === undefined ? product : op.add(product, bias);
      return [op.reshape(sum, [...x.shape.slice(0, -1), weight.shape[0]])];
    },
  },

  /** Rows of weight [vocabulary, D] at ids […] → […, D]. */
  embedding: {
    infer(inputs) {
      const [weight, ids] = inputs;
      if (!isFloat(weight.dtype) || weight.shape.length !== 2 || ids.dtype !== 'i64') {
        refuse('embedding', inputs, 'needs a float weight [vocabulary, D] and i64 ids');
      }
      return [{ dtype: weight.dtype, shape: [...ids.shape, weight.shape[1]] }];
    },
    decompose: ([weight, ids]) => [op.gather(weight, ids)],
  },

  /** Each pair (i, i + D/2) of every head turned by an angle: x [B, S, H·D]; cos, sin [B, S, D/2]. */
  rope: {
    infer(inputs) {
      needFloats('rope', inputs);
      const [x, cosine, sine] = inputs;
      const [size, width] = [x, cosine].map(last);
      const fits =
        x.shape.length === 3 &&
        sameShape(x.shape.slice(0, 2), cosine.shape.slice(0, -1)) &&
        sameShape(cosine.shape, sine.shape) &&
        typeof size === 'number' &&
        typeof width === 'number' &&
        size % (2 * width) === 0;
      if (!fits) refuse('rope', inputs, 'needs x [B, S, H·D] and cos and sin [B, S, D/2]');
      return [x];
    },
    decompose([x, cosine, sine]) {
      const { first, second, cos, sin } = halvesOf(x, cosine, sine);
      const turned = op.concat(
        [op.sub(op.mul(first, cos), op.mul(second, sin)), op.add(op.mul(second, cos), op.mul(first, sin))],
        3,
      );
      return [op.reshape(turned, x.shape)];
    },
  },

  /**
   * softmax(q·kᵀ·scale + mask)·v. q [B, H, S, D]; k, v [B, K, T, D] with K dividing H (grouped queries);
   * mask, if given, is added to the scores and broadcasts to [B, H, S, T] (use {@link MASKED}).
   */
  attention: {
    infer: (inputs) => [inferAttention('attention', inputs)],
    decompose(inputs, { scale }) {
      const [q, , v] = inputs;
      const { weights } = attentionWeights(inputs, scale as number);
      return [op.reshape(op.matmul(weights, v), [...q.shape.slice(0, 3), v.shape[3]])];
    },
  },

  /** Attention, and log Σ exp of each query's scores [B, H, S, 1]. */
  scoredAttention: {
    infer(inputs) {
      const mixed = inferAttention('scoredAttention', inputs);
      return [mixed, { ...mixed, shape: [...mixed.shape.slice(0, 3), 1] }];
    },
    decompose(inputs) {
      const [q, , v] = inputs;
      const { scores, weights } = attentionWeights(inputs, 1);
      const apart = op.reshape(weights, scores.shape);
      return [
        op.reshape(op.matmul(weights, v), [...q.shape.slice(0, 3), v.shape[3]]),
        // The largest weight is exp(largest score − log Σ exp), and never underflows.
        op.sub(op.reduceMax(scores, [3]), op.log(op.reduceMax(apart, [3]))),
      ];
    },
  },

  /** Attention to keys of which the first stands for something of each query's own; see the function. */
  sharedAttention: {
    infer(inputs) {
      const [q, k, v, score, marks] = inputs;
      needFloats('sharedAttention', inputs);
      const mixed = inferAttention('sharedAttention', [q, k, v]);
      const share = { ...mixed, shape: [...mixed.shape.slice(0, 3), 1] };
      const fits =
        sameShape(score.shape, share.shape) && sameShape(marks.shape, [k.shape[0], 1, k.shape[2], 2]);
      if (!fits) refuse('sharedAttention', inputs, 'needs a score [B, H, S, 1] and marks [B, 1, T, 2]');
      return [mixed, share];
    },
    decompose(inputs) {
      const [q, , v] = inputs;
      const marked = markedOperands(inputs);
      const { weights } = attentionWeights([marked.q, marked.k], 1);
      const shape = q.shape.slice(0, 3);
      return [
        op.reshape(op.matmul(weights, v), [...shape, v.shape[3]]),
        op.reshape(op.slice(weights, 3, 0, 1), [...shape, 1]),
      ];
    },
  },

  /** log-probability of each label: logits […, V], labels […] i64 (a label outside 0 … V−1 gives 0). */
  tokenLogProbs: {
    infer(inputs) {
      const [logits, labels] = inputs;
      needFloats('tokenLogProbs', [logits]);
      if (!sameShape(logits.shape.slice(0, -1), labels.shape) || labels.dtype !== 'i64') {
        refuse('tokenLogProbs', inputs, 'needs logits […, V] and i64 labels […]');
      }
      return [{ dtype: logits.dtype, shape: labels.shape }];
    },
    decompose([logits, labels]) {
      const size = last(logits) as number;
      const ids = op.constant(
        'i64',
        [size],
        BigInt64Array.from({ length: size }, (_, i) => BigInt(i)),
      );
      const chosen = op.cast(op.equal(op.reshape(labels, [...labels.shape, 1]), ids), logits.dtype);
      return [op.reduceSum(op.mul(logSoftmax(logits), chosen), [-1], false)];
    },
  },

  /**
   * Mean of −log p(label) over the labels that are not −100 (PyTorch `nn.CrossEntropyLoss`, transformers' ignore index).
   * logits [N, V], labels [N] i64 → []. At least one label must count.
   */
  crossEntropy: {
    infer(inputs) {
      const [logits, labels] = inputs;
      needFloats('crossEntropy', [logits]);
      if (!sameShape(logits.shape.slice(0, -1), labels.shape) || labels.dtype !== 'i64') {
        refuse('crossEntropy', inputs, 'needs logits […, V] and i64 labels […]');
      }
      return [{ dtype: logits.dtype, shape: [] }];
    },
    decompose([logits, labels]) {
      const axes = labels.shape.map((_, i) => i);
      const counted = op.cast(op.greater(labels, op.scalar(-1, 'i64')), logits.dtype);
      const total = op.reduceSum(tokenLogProbs(logits, labels), axes, false);
      return [op.neg(op.div(total, op.reduceSum(counted, axes, false)))];
    },
  },
} as const satisfies Record<string, CompositeDefinition>;

export type CompositeName = keyof typeof TABLE;
export const COMPOSITES: Readonly<Record<CompositeName, CompositeDefinition>> = TABLE;

function make(name: CompositeName, inputs: readonly (Tensor | undefined)[], attributes?: Attributes): Tensor {
  const given = inputs.filter((input) => input !== undefined);
  return makeNode(name, COMPOSITES[name], given, attributes).outputs[0];
}

export const silu = (x: Tensor): Tensor => make('silu', [x]);
export const gelu = (x: Tensor): Tensor => make('gelu', [x]);
/** Along the last axis. */
export const softmax = (x: Tensor): Tensor => make('softmax', [x]);
/** Along the last axis. */
export const logSoftmax = (x: Tensor): Tensor => make('logSoftmax', [x]);

export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return make('rmsNorm', [x, weight], { epsilon });
}

export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return make('layerNorm', [x, weight, bias], { epsilon });
}

/** x […, in], weight [out, in], bias [out] → […, out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return make('linear', [x, weight, bias]);
}

/** weight [vocabulary, D], ids […] i64 → […, D]. */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  return make('embedding', [weight, ids]);
}

/** x [B, S, H·D]; cos and sin [B, S, D/2] of the angle by which each pair (i, i + D/2) of a head is turned. */
export function rope(x: Tensor, cosine: Tensor, sine: Tensor): Tensor {
  return make('rope', [x, cosine, sine]);
}

/** The mask that hides keys behind each query: [S, T] of 0 and {@link MASKED}; the queries are the last S of T. */
export function causalMask(length: number, keys: number): Tensor {
  const data = Float32Array.from({ length: length * keys }, (_, i) =>
    (i % keys) - (keys - length) > Math.floor(i / keys) ? MASKED : 0,
  );
  return op.constant('f32', [length, keys], data);
}

/** The mask that keeps each position within its window: ids [N] of windows → [N, N] of 0 and {@link MASKED}. */
export function windowMask(windows: Tensor): Tensor {
  const [size] = windows.shape;
  const equal = op.equal(op.reshape(windows, [size, 1]), op.reshape(windows, [1, size]));
  return op.where(equal, op.scalar(0), op.scalar(MASKED));
}

/** Scaled dot-product attention; `mask` is added to the scores. The scale is 1/√D unless given. */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { readonly mask?: Tensor; readonly scale?: number } = {},
): Tensor {
  const scale = options.scale ?? 1 / Math.sqrt(q.shape[q.shape.length - 1] as number);
  return make('attention', [q, k, v, options.mask], { scale });
}

/** The same, and log Σ exp of each query's scores. */
export interface ScoredAttention {
  /** [B, H, S, D] */
  readonly mixed: Tensor;
  /** [B, H, S, 1] */
  readonly score: Tensor;
}

/** Attention that can be joined with attention to other keys: `mask` is added to the scores, the scale is 1. */
export function scoredAttention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor): ScoredAttention {
  const { outputs } = makeNode('scoredAttention', COMPOSITES.scoredAttention, [q, k, v, mask]);
  return { mixed: outputs[0], score: outputs[1] };
}

/** What a query takes from keys that it shares with others, and how much of its attention is left for its own. */
export interface SharedAttention {
  /** [B, H, S, D] */
  readonly mixed: Tensor;
  /** [B, H, S, 1] */
  readonly share: Tensor;
}

/**
 * Attention of q [B, H, S, D] to k, v [B, K, T, D] and to keys of each query's own under one softmax, with scale 1: the own keys
 * count as key 0, whose score is `score` [B, H, S, 1], log Σ exp of theirs. marks [B, 1, T, 2]: 1 for key 0, else 0; and what is
 * added to all scores of a key. k and v of key 0 must be 0.
 */
export function sharedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { score, marks }: { readonly score: Tensor; readonly marks: Tensor },
): SharedAttention {
  const { outputs } = makeNode('sharedAttention', COMPOSITES.sharedAttention, [q, k, v, score, marks]);
  return { mixed: outputs[0], share: outputs[1] };
}

/** logits […, V], labels […] i64 → log p(label) […]. */
export function tokenLogProbs(logits: Tensor, labels: Tensor): Tensor {
  return make('tokenLogProbs', [logits, labels]);
}

/** Mean negative log-probability of the labels that are not −100. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return make('crossEntropy', [logits, labels]);
}
