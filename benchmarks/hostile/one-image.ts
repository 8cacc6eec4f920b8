/** One picture: `tsx benchmarks/hostile/one-image.ts SRC FILE` decodes it with that checkout and prints what it cost. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '../../src/util/errors.js';
import { peakMemory } from '../shared/child.js';
import type { HostileResult } from './image-result.js';

/** What is measured of a checkout, the same in all of them. */
interface Measured {
  readonly decodeImage: (file: string) => Promise<{ readonly width: number; readonly height: number }>;
}

const TICK_MS = 2;

const [source = '', file = ''] = process.argv.slice(2);
const { decodeImage } = (await import(pathToFileURL(join(source, 'images/decode.ts')).href)) as Measured;
await decodeImage(join('test', 'goldens', 'images', 'rgb-28x28.png'));
let longest = 0;
let last = performance.now();
const ticks = setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - TICK_MS);
  last = now;
}, TICK_MS);
const begun = performance.now();
const outcome = await decodeImage(file).then(
  ({ width, height }) => `read, ${width} × ${height}`,
  (error: unknown) => `refused: ${messageOf(error).replace(file, '…')}`,
);
const milliseconds = Math.round(performance.now() - begun);
// The last block ends with the next look.
await new Promise((looked) => setTimeout(looked, TICK_MS * 5));
clearInterval(ticks);
const result: HostileResult = {
  milliseconds,
  longestBlockMs: Math.round(longest),
  peakMib: Math.round(peakMemory()),
  outcome,
};
console.log(JSON.stringify(result));
