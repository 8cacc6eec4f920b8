/**
 * What pictures cost that are made to cost much: time, the event loop's longest block and memory, by checkout:
 * `npx tsx benchmarks/hostile/images.ts [--src FOLDER …] [--save]`.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { animatedWebp, brandsFile, tiledTiff } from '../../test/fuzz/seeds.js';
import { publish, runBenchmark } from '../shared/benchmark.js';
import { REPOSITORY, typescript } from '../shared/child.js';
import { type HostileResult, hostileResult } from './image-result.js';

/** What takes longer than this is ended and said to. */
const LIMIT_MS = 180_000;

const { values } = parseArgs({
  options: {
    src: { type: 'string', multiple: true },
    save: { type: 'boolean', default: false },
  },
});

await runBenchmark(async (folder) => {
  const sources = (values.src ?? [join(REPOSITORY, 'src')]).map((path) => resolve(path));
  const rows: Row[] = [];
  for (const [name, bytes] of await pictures()) {
    const file = join(folder, 'picture');
    writeFileSync(file, bytes);
    for (const source of sources) {
      process.stderr.write(`${name}: ${source}\n`);
      rows.push({ name, source, megabytes: bytes.length / 1e6, ...measured(source, file) });
    }
  }
  const lines = rows.map(
    ({ name, source, milliseconds, longestBlockMs, peakMib, outcome }) =>
      `| ${name} | ${source} | ${milliseconds} | ${longestBlockMs} | ${peakMib} | ${outcome} |`,
  );
  publish({
    name: 'hostile-images',
    markdown: [
      '| picture | checkout | ms | longest block (ms) | memory of the process (MiB) | outcome |',
      '| --- | --- | ---: | ---: | ---: | --- |',
      ...lines,
    ].join('\n'),
    figures: { rows },
    save: values.save,
  });
});

interface Row extends HostileResult {
  readonly name: string;
  readonly source: string;
  readonly megabytes: number;
}

function measured(source: string, file: string): HostileResult {
  const [program = '', ...args] = typescript(new URL('./one-image.ts', import.meta.url), source, file);
  const { stdout, signal, status } = spawnSync(program, args, {
    cwd: REPOSITORY,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (line.startsWith('{')) return hostileResult.parse(JSON.parse(line));
  return {
    milliseconds: Infinity,
    longestBlockMs: Infinity,
    peakMib: Infinity,
    outcome: `ended: ${signal ?? status}`,
  };
}

async function pictures(): Promise<[string, Buffer][]> {
  const line = await sharp({
    create: { width: 50_000_000, height: 1, channels: 3, background: 'red' },
    limitInputPixels: false,
  })
    .png()
    .toBuffer()
    .catch(() => Buffer.alloc(0));
  const bitmap = Buffer.alloc(62 + 250 * 4 * 6000);
  bitmap.write('BM', 'latin1');
  for (const [value, at] of [
    [62, 10],
    [40, 14],
    [8000, 18],
    [6000, 22],
    [0xffffff, 58],
  ] as const) {
    bitmap.writeUInt32LE(value, at);
  }
  bitmap.writeUInt16LE(1, 26);
  bitmap.writeUInt16LE(1, 28);
  const holed = tiledTiff();
  // The checksum of the last tile.
  holed.writeUInt32LE(0, holed.length - 4);
  return [
    ['animated WebP, 100,000 frames of 1 × 1', await animatedWebp(100_000, 'red')],
    ['one box of brands, 60 MB', brandsFile(60_000_000, 'xxxx')],
    ['one box of brands, 500 MB', brandsFile(500_000_000, 'xxxx')],
    ...(line.length === 0 ? [] : ([['PNG of 50,000,000 × 1', line]] as [string, Buffer][])),
    ['BMP of 1 bit, 8000 × 6000', bitmap],
    ['tiled TIFF whose last tile ends in zeros', holed],
  ];
}
