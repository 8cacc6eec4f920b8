/** @module Builders of primitive nodes: `matmul(a, b)` makes a node and returns its value. */
import { allocate, type DType, type TensorData } from './dtype.js';
import { type Attributes, makeNode, type Tensor } from './node.js';
import { PRIMITIVES, type PrimitiveName } from './primitives.js';
import { type Dim, divideDim, normalizeAxis, type Shape, sameShape, sizeOf } from './shape.js';

function make(op: PrimitiveName, inputs: readonly Tensor[], attributes?: Attributes): Tensor {
  return makeNode(op, PRIMITIVES[op], inputs, attributes).outputs[0];
}

/** A value fed at each run. */
export function input(name: string, dtype: DType, shape: Shape): Tensor {
  return make('input', [], { name, dtype, shape });
}

/** A weight, found by its name in a checkpoint. */
export function parameter(name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
  return make('parameter', [], { name, dtype, shape });
}

/** A value that is part of the graph. */
export function constant(dtype: DType, shape: readonly number[], data: TensorData): Tensor {
  return make('constant', [], { dtype, shape, data });
}

/** A constant of rank 0. */
export function scalar(value: number, dtype: DType = 'f32'): Tensor {
  const data = allocate(dtype, 1);
  data[0] = data instanceof BigInt64Array ? BigInt(value) : value;
  return constant(dtype, [], data);
}

type Operand = Tensor | number;

function binary(op: PrimitiveName): (a: Operand, b: Operand) => Tensor {
  return (a, b) => {
    const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'f32';
    const [x, y] = [a, b].map((operand) => (typeof operand === 'number' ? scalar(operand, dtype) : operand));
    return make(op, [x, y]);
  };
}

function unary(op: PrimitiveName): (x: Tensor) => Tensor {
  return (x) => make(op, [x]);
}

export const neg = unary('neg');
export const abs = unary('abs');
export const sign = unary('sign');
export const exp = unary('exp');
export const log = unary('log');
export const sqrt = unary('sqrt');
export const reciprocal = unary('reciprocal');
export const tanh = unary('tanh');
export const sigmoid = unary('sigmoid');
export const erf = unary('erf');
export const sin = unary('sin');
export const cos = unary('cos');
export const not = unary('not');
export const stopGradient = unary('stopGradient');

/** x, which whatever reads it gets only once `others` have been computed. */
export function after(x: Tensor, others: readonly Tensor[]): Tensor {
  return others.length === 0 ? x : make('after', [x, ...others]);
}

/** A plain number may stand for a scalar of the other operand's dtype. */
export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
export const pow = binary('pow');
export const max = binary('max');
export const min = binary('min');
export const equal = binary('equal');
export const less = binary('less');
export const greater = binary('greater');
export const and = binary('and');
export const or = binary('or');

export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : make('cast', [x], { dtype });
}

/** Element by element: `a` where the condition holds, else `b`. */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  return make('where', [condition, a, b]);
}

function reduction(op: PrimitiveName): (x: Tensor, axes: readonly number[], keepDims?: boolean) => Tensor {
  return (x, axes, keepDims = true) => {
    const normalized = axes.map((axis) => normalizeAxis(axis, x.shape.length)).sort((a, b) => a - b);
    return normalized.length === 0 ? x : make(op, [x], { axes: normalized, keepDims });
  };
}
export const reduceSum = reduction('reduceSum');
export const reduceMean = reduction('reduceMean');
export const reduceMax = reduction('reduceMax');

/** [..., m, k] × [..., k, n] → [..., m, n]. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return make('matmul', [a, b]);
}

/** The same elements in another shape; −1 (at most once) stands for what is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const open = shape.indexOf(-1);
  const target = open < 0 ? [...shape] : shape.map((dim, i) => (i === open ? leftOver(x.shape, shape) : dim));
  return sameShape(target, x.shape) ? x : make('reshape', [x], { shape: target });
}

/** What −1 stands for: the source's elements over the other target dimensions. */
function leftOver(source: Shape, target: Shape): Dim {
  const rest = [...source];
  let divisor = 1;
  for (const dim of target) {
    if (dim === -1) continue;
    const at = typeof dim === 'string' ? rest.indexOf(dim) : -1;
    if (at >= 0) rest.splice(at, 1);
    else if (typeof dim === 'number') divisor *= dim;
  }
  return divideDim(sizeOf(rest), divisor);
}

/** The number of rows of the last axis: the product of all other dimensions. */
export function rowsOf(x: Tensor): Dim {
  return sizeOf(x.shape.slice(0, -1));
}

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return permutation.every((axis, i) => axis === i) ? x : make('transpose', [x], { permutation });
}

/** Swaps the last two axes. */
export function matrixTranspose(x: Tensor): Tensor {
  const axes = x.shape.map((_, i) => i);
  const last = axes.length - 1;
  [axes[last - 1], axes[last]] = [last, last - 1];
  return transpose(x, axes);
}

export function expand(x: Tensor, shape: Shape): Tensor {
  return sameShape(shape, x.shape) ? x : make('expand', [x], { shape });
}

export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 1) return tensors[0];
  return make('concat', tensors, { axis: normalizeAxis(axis, tensors[0].shape.length) });
}

/** Elements start … end−1 of one axis. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  const at = normalizeAxis(axis, x.shape.length);
  if (start === 0 && end === x.shape[at]) return x;
  return make('slice', [x], { axis: at, start, end });
}

/** Zeros before and after one axis. */
export function pad(x: Tensor, axis: number, before: number, after: number): Tensor {
  if (before === 0 && after === 0) return x;
  return make('pad', [x], { axis: normalizeAxis(axis, x.shape.length), before, after });
}

/** Rows of `x` [n, …] at `indices` […i] (i64) → […i, …]. */
export function gather(x: Tensor, indices: Tensor): Tensor {
  return make('gather', [x, indices]);
}

/** `updates` […i, …] added into zeros of `shape` [n, …] at the rows `indices` […i] (i64). */
export function scatterAdd(updates: Tensor, indices: Tensor, shape: Shape): Tensor {
  return make('scatterAdd', [updates, indices], { shape });
}

/** What {@link groupQueryAttention} needs; shapes as in the primitives' table. */
export interface CachedAttention {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly cachedKeys: Tensor;
  readonly cachedValues: Tensor;
  readonly lastIndex: Tensor;
  readonly total: Tensor;
  readonly heads: number;
  readonly kvHeads: number;
}

/** Causal attention that appends to a key/value cache. */
export function groupQueryAttention(operands: CachedAttention): {
  output: Tensor;
  keys: Tensor;
  values: Tensor;
} {
  const { query, key, value, cachedKeys, cachedValues, lastIndex, total, heads, kvHeads } = operands;
  const inputs = [query, key, value, cachedKeys, cachedValues, lastIndex, total];
  const [output, keys, values] = makeNode('groupQueryAttention', PRIMITIVES.groupQueryAttention, inputs, {
    heads,
    kvHeads,
  }).outputs;
  return { output, keys, values };
}
