/** @module Fresh processes: every measurement runs in one of its own and reports one JSON line at the end of its output. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { UserError } from '../../src/util/errors.js';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** The last lines of what a process that failed has written. */
const SHOWN_LINES = 15;

/** Where Python finds torch_common.py, before what was there. */
function pythonPath(): string {
  const own = join(REPOSITORY, 'benchmarks', 'shared');
  const given = process.env.PYTHONPATH;
  return given === undefined ? own : `${own}${delimiter}${given}`;
}

/** Runs a program to its end and reads the JSON of its last line of output. */
export function runProcess<T>(
  command: readonly string[],
  schema: z.ZodType<T>,
  env: Readonly<Record<string, string>> = {},
): T {
  const [program, ...args] = command;
  const result = spawnSync(program, args, {
    cwd: REPOSITORY,
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: pythonPath(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lastLine = result.stdout?.trimEnd().split('\n').at(-1) ?? '';
  if (result.status !== 0 || !lastLine.startsWith('{')) {
    const words = (result.error?.message ?? result.stderr).trimEnd().split('\n').slice(-SHOWN_LINES);
    const end = result.signal ?? result.status ?? 'not started';
    throw new UserError(`${command.join(' ')} failed (${end}):\n${words.join('\n')}`);
  }
  return schema.parse(JSON.parse(lastLine));
}

/** The command that runs a TypeScript file of the benchmarks in a Node process of its own. */
export function typescript(file: URL, ...args: readonly string[]): string[] {
  return [process.execPath, '--import', 'tsx', fileURLToPath(file), ...args];
}

/** The command that runs a Python file of the benchmarks. */
export function pythonScript(python: string, file: URL, ...args: readonly string[]): string[] {
  return [python, fileURLToPath(file), ...args];
}

/** What a child's job file holds. */
export function readJob<T>(schema: z.ZodType<T>): T {
  const path = process.argv[2];
  if (path === undefined) throw new UserError('Give the job file that run.ts writes.');
  return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** This process's largest resident memory in MiB. */
export function peakMemory(): number {
  // getrusage would report the parent's memory at the fork where that is larger; VmHWM begins with the program itself.
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readStatus())?.[1];
  return Math.round((peak === undefined ? process.resourceUsage().maxRSS : Number(peak)) / 1024);
}

function readStatus(): string {
  return process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '';
}
