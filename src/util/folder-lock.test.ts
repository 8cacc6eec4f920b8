import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOCK_FILE, lockFolder } from './folder-lock.js';

let folder = '';
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const lockPath = (): string => join(folder, LOCK_FILE);
const record = (): Record<string, unknown> =>
  JSON.parse(readFileSync(lockPath(), 'utf8')) as Record<string, unknown>;
const forge = (change: Record<string, unknown>): void =>
  writeFileSync(lockPath(), JSON.stringify({ ...record(), ...change }));

/** A process that tries to take the lock, says how that went, and stays. */
async function rival(): Promise<{ child: ChildProcess; said: string }> {
  const code = `
    const { lockFolder } = await import(${JSON.stringify(new URL('./folder-lock.ts', import.meta.url).href)});
    try { lockFolder(${JSON.stringify(folder)}, 'train grpo'); console.log('held'); }
    catch (error) { console.log(error.code + ': ' + error.message); }
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

describe('lockFolder', () => {
  it('lets one in, names it to the others, and leaves nothing behind', () => {
    const lock = lockFolder(folder, 'train sft');
    lock.check();
    let error: unknown;
    try {
      lockFolder(folder, 'train grpo');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: 'busy',
      message: expect.stringMatching(
        /is in use by train sft of this very process since \d{4}-.*: wait for it, stop it, or give another folder\.$/,
      ) as string,
    });
    lock.release();
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
    lockFolder(folder, 'train grpo').release();
  });

  it('is seen by other processes, and taken over from one that was killed', async () => {
    const { child, said } = await rival();
    expect(said).toBe('held');
    expect(() => lockFolder(folder, 'train sft')).toThrow(
      new RegExp(`in use by train grpo \\(process ${child.pid} on .*\\) since`),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readdirSync(folder)).toEqual([LOCK_FILE]);
    lockFolder(folder, 'train sft').release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('lets exactly one of many in that find a stale lock at once', async () => {
    const lock = lockFolder(folder, 'train sft');
    // Nobody has this number: Linux gives none above 2²².
    forge({ pid: 2 ** 30 });
    const said = await Promise.all(Array.from({ length: 4 }, async () => (await rival()).said));
    expect(said.filter((word) => word === 'held')).toHaveLength(1);
    expect(said.filter((word) => word.startsWith('busy: '))).toHaveLength(3);
    expect(() => lock.check()).toThrow(/no longer this process's but train grpo \(process \d+ on/);
    expect(() => lock.check()).toThrow(expect.objectContaining({ code: 'busy' }) as Error);
    lock.release();
    expect(readdirSync(folder)).toEqual([LOCK_FILE]);
  });

  it.each<[string, () => void]>([
    ['a process whose number another one has by now', () => forge({ started: 'at another time' })],
    ['a process that is gone', () => forge({ pid: 2 ** 30 })],
    [
      'another machine that has been silent for long',
      () => {
        forge({ place: 'elsewhere', host: 'elsewhere' });
        const hourAgo = Date.now() / 1000 - 3600;
        utimesSync(lockPath(), hourAgo, hourAgo);
      },
    ],
    [
      'a process killed before it wrote who it is',
      () => {
        writeFileSync(lockPath(), '');
        const before = Date.now() / 1000 - 60;
        utimesSync(lockPath(), before, before);
      },
    ],
  ])('takes over from %s', (_, make) => {
    lockFolder(folder, 'train sft');
    make();
    const lock = lockFolder(folder, 'train grpo');
    expect(record()).toMatchObject({ what: 'train grpo', pid: process.pid });
    lock.release();
  });

  it.each<[string, () => void, RegExp]>([
    [
      'another machine that was heard of lately',
      () => forge({ place: 'elsewhere', host: 'node7', pid: 2 ** 30 }),
      /in use by train sft \(process \d+ on node7\).*on another machine; remove .*run\.lock if it runs no more/,
    ],
    [
      'a process that is just writing who it is',
      () => writeFileSync(lockPath(), ''),
      /try again in a few seconds/,
    ],
  ])('keeps out of the way of %s', (_, make, message) => {
    lockFolder(folder, 'train sft');
    make();
    expect(() => lockFolder(folder, 'train grpo')).toThrow(message);
    expect(readdirSync(folder)).toEqual([LOCK_FILE]);
  });

  it('is a sentence where the folder cannot be written', () => {
    expect(() => lockFolder(join(folder, 'gone'), 'train sft')).toThrow(
      /run\.lock cannot be written \(ENOENT/,
    );
  });
});
