import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';

/** The calls that writing needs; replaced in tests to write onto a device that is full. */
export interface FileCalls {
  /** Makes a file for writing, which is not there yet, and gives its descriptor. */
  readonly open: (path: string) => number;
  /** Writes from `offset` on and gives the number of bytes written, which may be fewer than `length`. */
  readonly write: (fd: number, bytes: Uint8Array, offset: number, length: number) => number;
  readonly sync: (fd: number) => void;
}

export const nodeFiles: FileCalls = {
  open: (path) => openSync(path, 'wx'),
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
  return new UserError(`${path} cannot be written; ${remedy}. What stood there before is unchanged.`, {
    code: 'storage',
    cause: error,
  });
}

/** As many as Linux follows before it says ELOOP. */
const MAX_LINKS = 40;

/** What can stand at a path that is to be written and is no file: a rename would put a file in its place. */
const NO_FILES: readonly (readonly [test: (stats: Stats) => boolean, name: string])[] = [
  [(stats) => stats.isDirectory(), 'a folder'],
  [(stats) => stats.isCharacterDevice() || stats.isBlockDevice(), 'a device'],
  [(stats) => stats.isFIFO(), 'a pipe'],
  [(stats) => stats.isSocket(), 'a socket'],
];

/**
 * Where a file of this path really lies or will lie: links are followed, also to a file that is not there yet.
 * @throws UserError where something else than a regular file stands there.
 */
function writableFile(path: string): string {
  let place = resolve(path);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const stats = lstatSync(place, { throwIfNoEntry: false });
    if (stats === undefined) return place;
    if (!stats.isSymbolicLink()) {
      const [, what] = NO_FILES.find(([test]) => test(stats)) ?? [];
      if (what === undefined) return place;
      throw new UserError(
        `${path} is ${what}, not a file, and is not written over; give the name of a file.`,
        {
          code: 'storage',
        },
      );
    }
    place = resolve(dirname(place), readlinkSync(place));
  }
  throw new UserError(`${path} leads through more than ${MAX_LINKS} links; give the file itself.`, {
    code: 'storage',
  });
}

/**
 * Writes a file that appears whole or not at all: the pieces go to `.NAME.partial` beside it, are forced to the disk, and
 * one rename puts them in place. On any failure the partial file is removed and the old file stays. A link is followed
 * and stays a link. Throws a {@link UserError} where a device, a pipe or a folder stands at the path.
 */
export function writeAtomically(
  path: string,
  pieces: Iterable<Uint8Array>,
  files: FileCalls = nodeFiles,
): void {
  const place = located(path);
  const partial = join(dirname(place), `.${basename(place)}.partial`);
  try {
    // What a killed process left there; a link in its place is removed, not followed.
    rmSync(partial, { force: true });
    const fd = files.open(partial);
    try {
      for (const piece of pieces) writeFully(fd, piece, files);
      files.sync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, place);
  } catch (error) {
    rmSync(partial, { force: true });
    throw writeFailure(path, error);
  }
  syncFolder(dirname(place));
}

function located(path: string): string {
  try {
    return writableFile(path);
  } catch (error) {
    throw writeFailure(path, error);
  }
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
