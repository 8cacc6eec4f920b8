/** @module Values of the interpreter: elements in row-major order and the ways to visit them. */
import type { DType } from './dtype.js';
import type { Attributes } from './node.js';

/** A value of known shape; every dtype's elements stand as f64 (whole numbers are exact up to 2⁵³). */
export interface Value {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** From the operands to the elements of each output; `shape` is the first output's. */
export type Kernel = (
  inputs: readonly Value[],
  shape: readonly number[],
  attributes: Attributes,
) => readonly Float64Array[];

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** How far apart neighbours along each axis lie in row-major order. */
export function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}

/** For each element of `shape` in order, the place strides give it, counted from `start`. */
export function* places(shape: readonly number[], strides: readonly number[], start = 0): Generator<number> {
  const count = elementCount(shape);
  const index = shape.map(() => 0);
  let place = start;
  for (let i = 0; i < count; i++) {
    yield place;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += strides[axis];
      if (++index[axis] < shape[axis]) break;
      place -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

/** `source`'s elements in the order that strides over `shape` visit them. */
export function collect(
  source: Float64Array,
  shape: readonly number[],
  strides: readonly number[],
  start = 0,
): Float64Array {
  const out = new Float64Array(elementCount(shape));
  let i = 0;
  for (const place of places(shape, strides, start)) out[i++] = source[place];
  return out;
}

/** x's elements repeated as NumPy broadcasts them to `shape`. */
export function broadcast(x: Value, shape: readonly number[]): Float64Array {
  const extra = shape.length - x.shape.length;
  const own = stridesOf(x.shape);
  const strides = shape.map((_, axis) =>
    axis < extra || x.shape[axis - extra] === 1 ? 0 : own[axis - extra],
  );
  return collect(x.data, shape, strides);
}
