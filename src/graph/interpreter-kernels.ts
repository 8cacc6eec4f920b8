/** @module Every primitive in plain loops over f64: slow, and short enough to be checked by eye. */
import { assert } from '../util/errors.js';
import { groupQueryAttention } from './interpreter-attention.js';
import {
  broadcast,
  collect,
  elementCount,
  type Kernel,
  places,
  stridesOf,
  type Value,
} from './interpreter-values.js';
import { numbers, type PrimitiveName } from './primitives.js';

function unary(f: (x: number) => number): Kernel {
  return ([x]) => [x.data.map(f)];
}

function binary(f: (a: number, b: number) => number): Kernel {
  return ([a, b], shape) => {
    const [x, y] = [broadcast(a, shape), broadcast(b, shape)];
    return [x.map((value, i) => f(value, y[i]))];
  };
}

/** Folds the reduced axes; `finish` is given the number of elements folded into one. */
function reduction(
  start: number,
  fold: (a: number, b: number) => number,
  finish: (value: number, count: number) => number = (value) => value,
): Kernel {
  return ([x], shape, attributes) => {
    const axes = new Set(numbers(attributes.axes));
    const kept = x.shape.map((size, axis) => (axes.has(axis) ? 1 : size));
    const strides = stridesOf(kept).map((stride, axis) => (axes.has(axis) ? 0 : stride));
    const out = new Float64Array(elementCount(shape)).fill(start);
    let i = 0;
    for (const place of places(x.shape, strides)) out[place] = fold(out[place], x.data[i++]);
    const count = x.data.length / out.length;
    return [out.map((value) => finish(value, count))];
  };
}

const matmul: Kernel = ([a, b], shape) => {
  const [rows, columns] = shape.slice(-2);
  const inner = a.shape[a.shape.length - 1];
  const batch = shape.slice(0, -2);
  const left = broadcast(a, [...batch, rows, inner]);
  const right = broadcast(b, [...batch, inner, columns]);
  const out = new Float64Array(elementCount(shape));
  for (let at = 0; at < out.length; at++) {
    const column = at % columns;
    const row = Math.floor(at / columns);
    const page = Math.floor(row / rows) * inner * columns;
    for (let i = 0; i < inner; i++) out[at] += left[row * inner + i] * right[page + i * columns + column];
  }
  return [out];
};

const transpose: Kernel = ([x], shape, attributes) => {
  const strides = stridesOf(x.shape);
  return [
    collect(
      x.data,
      shape,
      numbers(attributes.permutation).map((axis) => strides[axis]),
    ),
  ];
};

/** Copies `part` into `whole` from `start` on along one axis. */
function place(
  whole: Float64Array,
  shape: readonly number[],
  part: Value,
  axis: number,
  start: number,
): void {
  const strides = stridesOf(shape);
  let i = 0;
  for (const at of places(part.shape, strides, start * strides[axis])) whole[at] = part.data[i++];
}

const concat: Kernel = (inputs, shape, attributes) => {
  const axis = Number(attributes.axis);
  const out = new Float64Array(elementCount(shape));
  let start = 0;
  for (const input of inputs) {
    place(out, shape, input, axis, start);
    start += input.shape[axis];
  }
  return [out];
};

const slice: Kernel = ([x], shape, attributes) => {
  const strides = stridesOf(x.shape);
  return [collect(x.data, shape, strides, Number(attributes.start) * strides[Number(attributes.axis)])];
};

const pad: Kernel = ([x], shape, attributes) => {
  const out = new Float64Array(elementCount(shape));
  place(out, shape, x, Number(attributes.axis), Number(attributes.before));
  return [out];
};

/** Checks that every index names one of `rows` rows; a negative one counts from the end, as in ONNX. */
function rowsAt(indices: Value, rows: number): number[] {
  return Array.from(indices.data, (index) => {
    assert(index >= -rows && index < rows, `index ${index} is outside a table of ${rows} rows`);
    return index < 0 ? index + rows : index;
  });
}

const gather: Kernel = ([x, indices], shape) => {
  const width = elementCount(x.shape.slice(1));
  const out = new Float64Array(elementCount(shape));
  rowsAt(indices, x.shape[0]).forEach((row, i) => {
    out.set(x.data.subarray(row * width, (row + 1) * width), i * width);
  });
  return [out];
};

const scatterAdd: Kernel = ([updates, indices], shape) => {
  const width = elementCount(shape.slice(1));
  const out = new Float64Array(elementCount(shape));
  rowsAt(indices, shape[0]).forEach((row, i) => {
    for (let j = 0; j < width; j++) out[row * width + j] += updates.data[i * width + j];
  });
  return [out];
};

const where: Kernel = ([condition, a, b], shape) => {
  const [x, y] = [broadcast(a, shape), broadcast(b, shape)];
  return [broadcast(condition, shape).map((holds, i) => (holds !== 0 ? x[i] : y[i]))];
};

const copy: Kernel = ([x]) => [x.data];
const truth = (f: (a: number, b: number) => boolean): Kernel => binary((a, b) => (f(a, b) ? 1 : 0));

/**
 * The error function: its Taylor series near 0, else 1 − the continued fraction of erfc
 * (Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.6 and 7.1.14). Exact to about 1e-15.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const size = Math.abs(x);
  const gauss = Math.exp(-x * x);
  if (size < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * gauss * sum;
  }
  let tail = size;
  for (let n = 60; n > 0; n--) tail = size + n / 2 / tail;
  return Math.sign(x) * (1 - gauss / tail / Math.sqrt(Math.PI));
}

export const KERNELS: Readonly<Record<Exclude<PrimitiveName, 'input' | 'parameter' | 'constant'>, Kernel>> = {
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  sign: unary(Math.sign),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  reciprocal: unary((x) => 1 / x),
  tanh: unary(Math.tanh),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  erf: unary(erf),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  not: unary((x) => (x === 0 ? 1 : 0)),
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  pow: binary((a, b) => a ** b),
  max: binary(Math.max),
  min: binary(Math.min),
  equal: truth((a, b) => a === b),
  less: truth((a, b) => a < b),
  greater: truth((a, b) => a > b),
  and: truth((a, b) => a !== 0 && b !== 0),
  or: truth((a, b) => a !== 0 || b !== 0),
  reduceSum: reduction(0, (a, b) => a + b),
  reduceMean: reduction(
    0,
    (a, b) => a + b,
    (sum, count) => sum / count,
  ),
  reduceMax: reduction(-Infinity, Math.max),
  stopGradient: copy,
  after: copy,
  cast: copy,
  reshape: copy,
  expand: ([x], shape) => [broadcast(x, shape)],
  where,
  matmul,
  transpose,
  concat,
  slice,
  pad,
  gather,
  scatterAdd,
  groupQueryAttention,
};
