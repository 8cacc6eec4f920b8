/** @module Small applications of every op, shared by the tests against formulas, central differences and ONNX Runtime. */
import { Random } from '../util/random.js';
import * as c from './composites.js';
import type { DType } from './dtype.js';
import type { Tensor } from './node.js';
import * as op from './ops.js';
import type { Shape } from './shape.js';

export interface CaseInput {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The shape the graph declares, where it has named sizes. */
  readonly declared?: Shape;
  readonly data: readonly number[];
}

export interface Case {
  /** Unique; starts with the op it is for. */
  readonly name: string;
  readonly op: string;
  readonly inputs: Readonly<Record<string, CaseInput>>;
  readonly build: (x: Readonly<Record<string, Tensor>>) => readonly Tensor[];
  /** Smooth in all its float inputs at their values: central differences apply. */
  readonly smooth: boolean;
}

const random = new Random('graph cases');

/** Uniform numbers that f32 holds exactly. */
function floats(shape: readonly number[], low = -2, high = 2, declared?: Shape): CaseInput {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Array.from({ length: count }, () => Math.fround(random.uniform(low, high)));
  return { dtype: 'f32', shape, data, ...(declared === undefined ? {} : { declared }) };
}

function values(
  dtype: DType,
  shape: readonly number[],
  data: readonly number[],
  declared?: Shape,
): CaseInput {
  return { dtype, shape, data, ...(declared === undefined ? {} : { declared }) };
}

const i64 = (shape: readonly number[], data: readonly number[], declared?: Shape): CaseInput =>
  values('i64', shape, data, declared);
const bool = (shape: readonly number[], data: readonly number[]): CaseInput => values('bool', shape, data);

type Build = (x: Readonly<Record<string, Tensor>>) => Tensor | readonly Tensor[];

function caseOf(
  title: string,
  inputs: Readonly<Record<string, CaseInput>>,
  build: Build,
  smooth = true,
): Case {
  return { name: title, op: title.split(/[ ,]/)[0], inputs, build: (x) => [build(x)].flat(), smooth };
}

const rough = (title: string, inputs: Readonly<Record<string, CaseInput>>, build: Build): Case =>
  caseOf(title, inputs, build, false);

const UNARY: readonly Case[] = [
  caseOf('neg', { x: floats([2, 3]) }, ({ x }) => op.neg(x)),
  caseOf('abs', { x: values('f32', [4], [-1.5, 0.5, -0.25, 2]) }, ({ x }) => op.abs(x)),
  rough('sign', { x: values('f32', [3], [-1.5, 0, 2]) }, ({ x }) => op.sign(x)),
  caseOf('exp', { x: floats([2, 3]) }, ({ x }) => op.exp(x)),
  caseOf('log', { x: floats([2, 3], 0.2, 3) }, ({ x }) => op.log(x)),
  caseOf('sqrt', { x: floats([2, 3], 0.2, 3) }, ({ x }) => op.sqrt(x)),
  caseOf('reciprocal', { x: floats([2, 3], 0.4, 3) }, ({ x }) => op.reciprocal(x)),
  caseOf('tanh', { x: floats([2, 3]) }, ({ x }) => op.tanh(x)),
  caseOf('sigmoid', { x: floats([2, 3], -4, 4) }, ({ x }) => op.sigmoid(x)),
  caseOf('erf', { x: values('f32', [6], [-3.25, -1, 0, 0.5, 2.25, 4]) }, ({ x }) => op.erf(x)),
  caseOf('sin', { x: floats([2, 3]) }, ({ x }) => op.sin(x)),
  caseOf('cos', { x: floats([2, 3]) }, ({ x }) => op.cos(x)),
  rough('not', { x: bool([3], [1, 0, 1]) }, ({ x }) => op.not(x)),
  rough('neg of whole numbers', { x: i64([3], [-7, 0, 5]) }, ({ x }) => op.neg(x)),
  rough('abs of whole numbers', { x: i64([3], [-7, 0, 5]) }, ({ x }) => op.abs(x)),
  rough('sign of whole numbers', { x: i64([3], [-7, 0, 5]) }, ({ x }) => op.sign(x)),
  // What is stopped has no gradient, though the value has a slope: the derivative is tested on its own.
  rough('stopGradient', { x: floats([2, 3]) }, ({ x }) => op.stopGradient(x)),
];

const BINARY: readonly Case[] = [
  caseOf('add', { a: floats([2, 3]), b: floats([2, 3]) }, ({ a, b }) => op.add(a, b)),
  caseOf('add a row', { a: floats([2, 3]), b: floats([3]) }, ({ a, b }) => op.add(a, b)),
  caseOf('add a row to a column', { a: floats([2, 1]), b: floats([1, 3]) }, ({ a, b }) => op.add(a, b)),
  caseOf('add a number', { a: floats([2, 3]) }, ({ a }) => op.add(a, 0.75)),
  caseOf('sub', { a: floats([2, 3]), b: floats([2, 1]) }, ({ a, b }) => op.sub(a, b)),
  caseOf('mul', { a: floats([2, 3]), b: floats([2, 3]) }, ({ a, b }) => op.mul(a, b)),
  caseOf('mul by a scalar tensor', { a: floats([2, 3]), b: floats([]) }, ({ a, b }) => op.mul(a, b)),
  caseOf('mul with itself', { a: floats([2, 3]) }, ({ a }) => op.mul(a, a)),
  caseOf('div', { a: floats([2, 3]), b: floats([2, 3], 0.5, 2) }, ({ a, b }) => op.div(a, b)),
  caseOf('div a number', { b: floats([3], -2, -0.5) }, ({ b }) => op.div(3, b)),
  caseOf('pow', { a: floats([2, 3], 0.3, 2), b: floats([3]) }, ({ a, b }) => op.pow(a, b)),
  caseOf('max', { a: values('f32', [2, 2], [1, -2, 3, 0.5]), b: values('f32', [2], [0, 1]) }, ({ a, b }) =>
    op.max(a, b),
  ),
  caseOf('min', { a: values('f32', [2, 2], [1, -2, 3, 0.5]), b: values('f32', [2], [0, 1]) }, ({ a, b }) =>
    op.min(a, b),
  ),
  rough('equal', { a: floats([2]), b: values('f32', [2, 1], [0.5, 1]) }, ({ a, b }) => [
    op.equal(a, b),
    op.equal(b, b),
  ]),
  rough('less', { a: floats([4]), b: floats([2, 1]) }, ({ a, b }) => op.less(a, b)),
  rough('greater', { a: floats([4]), b: floats([2, 1]) }, ({ a, b }) => op.greater(a, b)),
  rough('and', { a: bool([4], [0, 0, 1, 1]), b: bool([4], [0, 1, 0, 1]) }, ({ a, b }) => op.and(a, b)),
  rough('or', { a: bool([4], [0, 0, 1, 1]), b: bool([4], [0, 1, 0, 1]) }, ({ a, b }) => op.or(a, b)),
  ...Object.entries({
    add: op.add,
    sub: op.sub,
    mul: op.mul,
    div: op.div,
    max: op.max,
    min: op.min,
    equal: op.equal,
    less: op.less,
    greater: op.greater,
  }).map(([name, build]) =>
    rough(`${name} of whole numbers`, { a: i64([2, 2], [-7, 7, 3, 5]), b: i64([2], [2, -2]) }, ({ a, b }) =>
      build(a, b),
    ),
  ),
  caseOf(
    'where',
    { condition: bool([2, 1], [1, 0]), a: floats([3]), b: floats([2, 3]) },
    ({ condition, a, b }) => op.where(condition, a, b),
  ),
  rough(
    'where of whole numbers',
    { condition: bool([2], [1, 0]), a: i64([2], [1, 2]), b: i64([2], [3, 4]) },
    ({ condition, a, b }) => op.where(condition, a, b),
  ),
];

const SHAPE: readonly Case[] = [
  rough('cast to whole numbers', { x: values('f32', [4], [-1.75, -0.25, 0.5, 2.75]) }, ({ x }) => [
    op.cast(x, 'i64'),
    op.cast(x, 'i32'),
    op.cast(x, 'bool'),
  ]),
  rough('cast from whole numbers', { x: i64([3], [-2, 0, 7]) }, ({ x }) => [
    op.cast(x, 'f32'),
    op.cast(x, 'i32'),
    op.cast(x, 'bool'),
  ]),
  rough('cast bytes', { x: values('u8', [3], [0, 127, 255]) }, ({ x }) => op.cast(x, 'f32')),
  // Eighths are exact in f16, so that no backend may round.
  caseOf('cast through f16', { x: values('f32', [4], [-1.75, -0.125, 0.5, 2.75]) }, ({ x }) =>
    op.cast(op.cast(x, 'f16'), 'f32'),
  ),
  caseOf('reshape', { x: floats([2, 6]) }, ({ x }) => op.reshape(x, [3, -1])),
  caseOf('reshape named sizes', { x: floats([2, 3, 4], -2, 2, ['batch', 'seq', 4]) }, ({ x }) =>
    op.reshape(x, ['batch', 'seq', 2, 2]),
  ),
  caseOf('transpose', { x: floats([2, 3, 4]) }, ({ x }) => op.transpose(x, [2, 0, 1])),
  caseOf('expand', { x: floats([2, 1]) }, ({ x }) => op.expand(x, [3, 2, 4])),
  caseOf('concat', { a: floats([2, 3]), b: floats([2, 1]), d: floats([2, 2]) }, ({ a, b, d }) =>
    op.concat([a, b, d, a], -1),
  ),
  caseOf('slice', { x: floats([2, 5, 2]) }, ({ x }) => op.slice(x, 1, 1, 4)),
  caseOf('pad', { x: floats([2, 3]) }, ({ x }) => op.pad(x, 1, 2, 1)),
  caseOf('gather', { x: floats([4, 3]), ids: i64([2, 3], [0, 3, 3, 1, 3, 0]) }, ({ x, ids }) =>
    op.gather(x, ids),
  ),
  caseOf('scatterAdd', { x: floats([5, 2]), ids: i64([5], [0, 3, 3, 1, 3]) }, ({ x, ids }) =>
    op.scatterAdd(x, ids, [4, 2]),
  ),
  caseOf(
    'scatterAdd at a grid of rows',
    { x: floats([2, 2, 3]), ids: i64([2, 2], [1, 1, 0, 1]) },
    ({ x, ids }) => op.scatterAdd(x, ids, [3, 3]),
  ),
];

const REDUCE: readonly Case[] = [
  caseOf('reduceSum', { x: floats([2, 3, 4]) }, ({ x }) => op.reduceSum(x, [0, 2])),
  caseOf('reduceSum without its axes', { x: floats([2, 3, 4]) }, ({ x }) => op.reduceSum(x, [1], false)),
  rough('reduceSum of whole numbers', { x: i64([2, 2], [-7, 7, 3, 5]) }, ({ x }) => op.reduceSum(x, [1])),
  caseOf('reduceMean', { x: floats([2, 3, 4]) }, ({ x }) => op.reduceMean(x, [-1])),
  caseOf('reduceMean of all', { x: floats([2, 3]) }, ({ x }) => op.reduceMean(x, [0, 1], false)),
  caseOf('reduceMax', { x: floats([2, 3, 4]) }, ({ x }) => op.reduceMax(x, [1])),
  caseOf('reduceMax without its axes', { x: floats([2, 3]) }, ({ x }) => op.reduceMax(x, [-1], false)),
  rough('reduceMax of whole numbers', { x: i64([2, 2], [-7, 7, 3, 5]) }, ({ x }) => op.reduceMax(x, [0])),
];

const MATMUL: readonly Case[] = [
  caseOf('matmul', { a: floats([2, 3]), b: floats([3, 4]) }, ({ a, b }) => op.matmul(a, b)),
  caseOf('matmul in batches', { a: floats([2, 2, 3]), b: floats([2, 3, 2]) }, ({ a, b }) => op.matmul(a, b)),
  caseOf('matmul with one matrix', { a: floats([2, 2, 3]), b: floats([3, 2]) }, ({ a, b }) =>
    op.matmul(a, b),
  ),
  caseOf('matmul of broadcast batches', { a: floats([2, 1, 2, 3]), b: floats([3, 3, 2]) }, ({ a, b }) =>
    op.matmul(a, b),
  ),
  caseOf(
    'matmul of named sizes',
    { a: floats([2, 3, 4], -2, 2, ['batch', 'seq', 4]), b: floats([2, 4, 3], -2, 2, ['batch', 4, 'seq']) },
    ({ a, b }) => op.matmul(a, b),
  ),
];

const NORMAL: readonly Case[] = [
  caseOf('silu', { x: floats([2, 3], -4, 4) }, ({ x }) => c.silu(x)),
  caseOf('gelu', { x: floats([2, 3], -4, 4) }, ({ x }) => c.gelu(x)),
  caseOf('softmax', { x: floats([2, 4]) }, ({ x }) => c.softmax(x)),
  caseOf('softmax of large numbers', { x: floats([2, 4], 998, 1002) }, ({ x }) => c.softmax(x)),
  caseOf('logSoftmax', { x: floats([2, 4]) }, ({ x }) => c.logSoftmax(x)),
  caseOf('rotateHalf', { x: floats([2, 6]) }, ({ x }) => c.rotateHalf(x)),
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
  caseOf('rope', { x: floats([2, 2, 3, 4]), cos: floats([2, 1, 3, 4]), sin: floats([2, 1, 3, 4]) }, (x) =>
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

/** Two heads of 8 over one, a cache of 4. */
function cached(length: number, lastIndex: readonly number[], total: number): Case['inputs'] {
  const batch = lastIndex.length;
  return {
    query: floats([batch, length, 16]),
    key: floats([batch, length, 8]),
    value: floats([batch, length, 8]),
    cachedKeys: floats([batch, 1, 4, 8]),
    cachedValues: floats([batch, 1, 4, 8]),
    lastIndex: values('i32', [batch], lastIndex),
    total: values('i32', [], [total]),
  };
}

const groupQueryAttention: Build = ({ query, key, value, cachedKeys, cachedValues, lastIndex, total }) => {
  const operands = { query, key, value, cachedKeys, cachedValues, lastIndex, total, heads: 2, kvHeads: 1 };
  const { output, keys, values: cache } = op.groupQueryAttention(operands);
  return [output, keys, cache];
};

const CACHED: readonly Case[] = [
  rough('groupQueryAttention of a prompt', cached(3, [2, 2], 3), groupQueryAttention),
  rough('groupQueryAttention of a next token', cached(1, [3, 1], 4), groupQueryAttention),
];

export const CASES: readonly Case[] = [
  ...UNARY,
  ...BINARY,
  ...SHAPE,
  ...REDUCE,
  ...MATMUL,
  ...NORMAL,
  ...ATTENTION,
  ...CACHED,
];

/** The case as a graph over inputs of its names. */
export function buildCase({ inputs, build }: Case): {
  outputs: readonly Tensor[];
  tensors: Record<string, Tensor>;
} {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape, declared }]) => [
      name,
      op.input(name, dtype, declared ?? shape),
    ]),
  );
  return { outputs: build(tensors), tensors };
}
