import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';

/** The calls that writing needs; replaced in tests to write onto a device that is full. */
export interface FileCalls {
  /** Opens a new or emptied file for writing and gives its descriptor. */
  readonly open: (path: string) => number;
  /** Writes from `offset` on and gives the number of bytes written, which may be fewer than `length`. */
  readonly write: (fd: number, bytes: Uint8Array, offset: number, length: number) => number;
  readonly sync: (fd: number) => void;
}

export const nodeFiles: FileCalls = {
  open: (path) => openSync(path, 'w'),
  write: (fd, bytes, offset, length) => writeSync(fd, bytes, offset, length),
  sync: fsyncSync,
};

/** One write call moves at most this much; Node refuses more than 2³¹−1 bytes at once. */
const MAX_WRITE_BYTES = 1 << 30;

/** What can be done about a failure, by the system's name for it. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space or choose another folder',
  EDQUOT: 'the disk quota is used up: free some space or choose another folder',
  EFBIG: 'the file is larger than the system allows: choose another folder or write smaller shards',
  EACCES: 'permission is missing: change the permissions or choose another folder',
  EPERM: 'permission is missing: change the permissions or choose another folder',
  EROFS: 'the file system is read-only: choose another folder',
  ENOENT: 'the folder does not exist: create it first',
  ENOTDIR: 'a part of the path is not a folder: choose another path',
  EISDIR: 'a folder stands at this path: choose another one',
};

/** A failure to write as a {@link UserError} with its remedy; anything that is no system error stays as it is. */
export function writeFailure(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof UserError) return error;
  const remedy = REMEDIES[String(error.code)] ?? `${messageOf(error)}: check the disk`;
  return new UserError(`${path} cannot be written; ${remedy}. What stood there before is unchanged.`);
}

/**
 * Writes a file that appears whole or not at all: the pieces go to `.NAME.partial` beside it, are forced to the disk, and
 * one rename puts them in place. On any failure the partial file is removed and the old file stays.
 */
export function writeAtomically(
  path: string,
  pieces: Iterable<Uint8Array>,
  files: FileCalls = nodeFiles,
): void {
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  try {
    const fd = files.open(partial);
    try {
      for (const piece of pieces) writeFully(fd, piece, files);
      files.sync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw writeFailure(path, error);
  }
  syncFolder(dirname(path));
}

/** Makes renames in a folder survive a power loss. Windows has no such call and orders them itself. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeFully(fd: number, bytes: Uint8Array, files: FileCalls): void {
  for (let done = 0; done < bytes.length; ) {
    done += files.write(fd, bytes, done, Math.min(bytes.length - done, MAX_WRITE_BYTES));
  }
}
