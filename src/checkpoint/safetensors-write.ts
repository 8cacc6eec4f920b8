import { assert } from '../util/errors.js';
import {
  convertFromFloat32,
  type DType,
  isFloatDType,
  itemSize,
  numElements,
  type TensorArray,
  viewAs,
} from './dtype.js';
import { type FileCalls, nodeFiles, writeAtomically } from './files.js';
import { LENGTH_BYTES } from './header.js';

/** A tensor to be written: f32 values for F32, F16 and BF16, or an array in the type's own layout for any. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The values, or a function that makes them when their turn comes, so that not all are in memory at once. */
  readonly data: TensorArray | (() => TensorArray);
}

export interface WriteOptions {
  /** Free text in the header; transformers wants `{ format: 'pt' }`. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly files?: FileCalls;
}

/** The data begin at a multiple of this, as in huggingface/safetensors:safetensors/src/tensor.rs. */
const ALIGNMENT = 8;

/**
 * Writes a safetensors file, tensor after tensor, atomically: a crash or a full disk leaves the old file as it was and
 * no partial one. f32 values are rounded to nearest, ties to even, for F16 and BF16. Throws a {@link UserError} when
 * the disk refuses.
 */
export async function writeSafetensors(
  path: string,
  entries: Iterable<TensorEntry>,
  { metadata = { format: 'pt' }, files = nodeFiles }: WriteOptions = {},
): Promise<void> {
  // The reference's order, large elements first and then by name, keeps every tensor aligned.
  const sorted = [...entries].sort(
    (a, b) => itemSize(b.dtype) - itemSize(a.dtype) || (a.name < b.name ? -1 : 1),
  );
  writeAtomically(path, pieces(sorted, metadata), files);
}

/** The file's bytes in order: header, then each tensor. */
function* pieces(
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array> {
  yield encodeHeader(entries, metadata);
  for (const entry of entries) yield encodeData(entry);
}

function encodeHeader(
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const described = new Map<string, unknown>([['__metadata__', metadata]]);
  let begin = 0;
  for (const { name, dtype, shape } of entries) {
    assert(!described.has(name), `the tensor "${name}" is to be written twice`);
    const end = begin + numElements(shape) * itemSize(dtype);
    described.set(name, { dtype, shape, data_offsets: [begin, end] });
    begin = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(described)));
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(LENGTH_BYTES + length).fill(0x20, LENGTH_BYTES); // padded with spaces
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, LENGTH_BYTES);
  return header;
}

function encodeData({ name, dtype, shape, data }: TensorEntry): Uint8Array {
  const given = typeof data === 'function' ? data() : data;
  const stored =
    isFloatDType(dtype) && given instanceof Float32Array ? convertFromFloat32(dtype, given) : given;
  assert(
    stored.length === numElements(shape),
    `"${name}" has ${stored.length} values, but shape [${shape.join(', ')}]`,
  );
  const expected = viewAs(dtype, new ArrayBuffer(0));
  assert(
    Object.getPrototypeOf(stored) === Object.getPrototypeOf(expected),
    `"${name}" is to be written as ${dtype}, but its values are a ${stored.constructor.name}`,
  );
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
