/**
 * How long the event loop stands still while large photographs are judged at once over a server, and how many go through:
 * `npx tsx benchmarks/event-loop/run.ts [--src FOLDER …] [--photographs 20] [--rounds 3] [--save]`. `--src` names the
 * `src` of a checkout; several are measured in turn and printed side by side, without one this checkout's.
 */
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { Random } from '../../src/util/random.js';
import { runBenchmark, publish } from '../shared/benchmark.js';
import { REPOSITORY, typescript } from '../shared/child.js';
import { eventLoopResult, type EventLoopResult } from './result.js';

/** 12 megapixels, as phones take them. */
const [WIDTH, HEIGHT] = [4032, 3024];
/** Light and dark of a scene, then the grain of a sensor, in levels of 8 bits. */
const GRAIN = 12;
/** What a server needs for an answer, in milliseconds: little, so that this side is what is measured. */
const ANSWER_MS = 50;

const { values } = parseArgs({
  options: {
    src: { type: 'string', multiple: true },
    photographs: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    save: { type: 'boolean', default: false },
  },
});

await runBenchmark(async (folder) => {
  const count = Number(values.photographs);
  const sources = (values.src ?? [join(REPOSITORY, 'src')]).map((path) => resolve(path));
  process.stderr.write(`making ${count} photographs of ${WIDTH} × ${HEIGHT}\n`);
  const files: string[] = [];
  for (let i = 0; i < count; i++) files.push(await photograph(folder, i));
  const server = await standIn();
  const { port } = server.address() as AddressInfo;
  const results = new Map<string, EventLoopResult[]>(sources.map((source) => [source, []]));
  try {
    for (let round = 0; round < Number(values.rounds); round++) {
      const order = round % 2 === 0 ? sources : sources.toReversed();
      for (const source of order) {
        process.stderr.write(`round ${round + 1}: ${source}\n`);
        results.get(source)?.push(await measured(source, `http://127.0.0.1:${port}/v1`, files));
      }
    }
  } finally {
    server.close();
  }
  const rows = [...results].map(([source, rounds]) => ({
    source,
    longestBlockMs: median(rounds.map(({ longestBlockMs }) => longestBlockMs)),
    longestOfAllMs: Math.max(...rounds.map(({ longestBlockMs }) => longestBlockMs)),
    seconds: median(rounds.map(({ seconds }) => seconds)),
    peakMib: median(rounds.map(({ peakMib }) => peakMib)),
  }));
  const lines = rows.map(
    (row) =>
      `| ${row.source} | ${row.longestBlockMs.toFixed(0)} | ${row.longestOfAllMs.toFixed(0)} | ${row.seconds.toFixed(1)} | ` +
      `${(count / row.seconds).toFixed(1)} | ${row.peakMib.toFixed(0)} |`,
  );
  publish({
    name: 'event-loop',
    markdown: [
      `${count} photographs of ${WIDTH} × ${HEIGHT} judged at once over a server, ${values.rounds} rounds`,
      '',
      '| checkout | longest block, median (ms) | longest of all (ms) | seconds | photographs a second | memory of the process (MiB) |',
      '| --- | ---: | ---: | ---: | ---: | ---: |',
      ...lines,
    ].join('\n'),
    figures: { photographs: count, rows },
    save: values.save,
  });
});

/** A scene of soft shapes with grain on it, as a JPEG of a few megabytes. */
async function photograph(folder: string, index: number): Promise<string> {
  const random = new Random(`photograph ${index}`);
  const [smallWidth, smallHeight] = [48, 36];
  const scene = Buffer.from(Array.from({ length: smallWidth * smallHeight * 3 }, () => random.int(0, 255)));
  const large = await sharp(scene, { raw: { width: smallWidth, height: smallHeight, channels: 3 } })
    .resize(WIDTH, HEIGHT, { kernel: 'cubic' })
    .raw()
    .toBuffer();
  for (let i = 0; i < large.length; i++) {
    const value = (large[i] ?? 0) + random.int(-GRAIN, GRAIN);
    large[i] = value < 0 ? 0 : value > 255 ? 255 : value;
  }
  const file = join(folder, `${index}.jpg`);
  await sharp(large, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .jpeg({ quality: 88 })
    .toFile(file);
  return file;
}

/** A chat completions server that reads each request to its end and answers the same. */
async function standIn(): Promise<Server> {
  const answer = JSON.stringify({
    id: '1',
    object: 'chat.completion',
    model: 'stand-in',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Safe' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  });
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      setTimeout(() => {
        response.setHeader('content-type', 'application/json');
        response.end(answer);
      }, ANSWER_MS);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

/** Runs one side in a process of its own; this one goes on serving meanwhile. */
async function measured(source: string, baseURL: string, files: readonly string[]): Promise<EventLoopResult> {
  const [program = '', ...args] = typescript(
    new URL('./ours.ts', import.meta.url),
    source,
    baseURL,
    ...files,
  );
  const child = spawn(program, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((ended) => child.on('close', ended));
  if (code !== 0) throw new Error(`measuring ${source} ended with ${code}`);
  return eventLoopResult.parse(JSON.parse(output.trimEnd().split('\n').at(-1) ?? ''));
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
