/** @module Small applications of every op, shared by the tests against formulas, central differences and ONNX Runtime. */
import { bool, type Case, caseOf, floats, i64, rough, values } from './case.test-util.js';
import { COMPOSITE_CASES } from './composite-cases.test-util.js';
import * as op from './ops.js';

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
  caseOf('after', { x: floats([2, 3]), y: floats([4]), z: floats([]) }, ({ x, y, z }) => [
    op.after(op.sin(x), [op.exp(y), z]),
    op.mul(y, z),
  ]),
  rough('after of whole numbers', { x: i64([3], [-7, 0, 5]), y: floats([2]) }, ({ x, y }) =>
    op.after(x, [op.exp(y)]),
  ),
  rough('after of a scalar', { x: floats([]), y: floats([2]) }, ({ x, y }) => op.after(x, [op.exp(y)])),
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

/** Shape ops take every dtype; no float among these. */
const MOVED: readonly Case[] = (['i64', 'i32', 'bool', 'u8'] as const).flatMap((dtype) => {
  const x = values(dtype, [2, 2], [1, 0, 0, 1]);
  const ids = i64([2], [1, 0]);
  const name = `of ${dtype}`;
  return [
    rough(
      `where ${name}`,
      { shown: bool([2, 1], [1, 0]), x, y: values(dtype, [2], [0, 1]) },
      ({ shown, x: a, y }) => op.where(shown, a, y),
    ),
    rough(`reshape ${name}`, { x }, ({ x: a }) => op.reshape(a, [4])),
    rough(`transpose ${name}`, { x }, ({ x: a }) => op.transpose(a, [1, 0])),
    rough(`expand ${name}`, { x }, ({ x: a }) => op.expand(a, [2, 2, 2])),
    rough(`concat ${name}`, { x }, ({ x: a }) => op.concat([a, a], 0)),
    rough(`slice ${name}`, { x }, ({ x: a }) => op.slice(a, 1, 1, 2)),
    rough(`pad ${name}`, { x }, ({ x: a }) => op.pad(a, 0, 0, 1)),
    rough(`gather ${name}`, { x, ids }, ({ x: a, ids: rows }) => op.gather(a, rows)),
    rough(`equal ${name}`, { x }, ({ x: a }) => op.equal(a, op.transpose(a, [1, 0]))),
    rough(`cast ${name}`, { x }, ({ x: a }) => op.cast(a, dtype === 'i64' ? 'u8' : 'i64')),
  ];
});

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

export const CASES: readonly Case[] = [
  ...UNARY,
  ...BINARY,
  ...SHAPE,
  ...MOVED,
  ...REDUCE,
  ...MATMUL,
  ...COMPOSITE_CASES,
];
