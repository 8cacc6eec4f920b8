/** @module One process at a time for one file: a lock that outlives no process. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LockTimes {
  /** How often the holder touches its lock. */
  readonly beatMs: number;
  /** A lock that was not touched while it was watched for so long belongs to nobody. */
  readonly staleMs: number;
}

const DEFAULT_TIMES: LockTimes = { beatMs: 5000, staleMs: 30_000 };
const POLL_MS = 200;
/** A lock this old by the clocks of two machines was left behind: clocks differ by less. */
const OLD_MS = 600_000;

/**
 * Waits until this process alone holds the lock file, and gives the function that frees it. The holder touches the file
 * again and again; a lock that nobody touches is taken over, whatever it says: its process was killed, its number belongs
 * to another process now, or it was on another machine.
 */
export async function lock(
  path: string,
  signal?: AbortSignal,
  { beatMs, staleMs }: LockTimes = DEFAULT_TIMES,
): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true });
  const own = `${process.pid}@${hostname()}@${randomUUID()}`;
  let seen: { readonly state: string; readonly since: number } | undefined;
  for (;;) {
    signal?.throwIfAborted();
    if (await create(path, own)) return held(path, own, beatMs);
    const state = await stateOf(path);
    if (state === undefined) continue;
    if (seen?.state !== state.text) seen = { state: state.text, since: performance.now() };
    const isLeft = state.age > OLD_MS || performance.now() - seen.since > staleMs || isGone(state.holder);
    if (isLeft) await remove(path, state.holder, own);
    else await sleep(Math.min(POLL_MS, staleMs), undefined, { signal });
  }
}

async function create(path: string, own: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(own);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The lock is kept fresh until it is freed; what somebody took over is theirs. */
function held(path: string, own: string, beatMs: number): () => Promise<void> {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, beatMs).unref();
  return async () => {
    clearInterval(beat);
    if ((await holderOf(path)) === own) await rm(path, { force: true });
  };
}

const holderOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

/** What changes as long as somebody holds the lock; undefined where it is free. */
async function stateOf(
  path: string,
): Promise<{ readonly holder: string; readonly text: string; readonly age: number } | undefined> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) return undefined;
  const holder = await holderOf(path);
  return { holder, text: `${holder} ${stats.mtimeMs}`, age: Date.now() - stats.mtimeMs };
}

/** Whether the holder was a process of this machine that is no more. */
function isGone(holder: string): boolean {
  const [pid, host] = holder.split('@');
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/** Removes a lock that `holder` left. It is moved first: another process may have taken it over this moment. */
async function remove(path: string, holder: string, own: string): Promise<void> {
  const aside = `${path}.${own.split('@')[2]}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await holderOf(aside)) !== holder) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}
