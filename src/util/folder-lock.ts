/**
 * @module One process at a time in a folder: two trainers in one run would double its metrics and overwrite each other's
 * checkpoints. A lock is a file that only one process can create; one that a kill left behind is taken over.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, UserError } from './errors.js';

/** The lock's name in its folder. */
export const LOCK_FILE = 'run.lock';

/** How often a holder shows that it lives, for those on other machines. */
const HEARTBEAT_MS = 30_000;
/** A holder on another machine is given up after this long without a sign: a step may block for minutes. */
const SILENT_ELSEWHERE_MS = 15 * 60_000;
/** A lock without content is being written, or its writer was killed in that very moment. */
const EMPTY_MS = 10_000;
/** Stale locks taken over in a row before it is a fight that nobody wins. */
const ATTEMPTS = 20;

const holder = z.object({
  pid: z.int().positive(),
  /** When the process began, in its system's words: a number given again does not look alive. Null where it cannot be told. */
  started: z.string().nullable(),
  /** Machine and, in containers, the space in which `pid` counts. */
  place: z.string(),
  host: z.string(),
  /** What it does, for the message. */
  what: z.string(),
  /** When it took the lock, in ISO 8601. */
  since: z.string(),
  token: z.string(),
});
type Holder = Readonly<z.infer<typeof holder>>;

/** A lock that this process holds. */
export interface FolderLock {
  /** @throws UserError (`busy`) where somebody else has it by now, so that nothing more is written. */
  check(): void;
  /** Gives it back; a second time does nothing. */
  release(): void;
}

/**
 * Takes the lock of a folder, which must exist, for `what` ("train sft").
 * @throws UserError (`busy`) that names the process which holds it.
 */
export function lockFolder(folder: string, what: string): FolderLock {
  const path = join(folder, LOCK_FILE);
  const own: Holder = {
    pid: process.pid,
    started: startOf(process.pid),
    place: here(),
    host: hostname(),
    what,
    since: new Date().toISOString(),
    token: randomUUID(),
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, own)) return held(path, own);
    const found = read(path);
    if (found === undefined) continue;
    if (isHeld(path, found.holder)) throw busy(folder, path, found.holder);
    takeAway(path, found.text, own.token);
  }
  throw new UserError(
    `${folder}: ${path} is taken by others again and again: look what runs there, and try again.`,
    { code: 'busy' },
  );
}

/** Whether the file is ours now. */
function create(path: string, own: Holder): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx');
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw unwritable(path, error);
  }
  try {
    writeFileSync(descriptor, `${JSON.stringify(own)}\n`);
  } catch (error) {
    rmSync(path, { force: true });
    throw unwritable(path, error);
  } finally {
    closeSync(descriptor);
  }
  return true;
}

const unwritable = (path: string, error: unknown): UserError =>
  new UserError(
    `${path} cannot be written (${messageOf(error)}): free some space or choose another folder.`,
    {
      code: 'storage',
    },
  );

/** Undefined where it is gone by now; `holder` null where it does not say whose it is. */
function read(path: string): { readonly text: string; readonly holder: Holder | null } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new UserError(`${path} cannot be read (${messageOf(error)}): remove it if no run works there.`, {
      code: 'storage',
    });
  }
  try {
    return { text, holder: holder.parse(JSON.parse(text)) };
  } catch {
    return { text, holder: null };
  }
}

/** Whether whoever took it still works. */
function isHeld(path: string, found: Holder | null): boolean {
  if (found === null) return silenceOf(path) < EMPTY_MS;
  if (found.place !== here()) return silenceOf(path) < SILENT_ELSEWHERE_MS;
  if (!isAlive(found.pid)) return false;
  // A process of the same number that began at another time is another one.
  const now = startOf(found.pid);
  return now === null || found.started === null || now === found.started;
}

/** Milliseconds since the last sign of life, by the clock of the file system: machines differ in theirs. */
function silenceOf(path: string): number {
  const probe = `${path}.${randomUUID()}`;
  try {
    writeFileSync(probe, '');
    return statSync(probe).mtimeMs - statSync(path).mtimeMs;
  } catch (error) {
    // Gone by now: whoever is next finds out.
    if (codeOf(error) === 'ENOENT') return Number.POSITIVE_INFINITY;
    throw unwritable(path, error);
  } finally {
    rmSync(probe, { force: true });
  }
}

/** Removes a lock that nobody holds. Another process may have done so and hold a new one, which must stay. */
function takeAway(path: string, stale: string, token: string): void {
  const aside = `${path}.${token}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw unwritable(path, error);
  }
  try {
    // Puts a new one back unless a third one stands there already; its holder finds out by `check`.
    if (readFileSync(aside, 'utf8') !== stale && !existsSync(path)) linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unwritable(path, error);
  } finally {
    rmSync(aside, { force: true });
  }
}

function held(path: string, own: Holder): FolderLock {
  const isOurs = (): boolean => read(path)?.holder?.token === own.token;
  const beat = setInterval(() => {
    try {
      if (isOurs()) utimesSync(path, new Date(), new Date());
    } catch {
      // The next check says what is wrong.
    }
  }, HEARTBEAT_MS);
  beat.unref();
  const release = (): void => {
    clearInterval(beat);
    process.off('exit', release);
    if (isOurs()) rmSync(path, { force: true });
  };
  process.on('exit', release);
  return {
    check() {
      const found = read(path);
      if (found?.holder?.token === own.token) return;
      throw new UserError(
        `${path} is no longer this process's${found?.holder ? ` but ${nameOf(found.holder)}'s` : ''}: it stops, so that two do not write one run.`,
        { code: 'busy' },
      );
    },
    release,
  };
}

const nameOf = ({ what, pid, host }: Holder): string => `${what} (process ${pid} on ${host})`;

function busy(folder: string, path: string, found: Holder | null): UserError {
  if (found === null)
    return new UserError(`${folder} is just being taken by another process: try again in a few seconds.`, {
      code: 'busy',
    });
  const by =
    found.pid === process.pid && found.place === here()
      ? `${found.what} of this very process`
      : nameOf(found);
  const elsewhere =
    found.place === here()
      ? ''
      : ` (it is on another machine; remove ${path} if it runs no more, else this lock ends ${SILENT_ELSEWHERE_MS / 60_000} minutes after its last sign)`;
  return new UserError(
    `${folder} is in use by ${by} since ${found.since}: wait for it, stop it, or give another folder${elsewhere}.`,
    { code: 'busy' },
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Machine and space of process numbers. */
function here(): string {
  return [hostname(), linkOf('/proc/self/ns/pid')].join(' ').trim();
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and is somebody else's.
    return codeOf(error) === 'EPERM';
  }
  return stateOf(pid)?.isEnded !== true;
}

/** Field 3 of /proc/PID/stat is the state, 22 the start in ticks since boot (proc_pid_stat(5)). */
const STATE_FIELD = 3;
const START_FIELD = 22;

/** As Linux tells it; null elsewhere. */
function stateOf(pid: number): { readonly isEnded: boolean; readonly start: string } | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the command in brackets, which may hold anything, spaces and brackets too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): string => fields[number - STATE_FIELD] ?? '';
  return { isEnded: /^[ZX]/u.test(field(STATE_FIELD)), start: field(START_FIELD) };
}

/** When a process began, as something to compare; null where the system does not say. */
function startOf(pid: number): string | null {
  const state = stateOf(pid);
  if (state !== null) return `${bootId()}/${state.start}`;
  if (process.platform === 'win32') return null;
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}

/** Ticks count from each start of the machine anew. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
