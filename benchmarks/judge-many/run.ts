/**
 * `npx tsx benchmarks/judge-many/run.ts --pictures 1000 [--before CHECKOUT]`: many IconWorld pictures by `safeguard judge`,
 * with the embedded model and over a server of 100 ms, each timed with its peak of memory; then a run that Ctrl-C ends
 * and that is gone on with, beside one that was left alone. Both checkouts are run as built (`npm run build`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { encodePng } from '../../src/images/png.js';
import { drawPart, partSizes } from '../../src/evaluation/tiny-items.js';
import { loadIcons } from '../../src/iconworld/raster.js';
import { assert } from '../../src/util/errors.js';
import { writeFileSync } from 'node:fs';

/** What a model of a few billion parameters takes for a short answer. */
const LATENCY_MS = 100;
const POLICY = 'policies/school-newsletter.md';
const MEMORY_EVERY_MS = 50;

interface Measured {
  readonly seconds: number;
  readonly megabytes: number;
  readonly code: number | null;
}

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '1000' },
    before: { type: 'string' },
  },
});
const count = Number(values.pictures);
const root = mkdtempSync(join(tmpdir(), 'judge-many-'));
const folder = join(root, 'pictures');
mkdirSync(folder);
await loadIcons();
const items = drawPart('free', 0, { ...partSizes(Math.max(2 * count, 20)), free: count });
for (const [i, { image }] of items.entries()) {
  assert(image, 'an item without its picture');
  writeFileSync(join(folder, `${String(i).padStart(5, '0')}.png`), await encodePng(image));
}
const files = readdirSync(folder)
  .sort()
  .map((name) => join(folder, name));

const server = await slowServer();
const { port } = server.address() as AddressInfo;
const served = [
  '--engine',
  'openai',
  '--base-url',
  `http://127.0.0.1:${port}/v1`,
  '--model',
  'any',
  '--profile',
  'paper',
];
console.log('| run | seconds | peak memory, MB | exit code |');
console.log('|---|---|---|---|');
if (values.before !== undefined) {
  const cli = join(resolve(values.before), 'dist/cli/main.js');
  // One by one; it knows neither folders nor --output.
  report('before, local', await measured(cli, [...files, '--json', '--policy', POLICY]));
  report('before, server', await measured(cli, [...files, '--json', '--policy', POLICY, ...served]));
}
const cli = resolve('dist/cli/main.js');
const output = (name: string): string[] => ['--output', join(root, name)];
report('now, local', await measured(cli, [folder, '--policy', POLICY, ...output('local.jsonl')]));
report(
  'now, server',
  await measured(cli, [folder, '--policy', POLICY, ...served, ...output('server.jsonl')]),
);
const parted = [folder, '--policy', POLICY, ...output('parted.jsonl')];
const stopped = await measured(cli, parted, async (child) => {
  const path = join(root, 'parted.jsonl');
  while (child.exitCode === null && rowsOf(path) < count / 3) await sleep(MEMORY_EVERY_MS);
  child.kill('SIGINT');
});
report(`now, local, Ctrl-C after ${rowsOf(join(root, 'parted.jsonl'))} rows`, stopped);
report('now, local, gone on with', await measured(cli, parted));
const same = readFileSync(join(root, 'parted.jsonl')).equals(readFileSync(join(root, 'local.jsonl')));
console.log(`\nThe file of the interrupted run is ${same ? 'the same, byte for byte' : 'NOT the same'}.`);
server.close();
server.closeAllConnections();
rmSync(root, { recursive: true });
if (!same) process.exitCode = 1;

function report(name: string, { seconds, megabytes, code }: Measured): void {
  console.log(`| ${name} | ${seconds.toFixed(1)} | ${megabytes.toFixed(0)} | ${code} |`);
}

function rowsOf(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

/** One run of a command line; the peak is the process's own `VmHWM`, without its decoders. */
async function measured(
  main: string,
  argv: readonly string[],
  meanwhile: (child: ChildProcess) => Promise<void> = async () => undefined,
): Promise<Measured> {
  const begun = performance.now();
  const child = spawn(process.execPath, [main, 'judge', ...argv], { stdio: ['ignore', 'ignore', 'ignore'] });
  const ended = once(child, 'exit');
  let kilobytes = 0;
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      kilobytes = Number(/VmHWM:\s+(\d+)/u.exec(status)?.[1] ?? kilobytes);
    } catch {
      // It has ended.
    }
  }, MEMORY_EVERY_MS);
  await meanwhile(child);
  await ended;
  clearInterval(watch);
  return { seconds: (performance.now() - begun) / 1000, megabytes: kilobytes / 1000, code: child.exitCode };
}

/** Answers every chat alike after a while, as many at once as come. */
async function slowServer(): Promise<Server> {
  const text = '<think>A picture.</think><answer>yes</answer>';
  const choice = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } };
  const usage = { prompt_tokens: 100, completion_tokens: 10 };
  const made = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      setTimeout(() => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ choices: [choice], usage }));
      }, LATENCY_MS);
    });
  });
  await new Promise<void>((listening) => made.listen(0, '127.0.0.1', listening));
  return made;
}
