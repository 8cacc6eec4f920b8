import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type FileCalls, nodeFiles } from './files.js';

/** A folder for one test, removed after it. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'safeguard-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A pipe that nobody writes to. */
export function makePipe(path: string): string {
  // Node cannot make one.
  execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
  return path;
}

/** A real full device: every write to it fails in the kernel with ENOSPC. Linux only. */
export const FULL_DEVICE = '/dev/full';

/** Opens files whose name matches on the full device, all others where they belong. */
export function fullDiskFor(pattern: RegExp): FileCalls {
  return {
    ...nodeFiles,
    open: (path) => (pattern.test(path) ? openSync(FULL_DEVICE, 'w') : nodeFiles.open(path)),
  };
}

/** Takes at most `step` bytes a call, and no more than `capacity` in all: then the disk is full. */
export function smallDisk(capacity: number, step: number): FileCalls {
  let free = capacity;
  return {
    ...nodeFiles,
    write: (fd, bytes, offset, length) => {
      if (free === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      const count = writeSync(fd, bytes, offset, Math.min(length, step, free));
      free -= count;
      return count;
    },
  };
}
