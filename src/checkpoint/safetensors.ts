import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { assert, messageOf, UserError } from '../util/errors.js';
import {
  convertToFloat32,
  itemSize,
  numElements,
  refuseNonFinite,
  type TensorArray,
  viewAs,
} from './dtype.js';
import {
  LENGTH_BYTES,
  parseHeader,
  parseHeaderLength,
  type SafetensorsHeader,
  type TensorInfo,
} from './header.js';

export type { FloatDType, TensorArray } from './dtype.js';
export type { TensorInfo } from './header.js';
export { type TensorEntry, writeSafetensors } from './safetensors-write.js';

/** One read call moves at most this much; Node refuses more than 2³¹−1 bytes at once. */
const MAX_READ_BYTES = 1 << 30;

/** 16-bit weights are widened in pieces of this many elements, so that they are never held twice as a whole. */
const CONVERT_ELEMENTS = 1 << 22;

/** Closes the file of a reader that was dropped without `close()`. */
const forgotten = new FinalizationRegistry<number>((fd) => closeSync(fd));

/**
 * A safetensors file, opened for reading. Only the header is read at once; a tensor's bytes are read when asked for.
 * The file stays open until `close()`, so a folder that is replaced meanwhile cannot mix old places with new bytes.
 * Every lie of the header, and every failure to read, is a {@link UserError} that names the file.
 */
export class SafetensorsFile {
  private open = true;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    private readonly header: SafetensorsHeader,
    /** Where the data begins in the file. */
    private readonly dataStart: number,
  ) {
    forgotten.register(this, fd, this);
  }

  static open(path: string): SafetensorsFile {
    let fd: number;
    try {
      // Without O_NONBLOCK, opening a pipe waits until somebody writes to it. Windows has neither.
      fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      throw new UserError(
        `${path} cannot be opened (${messageOf(error)}): check the path and its permissions.`,
      );
    }
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new UserError(`${path} is not a file: give the path of a safetensors file.`);
      const prefix = new Uint8Array(Math.min(LENGTH_BYTES, stat.size));
      readFully(path, fd, prefix, 0);
      const length = parseHeaderLength(path, prefix, stat.size);
      const bytes = new Uint8Array(length);
      readFully(path, fd, bytes, LENGTH_BYTES);
      const dataStart = LENGTH_BYTES + length;
      return new SafetensorsFile(path, fd, parseHeader(path, bytes, stat.size - dataStart), dataStart);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The tensors by name, in the order of the header. */
  get tensors(): ReadonlyMap<string, TensorInfo> {
    return this.header.tensors;
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata;
  }

  /** The tensor's values in its own type; F16 and BF16 as their bits. */
  read(name: string): TensorArray {
    const { dtype, shape } = this.info(name);
    return this.readElements(name, 0, numElements(shape), dtype);
  }

  /** The tensor's values as f32, in row-major order. */
  readFloat32(name: string): Float32Array {
    return this.readFloat32Elements(name, 0, numElements(this.info(name).shape));
  }

  /** A weight as f32, in row-major order. @throws UserError that names the tensor where it holds NaN or infinity. */
  readWeight(name: string): Float32Array {
    return this.readFloat32Elements(name, 0, numElements(this.info(name).shape), true);
  }

  /** Rows `begin` to `end` (not included) of a weight along the first dimension, as {@link readWeight} gives them. */
  readWeightRows(name: string, begin: number, end: number): Float32Array {
    const { shape } = this.info(name);
    const [rows = 0, ...row] = shape;
    const inside =
      Number.isInteger(begin) && Number.isInteger(end) && 0 <= begin && begin <= end && end <= rows;
    assert(inside, `rows ${begin} to ${end} of "${name}", whose shape is [${shape.join(', ')}]`);
    return this.readFloat32Elements(name, begin * numElements(row), end * numElements(row), true);
  }

  /** Whole numbers (I64, I32, I16, I8, U8, BOOL) as JavaScript numbers, which must hold them exactly. */
  readIntegers(name: string): number[] {
    const { dtype } = this.info(name);
    const numbers = Array.from<number | bigint, number>(this.read(name), Number);
    if (dtype.startsWith('F') || dtype === 'BF16' || !numbers.every(Number.isSafeInteger)) {
      throw new UserError(`${this.path}: tensor "${name}" (${dtype}) does not hold whole numbers below 2⁵³.`);
    }
    return numbers;
  }

  /** Ends reading; further reads are our own mistake. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    forgotten.unregister(this);
    closeSync(this.fd);
  }

  private info(name: string): TensorInfo {
    const info = this.header.tensors.get(name);
    if (!info)
      throw new UserError(`${this.path} has no tensor "${name}": the file belongs to another model.`);
    return info;
  }

  /** A piece at a time, each looked at while it is in the processor's cache. */
  private readFloat32Elements(name: string, begin: number, end: number, finite = false): Float32Array {
    const { dtype } = this.info(name);
    const where = `${this.path}: tensor "${name}"`;
    const piece = (from: number, to: number): Float32Array => {
      const values = this.readElements(name, from, to, dtype);
      if (finite) refuseNonFinite(dtype, values, where);
      return convertToFloat32(dtype, values, where);
    };
    if (dtype === 'F32' || end - begin <= CONVERT_ELEMENTS) return piece(begin, end);
    const out = new Float32Array(end - begin);
    for (let at = begin; at < end; at += CONVERT_ELEMENTS) {
      out.set(piece(at, Math.min(at + CONVERT_ELEMENTS, end)), at - begin);
    }
    return out;
  }

  private readElements(name: string, begin: number, end: number, dtype: TensorInfo['dtype']): TensorArray {
    assert(this.open, `${this.path} is read after it was closed`);
    const span = this.header.tensors.get(name);
    assert(span, `no tensor "${name}"`);
    const buffer = new ArrayBuffer((end - begin) * itemSize(dtype));
    readFully(
      this.path,
      this.fd,
      new Uint8Array(buffer),
      this.dataStart + span.begin + begin * itemSize(dtype),
    );
    return viewAs(dtype, buffer);
  }
}

/** Fills `target` from the file at `position`; a file that ends before is an error. */
function readFully(path: string, fd: number, target: Uint8Array, position: number): void {
  let done = 0;
  while (done < target.length) {
    let count: number;
    try {
      count = readSync(fd, target, done, Math.min(target.length - done, MAX_READ_BYTES), position + done);
    } catch (error) {
      throw new UserError(`${path} cannot be read (${messageOf(error)}): check the disk and the file.`);
    }
    if (count === 0) {
      throw new UserError(
        `${path} ends at byte ${position + done}, sooner than when it was opened: download it again.`,
      );
    }
    done += count;
  }
}
