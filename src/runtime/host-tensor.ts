/** @module Tensors in this process's memory, and the same memory as ONNX Runtime's tensors. */
import { Tensor as OrtTensor } from './onnxruntime.js';
import { allocate, type DType, type TensorData } from '../graph/dtype.js';
import { InternalError } from '../util/errors.js';

/** A value fed to or fetched from a session; `data` in row-major order, f16 as raw bits, bool as 0 or 1. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** A tensor of zeros. */
export function hostTensor(dtype: DType, shape: readonly number[]): HostTensor {
  return {
    dtype,
    shape,
    data: allocate(
      dtype,
      shape.reduce((product, dim) => product * dim, 1),
    ),
  };
}

const ORT_TYPES = {
  f32: 'float32',
  f16: 'float16',
  i64: 'int64',
  i32: 'int32',
  bool: 'bool',
  u8: 'uint8',
} as const satisfies Record<DType, OrtTensor.Type>;

const DTYPES: ReadonlyMap<OrtTensor.Type, DType> = new Map([
  ['float32', 'f32'],
  ['float16', 'f16'],
  ['int64', 'i64'],
  ['int32', 'i32'],
  ['bool', 'bool'],
  ['uint8', 'u8'],
]);

/** The same memory as an ort.Tensor. */
export function toOrt({ dtype, shape, data }: HostTensor): OrtTensor {
  return new OrtTensor(ORT_TYPES[dtype], data, shape);
}

/** An ort.Tensor on the CPU as ours, without a copy. */
export function fromOrt(name: string, tensor: OrtTensor): HostTensor {
  const dtype = DTYPES.get(tensor.type);
  const { data } = tensor;
  if (dtype === undefined || !ArrayBuffer.isView(data)) {
    throw new InternalError(`'${name}' came back as ${tensor.type}, which has no dtype here`);
  }
  const expected = allocate(dtype, 0);
  if (data instanceof expected.constructor) return { dtype, shape: tensor.dims, data: data as TensorData };
  // A Node with Float16Array gives that; its bits are the same.
  const halves = new Uint16Array(
    data.buffer,
    data.byteOffset,
    data.byteLength / Uint16Array.BYTES_PER_ELEMENT,
  );
  return { dtype, shape: tensor.dims, data: halves };
}

/** The bytes of a tensor, in its own memory. */
export function bytesOf({ data }: HostTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Copies the elements of one tensor to another of the same type; nothing to do where both are the same memory. */
export function copyInto(target: HostTensor, source: HostTensor): void {
  if (target.data !== source.data) bytesOf(target).set(bytesOf(source));
}
