/**
 * @module What hostile servers cost the engine for servers: bytes taken, most memory, seconds. Each case is a process of its
 * own that is ended after 20 seconds.
 *
 *   npx tsx benchmarks/hostile/servers.ts [--src DIR]     DIR: the `src` folder of another checkout, for its figures
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const MIB = 2 ** 20;
const LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 50;

const HERE = fileURLToPath(import.meta.url);
const { values } = parseArgs({
  options: {
    src: { type: 'string', default: resolve(HERE, '../../../src') },
    child: { type: 'string' },
    url: { type: 'string' },
  },
});

interface Case {
  readonly name: string;
  readonly streamed: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly start: string;
  /** Sent for ever behind the start; where there is none, the start ends the answer. */
  readonly again: Uint8Array | null;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const EVENTS = { 'content-type': 'text/event-stream' };
const OPEN = '{"choices": [{"message": {"content": "';
const filler = Buffer.alloc(2 ** 16, 'x');
const event = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

const CASES: readonly Case[] = [
  { name: 'endless JSON', streamed: false, headers: JSON_TYPE, start: OPEN, again: filler },
  {
    name: 'endless events',
    streamed: true,
    headers: EVENTS,
    start: '',
    again: Buffer.from(event('x'.repeat(2 ** 16))),
  },
  { name: 'endless line', streamed: true, headers: EVENTS, start: 'data: ', again: filler },
  {
    name: 'endless comments',
    streamed: true,
    headers: EVENTS,
    start: '',
    again: Buffer.from(`: ${'x'.repeat(2 ** 16)}\n`),
  },
  {
    name: 'gzip bomb',
    streamed: false,
    headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
    start: '',
    again: null,
  },
];

/** 2 MB that become 1.8 GB. */
const bomb = (): Buffer => {
  // Members of a gzip file follow each other.
  const member = gzipSync(Buffer.alloc(64 * MIB, ' '));
  return Buffer.concat(Array.from({ length: 28 }, () => member));
};

async function child(name: string, url: string): Promise<void> {
  const { streamed } = CASES.find((one) => one.name === name) ?? CASES[0];
  const module = pathToFileURL(resolve(values.src, 'engines/openai.ts')).href;
  const { OpenAIEngine } = (await import(module)) as typeof import('../../src/engines/openai.js');
  const engine = new OpenAIEngine({ baseURL: url, model: 'x' });
  const request = {
    messages: [{ role: 'user' as const, content: 'Hello' }],
    maxNewTokens: 512,
    topLogprobs: 20,
  };
  const begun = performance.now();
  let outcome = 'an answer';
  try {
    if (streamed) for await (const _ of engine.stream(request));
    else await engine.complete(request);
  } catch (error) {
    outcome = String(error);
  }
  const seconds = (performance.now() - begun) / 1000;
  process.stdout.write(JSON.stringify({ seconds, outcome: outcome.replace(url, 'the server') }));
  process.exit(0);
}

/** The most memory that a process has had so far, in MiB; 0 where it is gone. */
function peak(pid: number): number {
  try {
    const [, kib] = /VmHWM:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}

async function measure(one: Case, whole: Buffer): Promise<string> {
  let bytes = 0;
  const answer = (response: ServerResponse): void => {
    response.writeHead(200, one.headers);
    let gone = false;
    response.on('close', () => {
      gone = true;
    });
    if (one.again === null) {
      bytes += whole.length;
      response.end(whole);
      return;
    }
    const { again } = one;
    response.write(one.start);
    const more = (): void => {
      if (gone) return;
      bytes += again.length;
      if (response.write(again)) setImmediate(more);
      else response.once('drain', more);
    };
    more();
  };
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(response));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const args = ['--import', 'tsx', HERE, '--src', values.src, '--child', one.name, '--url', url];
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  process_.stdout.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  let memory = 0;
  const look = setInterval(() => {
    memory = Math.max(memory, peak(process_.pid ?? 0));
  }, LOOK_EVERY_MS);
  const end = setTimeout(() => process_.kill('SIGKILL'), LIMIT_MS);
  await new Promise((done) => process_.on('close', done));
  clearInterval(look);
  clearTimeout(end);
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  const ended = said === '' ? null : (JSON.parse(said) as { seconds: number; outcome: string });
  const seconds = ended === null ? `ended after ${LIMIT_MS / 1000}` : ended.seconds.toFixed(2);
  return `| ${one.name} | ${(bytes / MIB).toFixed(1)} | ${memory.toFixed(0)} | ${seconds} | ${ended?.outcome ?? ''} |`;
}

if (values.child !== undefined) await child(values.child, values.url ?? '');
else {
  process.stdout.write('| server | MiB sent | MiB of memory | seconds | outcome |\n|---|---|---|---|---|\n');
  const whole = bomb();
  for (const one of CASES) process.stdout.write(`${await measure(one, whole)}\n`);
}
