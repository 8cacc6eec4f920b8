/**
 * One measuring process: `tsx benchmarks/event-loop/ours.ts SRC BASE_URL FILE…` judges the files at once with the guard of
 * the checkout whose `src` is given, and prints its result as a JSON line.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { peakMemory } from '../shared/child.js';
import type { EventLoopResult } from './result.js';

/** What is measured of a checkout, the same in all of them. */
interface Measured {
  readonly Guard: {
    load(
      model: { readonly engine: 'openai'; readonly baseURL: string; readonly model: string },
      options: { readonly profile: string },
    ): Promise<{
      judge(image: string, policy: string): Promise<{ readonly label: string }>;
      dispose(): Promise<void>;
    }>;
  };
}

/** How often the loop is looked at, in milliseconds: what waits between two looks was blocked. */
const TICK_MS = 2;

const [source = '', baseURL = '', ...files] = process.argv.slice(2);
const { Guard } = (await import(pathToFileURL(join(source, 'guard/guard.ts')).href)) as Measured;
const guard = await Guard.load({ engine: 'openai', baseURL, model: 'stand-in' }, { profile: 'safe-unsafe' });
const [first = ''] = files;
const policy = 'No weapons.';
// Modules are loaded, code is compiled and a decoder runs before the clock does, as in a server that has been up for a while.
await guard.judge(first, policy);

let longest = 0;
let last = performance.now();
const ticks = setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - TICK_MS);
  last = now;
}, TICK_MS);
const begun = performance.now();
const verdicts = await Promise.all(files.map((file) => guard.judge(file, policy)));
const seconds = (performance.now() - begun) / 1000;
// The last block ends with the next look.
await new Promise((looked) => setTimeout(looked, TICK_MS * 5));
clearInterval(ticks);
await guard.dispose();
const labels: Record<string, number> = {};
for (const { label } of verdicts) labels[label] = (labels[label] ?? 0) + 1;
const result: EventLoopResult = { longestBlockMs: longest, seconds, peakMib: peakMemory(), labels };
console.log(JSON.stringify(result));
