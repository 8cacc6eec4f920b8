/** @module Weights beside the model: in a file, which ONNX Runtime maps into memory, or in memory that it reads. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoweredModel } from '../onnx/lower.js';
import type { ExternalWeights } from '../onnx/weights.js';
import { assert, InternalError, UserError } from '../util/errors.js';

/** One weight at a time, so that no more than the largest is held here. */
function writeWeights(path: string, { weights, source }: ExternalWeights): void {
  const file = openSync(path, 'w');
  try {
    for (const { name, offset, byteLength } of weights) {
      const data = source.read(name);
      if (data.byteLength !== byteLength)
        throw new InternalError(`the weight '${name}' has ${data.byteLength} bytes instead of ${byteLength}`);
      const bytes = new Uint8Array(data.buffer, data.byteOffset, byteLength);
      // One call may write less than it is given (at most 2 GiB on Linux).
      for (let done = 0; done < byteLength; )
        done += writeSync(file, bytes, done, byteLength - done, offset + done);
    }
  } finally {
    closeSync(file);
  }
}

/** Makes the system's refusals the user's to solve. */
function onDisk<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new UserError(
      `The weights cannot be laid out in ${tmpdir()} (${error.message}); point TMPDIR at a disk with more room.`,
    );
  }
}

/**
 * Gives `use` the path of the model with its weights beside it, in a folder that is gone afterwards; a mapped file lives
 * on until its session ends. A UserError where the disk has no room.
 */
export async function withModelFiles<T>(
  { proto }: LoweredModel,
  external: ExternalWeights,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const folder = onDisk(() => mkdtempSync(join(tmpdir(), 'safeguard-vl-')));
  try {
    const path = join(folder, 'model.onnx');
    onDisk(() => {
      writeFileSync(path, proto);
      writeWeights(join(folder, external.location), external);
    });
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Room for the bytes that the file would have. */
export function weightRoom({ weights }: ExternalWeights): Uint8Array {
  return new Uint8Array(Math.max(...weights.map(({ offset, byteLength }) => offset + byteLength)));
}

/** Fills it with the weights as they are now. */
export function fillWeights({ weights, source }: ExternalWeights, bytes: Uint8Array): void {
  for (const { name, offset, byteLength } of weights) {
    const { buffer, byteOffset, byteLength: actual } = source.read(name);
    assert(actual === byteLength, `the weight '${name}' has ${actual} bytes instead of ${byteLength}`);
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
  }
}
