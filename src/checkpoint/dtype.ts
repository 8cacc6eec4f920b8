import { InternalError, UserError } from '../util/errors.js';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half.js';

/** The values of a tensor as they lie in memory; F16 and BF16 are kept as their 16 bits. */
export type TensorArray =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

interface DTypeRule {
  /** Bytes of one element. */
  readonly itemSize: number;
  /** A view of a buffer that starts at byte 0. */
  readonly view: (buffer: ArrayBuffer) => TensorArray;
  /** The values as f32; absent where that would lose whole numbers silently. */
  readonly toFloat32?: (array: TensorArray) => Float32Array;
  /** Of a float type: the index of the first NaN or infinity; -1 where there is none. */
  readonly firstNonFinite?: (array: TensorArray) => number;
  /** f32 values as this type, rounded to nearest, ties to even. */
  readonly fromFloat32?: (values: Float32Array) => TensorArray;
}

const asFloat32 = (array: TensorArray): Float32Array => {
  if (array instanceof BigInt64Array) throw new InternalError('64-bit integers are not read as f32');
  return array instanceof Float32Array ? array : Float32Array.from(array);
};

const bits = (array: TensorArray): Uint16Array => {
  if (!(array instanceof Uint16Array)) throw new InternalError('16-bit floats are kept as Uint16Array');
  return array;
};

/** Searches bit patterns for an exponent of ones: NaN and infinity have it, and nothing else (IEEE 754). */
const exponentOfOnes =
  (mask: number) =>
  (words: Uint16Array | Uint32Array): number => {
    for (let i = 0; i < words.length; i++) if ((words[i] & mask) === mask) return i;
    return -1;
  };
const float32Exponent = exponentOfOnes(0x7f800000);
const float16Exponent = exponentOfOnes(0x7c00);
const bfloat16Exponent = exponentOfOnes(0x7f80);

/** The index of the first NaN or infinity of f32 values; -1 where there is none. */
export const firstNonFinite = (values: Float32Array): number =>
  float32Exponent(new Uint32Array(values.buffer, values.byteOffset, values.length));

/** The element types that are read and written, by their safetensors name (huggingface/safetensors:README.md). */
const RULES = {
  // A value that f32 cannot hold becomes infinite on the way, so these are looked at as f32.
  F64: {
    itemSize: 8,
    view: (b) => new Float64Array(b),
    toFloat32: asFloat32,
    firstNonFinite: (a) => firstNonFinite(asFloat32(a)),
  },
  F32: {
    itemSize: 4,
    view: (b) => new Float32Array(b),
    toFloat32: asFloat32,
    firstNonFinite: (a) => firstNonFinite(asFloat32(a)),
    fromFloat32: (v) => v,
  },
  F16: {
    itemSize: 2,
    view: (b) => new Uint16Array(b),
    toFloat32: (a) => float16ToFloat32(bits(a)),
    firstNonFinite: (a) => float16Exponent(bits(a)),
    fromFloat32: float32ToFloat16,
  },
  BF16: {
    itemSize: 2,
    view: (b) => new Uint16Array(b),
    toFloat32: (a) => bfloat16ToFloat32(bits(a)),
    firstNonFinite: (a) => bfloat16Exponent(bits(a)),
    fromFloat32: float32ToBfloat16,
  },
  I64: { itemSize: 8, view: (b) => new BigInt64Array(b) },
  I32: { itemSize: 4, view: (b) => new Int32Array(b) },
  I16: { itemSize: 2, view: (b) => new Int16Array(b) },
  I8: { itemSize: 1, view: (b) => new Int8Array(b) },
  U8: { itemSize: 1, view: (b) => new Uint8Array(b) },
  BOOL: { itemSize: 1, view: (b) => new Uint8Array(b) },
} as const satisfies Record<string, DTypeRule>;

/** The name of an element type in a safetensors header. */
export type DType = keyof typeof RULES;

/** The element types that weights may have: the ones that convert to and from f32. */
export type FloatDType = 'F32' | 'F16' | 'BF16';

/** The names of all element types that are read, for messages. */
export const DTYPE_NAMES = Object.keys(RULES).join(', ');

export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && Object.hasOwn(RULES, name);
}

export function isFloatDType(dtype: DType): dtype is FloatDType {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Bytes of one element. */
export function itemSize(dtype: DType): number {
  return RULES[dtype].itemSize;
}

/** The bytes of a tensor as a typed array over the same memory. */
export function viewAs(dtype: DType, buffer: ArrayBuffer): TensorArray {
  return RULES[dtype].view(buffer);
}

/** @throws UserError where values that are to be weights hold NaN or infinity; `where` names the tensor. */
export function refuseNonFinite(dtype: DType, array: TensorArray, where: string): void {
  const rule: DTypeRule = RULES[dtype];
  const found = rule.firstNonFinite?.(array) ?? -1;
  if (found < 0) return;
  const value = convertToFloat32(dtype, array.slice(found, found + 1), where)[0];
  throw new UserError(
    `${where} holds ${value}, with which nothing can be computed: the file is damaged or its training diverged; ` +
      'download it again, or take an earlier save.',
    { code: 'invalid_checkpoint' },
  );
}

/** Values as f32. `where` names the tensor in the message for a type that has no exact meaning as f32. */
export function convertToFloat32(dtype: DType, array: TensorArray, where: string): Float32Array {
  const rule: DTypeRule = RULES[dtype];
  if (!rule.toFloat32) {
    throw new UserError(
      `${where} has dtype ${dtype}, but floats are needed (F32, F16 or BF16): convert the weights to one of these.`,
    );
  }
  return rule.toFloat32(array);
}

/** f32 values as the array to be stored for `dtype`. */
export function convertFromFloat32(dtype: FloatDType, values: Float32Array): TensorArray {
  return RULES[dtype].fromFloat32(values);
}

/** The product of a shape; 1 for a scalar. */
export function numElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
