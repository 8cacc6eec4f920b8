/** @module Small applications of every composite, and of attention over a cache. */
import {
  type Build,
  bool,
  type Case,
  type CaseInput,
  caseOf,
  floats,
  i64,
  rough,
  values,
} from './case.test-util.js';
import * as c from './composites.js';
import type { Tensor } from './node.js';
import * as op from './ops.js';
import * as rows from './row-composites.js';

const NORMAL: readonly Case[] = [
  caseOf('silu', { x: floats([2, 3], -4, 4) }, ({ x }) => c.silu(x)),
  caseOf('gelu', { x: floats([2, 3], -4, 4) }, ({ x }) => c.gelu(x)),
  caseOf('softmax', { x: floats([2, 4]) }, ({ x }) => c.softmax(x)),
  caseOf('softmax of large numbers', { x: floats([2, 4], 998, 1002) }, ({ x }) => c.softmax(x)),
  caseOf('logSoftmax', { x: floats([2, 4]) }, ({ x }) => c.logSoftmax(x)),
  caseOf('rmsNorm', { x: floats([2, 3, 4]), weight: floats([4]) }, ({ x, weight }) =>
    c.rmsNorm(x, weight, 1e-6),
  ),
  caseOf('layerNorm', { x: floats([2, 4]), weight: floats([4]), bias: floats([4]) }, ({ x, weight, bias }) =>
    c.layerNorm(x, weight, bias, 1e-5),
  ),
  caseOf(
    'linear',
    { x: floats([2, 3, 4]), weight: floats([2, 4]), bias: floats([2]) },
    ({ x, weight, bias }) => c.linear(x, weight, bias),
  ),
  caseOf('linear without bias', { x: floats([3, 4]), weight: floats([2, 4]) }, ({ x, weight }) =>
    c.linear(x, weight),
  ),
  caseOf(
    'linear of named sizes',
    { x: floats([2, 3, 4], -2, 2, ['batch', 'seq', 4]), weight: floats([5, 4]) },
    ({ x, weight }) => c.linear(x, weight),
  ),
  caseOf('embedding', { weight: floats([5, 3]), ids: i64([2, 3], [4, 0, 4, 4, 2, 0]) }, ({ weight, ids }) =>
    c.embedding(weight, ids),
  ),
  caseOf('rope', { x: floats([2, 3, 8]), cos: floats([2, 3, 2]), sin: floats([2, 3, 2]) }, (x) =>
    c.rope(x.x, x.cos, x.sin),
  ),
  caseOf(
    'tokenLogProbs',
    { logits: floats([2, 3, 5]), labels: i64([2, 3], [0, 4, 2, -100, 1, 1]) },
    ({ logits, labels }) => c.tokenLogProbs(logits, labels),
  ),
  caseOf('crossEntropy', { logits: floats([4, 5]), labels: i64([4], [0, 4, 2, 1]) }, ({ logits, labels }) =>
    c.crossEntropy(logits, labels),
  ),
  caseOf(
    'crossEntropy with ignored labels',
    { logits: floats([4, 5]), labels: i64([4], [-100, 4, -100, 1]) },
    ({ logits, labels }) => c.crossEntropy(logits, labels),
  ),
];

const heads = (count: number, length: number, size = 4): CaseInput => floats([2, count, length, size], -1, 1);

const index = (shape: readonly number[], data: readonly number[]): Tensor =>
  op.constant('i64', shape, BigInt64Array.from(data, BigInt));

/** Two rows of three: one of each in the first part, two in the second. */
const SPLIT: rows.SplitRows = {
  first: index([2, 1], [2, 4]),
  second: index([2, 2], [0, 1, 3, 5]),
  back: index([2, 3], [1, 2, 0, 4, 3, 5]),
};

const ATTENTION: readonly Case[] = [
  caseOf('attention', { q: heads(2, 3), k: heads(2, 3), v: heads(2, 3) }, ({ q, k, v }) =>
    c.attention(q, k, v),
  ),
  caseOf('attention, causal', { q: heads(2, 3), k: heads(2, 3), v: heads(2, 3) }, ({ q, k, v }) =>
    c.attention(q, k, v, { mask: c.causalMask(3, 3) }),
  ),
  caseOf(
    'attention, causal, after a past',
    { q: heads(2, 2), k: heads(2, 4), v: heads(2, 4) },
    ({ q, k, v }) => c.attention(q, k, v, { mask: c.causalMask(2, 4) }),
  ),
  caseOf(
    'attention with grouped queries',
    { q: heads(4, 3), k: heads(2, 3), v: heads(2, 3) },
    ({ q, k, v }) => c.attention(q, k, v, { mask: c.causalMask(3, 3), scale: 0.3 }),
  ),
  caseOf(
    'attention within windows',
    { q: heads(1, 4), k: heads(1, 4), v: heads(1, 4), windows: i64([4], [0, 1, 0, 1]) },
    ({ q, k, v, windows }) => c.attention(q, k, v, { mask: c.windowMask(windows) }),
  ),
  caseOf(
    'attention under a mask per row',
    { q: heads(2, 3), k: heads(2, 3), v: heads(2, 3), shown: bool([2, 1, 1, 3], [0, 1, 1, 1, 1, 0]) },
    ({ q, k, v, shown }) =>
      c.attention(q, k, v, { mask: op.where(shown, op.scalar(0), op.scalar(c.MASKED)) }),
  ),
  caseOf('scoredAttention', { q: heads(4, 3), k: heads(2, 3), v: heads(2, 3) }, ({ q, k, v }) => {
    const { mixed, score } = c.scoredAttention(q, k, v, c.causalMask(3, 3));
    return op.concat([mixed, score], 3);
  }),
  caseOf(
    'sharedAttention',
    { q: heads(4, 3), k: heads(2, 4), v: heads(2, 4), score: floats([2, 4, 3, 1]) },
    ({ q, k, v, score }) => {
      const real = op.constant('f32', [1, 1, 4, 1], Float32Array.of(0, 1, 1, 1));
      const [key, value] = [k, v].map((x) => op.mul(x, real));
      // The last key is hidden.
      const marks = op.constant('f32', [1, 1, 4, 2], Float32Array.of(1, 0, 0, 0, 0, 0, 0, c.MASKED));
      const both = { score, marks: op.expand(marks, [2, 1, 4, 2]) };
      const { mixed, share } = c.sharedAttention(q, key, value, both);
      return op.concat([mixed, share], 3);
    },
  ),
  caseOf('take', { x: floats([4, 2]) }, ({ x }) =>
    rows.take(x, index([3], [2, 0, 3]), index([4], [1, 3, 0, 2])),
  ),
  caseOf('splitRows', { x: floats([6, 2]) }, ({ x }) => {
    const [a, b] = rows.splitRows(x, SPLIT);
    return op.concat([op.mul(a, a), b], 1);
  }),
  caseOf('joinRows', { a: floats([2, 1, 2]), b: floats([2, 2, 2]) }, ({ a, b }) =>
    rows.joinRows(a, b, SPLIT),
  ),
  caseOf(
    'attention of named sizes',
    {
      q: floats([2, 4, 3, 4], -1, 1, ['batch', 4, 'seq', 4]),
      k: floats([2, 2, 3, 4], -1, 1, ['batch', 2, 'seq', 4]),
      v: floats([2, 2, 3, 4], -1, 1, ['batch', 2, 'seq', 4]),
    },
    ({ q, k, v }) => c.attention(q, k, v),
  ),
];

const CAPACITY = 4;

/** Cached rows [1, capacity, 8] of which the first `used` hold something: zeros behind them, as ONNX Runtime leaves. */
function cache(used: readonly number[]): CaseInput {
  const rows = used.flatMap((count) => [
    ...floats([count, 8]).data,
    ...new Float32Array((CAPACITY - count) * 8),
  ]);
  return values('f32', [used.length, 1, CAPACITY, 8], rows);
}

/** Two heads of 8 over one; `past` tokens of each row are in the cache. */
function cached(length: number, past: readonly number[], lastIndex: readonly number[]): Case['inputs'] {
  const batch = past.length;
  return {
    query: floats([batch, length, 16]),
    key: floats([batch, length, 8]),
    value: floats([batch, length, 8]),
    cachedKeys: cache(past),
    cachedValues: cache(past),
    lastIndex: values('i32', [batch], lastIndex),
    total: values('i32', [], [Math.max(...lastIndex) + 1]),
  };
}

const groupQueryAttention: Build = ({ query, key, value, cachedKeys, cachedValues, lastIndex, total }) => {
  const operands = { query, key, value, cachedKeys, cachedValues, lastIndex, total, heads: 2, kvHeads: 1 };
  const { output, keys, values: cache } = op.groupQueryAttention(operands);
  return [output, keys, cache];
};

/** Of the padded second row of two only its first position is anybody's business. */
const raggedPrompt: Build = (x) => {
  const [output] = [groupQueryAttention(x)].flat();
  const [first, second] = [0, 1].map((row) => op.slice(output, 0, row, row + 1));
  return [first, op.slice(second, 1, 0, 1)];
};

const CACHED: readonly Case[] = [
  rough('groupQueryAttention of a prompt', cached(3, [0, 0], [2, 2]), groupQueryAttention),
  rough('groupQueryAttention of prompts padded on the right', cached(3, [0, 0], [2, 0]), raggedPrompt),
  rough('groupQueryAttention of a next token', cached(1, [3, 1], [3, 1]), groupQueryAttention),
  rough('groupQueryAttention of several next tokens', cached(2, [2], [3]), groupQueryAttention),
];

export const COMPOSITE_CASES: readonly Case[] = [...NORMAL, ...ATTENTION, ...CACHED];
