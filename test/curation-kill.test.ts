/** @module The real command line, killed with -9 again and again: nothing is lost, nothing is done twice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { scratchFolder } from '../src/checkpoint/files.test-util.js';
import {
  HONEST,
  recaptionServer,
  redPictures,
  threeModels,
} from '../src/curation/recaption-server.test-util.js';
import { listen } from '../src/engines/stand-in-server.test-util.js';
import { Random } from '../src/util/random.js';

const COUNT = 20;
/** A run of a few seconds is killed so many times before it may end. */
const KILLS = 2;
/** Starting Node and reading TypeScript takes seconds on a busy machine. */
const PATIENCE_MS = 120_000;

function safeguard(...argv: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function ended(child: ChildProcess): Promise<{ end: number | string | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ end: signal ?? code, stderr }));
  });
}

const entries = (journal: string): number =>
  existsSync(journal) ? Math.max(0, readFileSync(journal, 'utf8').split('\n').length - 2) : 0;

/** Kills the run each time its journal has grown, cuts its last line as a kill could, and lets it end at last. */
async function killedAndEnded(journal: string, argv: string[]): Promise<void> {
  const random = new Random('kill');
  for (let kill = 0; kill < KILLS; kill++) {
    const before = entries(journal);
    const child = safeguard(...argv);
    const end = ended(child);
    const deadline = performance.now() + PATIENCE_MS;
    while (entries(journal) < before + 2 && performance.now() < deadline) await pause(5);
    child.kill('SIGKILL');
    expect((await end).end).toBe('SIGKILL');
    expect(entries(journal)).toBeGreaterThan(before);
    expect(entries(journal)).toBeLessThan(COUNT);
    const size = readFileSync(journal).length;
    truncateSync(journal, size - random.int(1, 20));
  }
  const { end, stderr } = await ended(safeguard(...argv));
  expect({ end, stderr }).toMatchObject({ end: 0 });
}

describe('killed with -9', { timeout: 4 * PATIENCE_MS }, () => {
  it('recaptions go on to the same bytes', async () => {
    const folder = scratchFolder();
    const images = join(folder, 'images');
    await redPictures(images, COUNT);
    const slow = Object.fromEntries(
      Object.entries(HONEST).map(([name, answer]) => [
        name,
        async (asked: Parameters<typeof answer>[0]) => {
          await pause(60);
          return answer(asked);
        },
      ]),
    );
    const { baseURL, asked } = await recaptionServer(slow);
    const config = join(folder, 'recaption.yaml');
    writeFileSync(config, stringify({ ...threeModels(baseURL), concurrency: 2 }));
    const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
    const argv = (out: string): string[] => ['data', 'recaption', images, out, '--config', config];
    expect(await ended(safeguard(...argv(whole)))).toMatchObject({ end: 0 });
    asked.length = 0;
    const journal = join(killed, 'journal.jsonl');
    await killedAndEnded(journal, argv(killed));
    for (const name of ['recaptions.jsonl', 'rejected.jsonl']) {
      expect(readFileSync(join(killed, name))).toEqual(readFileSync(join(whole, name)));
    }
    // Each picture once, whatever was cut: what was under way at a kill, and the line that was cut, were done again.
    expect(entries(journal)).toBe(COUNT);
    expect(asked.length).toBeLessThanOrEqual(3 * (COUNT + KILLS * 3));
  });

  it('pictures of links are fetched to the same bytes', async () => {
    const folder = scratchFolder();
    const { url, close } = await listen((request, response) => {
      const level = Number(/\d+/.exec(request.url ?? '')?.[0]);
      const background = { r: level, g: 0, b: 0 };
      const send = async (): Promise<void> => {
        await pause(60);
        if (level % 5 === 4) response.writeHead(404).end();
        else
          response.end(
            await sharp({ create: { width: 64, height: 64, channels: 3, background } })
              .png()
              .toBuffer(),
          );
      };
      void send();
    });
    onTestFinished(close);
    const table = join(folder, 'train.csv');
    const lines = Array.from(
      { length: COUNT },
      (_, i) => `${i},${url}/${i}.png,No beer.,NA: None applying,Safe`,
    );
    writeFileSync(table, ['id,url,policy,category,rating', ...lines].join('\n'));
    const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
    const argv = (out: string): string[] => [
      'data',
      'llavaguard',
      table,
      out,
      '--allow-private',
      '127.0.0.0/8',
      '--concurrency',
      '2',
    ];
    expect(await ended(safeguard(...argv(whole)))).toMatchObject({ end: 0 });
    await killedAndEnded(join(killed, 'fetched.jsonl'), argv(killed));
    for (const name of ['grpo.jsonl', 'sft.jsonl', 'report.json']) {
      expect(readFileSync(join(killed, name))).toEqual(readFileSync(join(whole, name)));
    }
  });
});
