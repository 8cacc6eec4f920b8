/** @module Small files of a checkpoint, read without trust: regular files only, no larger than their kind can be. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';

const MIB = 2 ** 20;

/** The largest size of each kind of file in bytes; several times what the largest published models have. */
const LIMITS: Readonly<Record<string, number>> = {
  'tokenizer.json': 64 * MIB,
  'vocab.json': 64 * MIB,
  'merges.txt': 64 * MIB,
  'tokenizer_config.json': 16 * MIB,
  'added_tokens.json': 16 * MIB,
  'special_tokens_map.json': 16 * MIB,
  'model.safetensors.index.json': 16 * MIB,
  'chat_template.jinja': MIB,
  'chat_template.json': MIB,
};

/** For every other file: configurations have a few kilobytes. */
const DEFAULT_LIMIT = 4 * MIB;

/** What a clone without its large files holds instead of one. */
const LFS_POINTER = 'version https://git-lfs';

/** The largest size in bytes that a file of this name may have. */
export function sizeLimit(path: string): number {
  const name = basename(path);
  return Object.hasOwn(LIMITS, name) ? LIMITS[name] : DEFAULT_LIMIT;
}

/**
 * The bytes of a regular file. Devices, pipes and folders are refused before a byte is read, whatever links lead there;
 * what is larger than `limit` bytes (default: {@link sizeLimit} of its name) is refused too.
 * @throws UserError that names the file.
 */
export function readRegularFile(path: string, limit = sizeLimit(path)): Buffer {
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a pipe waits until somebody writes to it. Windows has neither.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      throw new UserError(`${path} is no regular file, so it is not read: put the file itself there.`, {
        code: 'invalid_checkpoint',
      });
    }
    // Some file systems say 0 of files that hold something, so the end is looked for, one byte past the limit.
    const bytes = Buffer.allocUnsafe(Math.min(limit, Math.max(stat.size, 2 ** 16)) + 1);
    let size = 0;
    while (size < bytes.length) {
      const count = readSync(fd, bytes, size, bytes.length - size, size);
      if (count === 0) break;
      size += count;
    }
    if (stat.size > limit || size === bytes.length) throw tooLarge(path, limit);
    return bytes.subarray(0, size);
  } catch (error) {
    throw error instanceof UserError ? error : unreadable(path, error);
  } finally {
    closeSync(fd);
  }
}

/**
 * The text of a regular file in UTF-8, within the limit of its kind.
 * @throws UserError that names the file; a Git LFS pointer is told as such.
 */
export function readTextFile(path: string): string {
  const text = readRegularFile(path).toString('utf8');
  if (text.startsWith(LFS_POINTER)) throw lfsPointer(path);
  return text;
}

/** Said of every file that a clone without Git LFS left a pointer of. */
export function lfsPointer(path: string): UserError {
  return new UserError(
    `${path} is a Git LFS pointer, not the file itself: run \`git lfs pull\` in its folder.`,
    {
      code: 'invalid_checkpoint',
    },
  );
}

const unreadable = (path: string, error: unknown): UserError =>
  new UserError(`${path} cannot be read (${messageOf(error)}): check the path and its permissions.`, {
    code: error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'not_found' : 'storage',
    cause: error,
  });

const tooLarge = (path: string, limit: number): UserError =>
  new UserError(
    `${path} has more than ${limit} bytes, which no file of its kind needs: take the file from its source again.`,
    { code: 'too_large' },
  );
