/** The element types of tensors, by PyTorch's short names; sizes in bytes. */
export const DTYPE_BYTES = { f32: 4, f16: 2, i64: 8, i32: 4, bool: 1, u8: 1 } as const;
export type DType = keyof typeof DTYPE_BYTES;

/** The typed array that holds each dtype: f16 as raw bits, bool as 0 or 1. */
export interface DTypeArrays {
  f32: Float32Array;
  f16: Uint16Array;
  i64: BigInt64Array;
  i32: Int32Array;
  bool: Uint8Array;
  u8: Uint8Array;
}
export type TensorData = DTypeArrays[DType];

const FLOATS: readonly DType[] = ['f32', 'f16'];

export function isFloat(dtype: DType): boolean {
  return FLOATS.includes(dtype);
}

/** A zero-filled array of `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): DTypeArrays[D];
export function allocate(dtype: DType, length: number): TensorData {
  switch (dtype) {
    case 'f32':
      return new Float32Array(length);
    case 'f16':
      return new Uint16Array(length);
    case 'i64':
      return new BigInt64Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'bool':
    case 'u8':
      return new Uint8Array(length);
  }
}
