import { describe, expect, it } from 'vitest';
import { CHECKS } from '../scripts/goldens/index.js';
import type { GoldenLine } from '../scripts/goldens/types.js';

/** A share of the golden files lies in the repository; `npm run goldens -- DIR` checks a whole folder of them. */
const DIR = 'test/goldens';

/** The least each family must compare here, so that a family which finds no files is noticed. */
const LEAST: Readonly<Record<string, number>> = {
  checkpoints: 10,
  images: 100,
  cases: 70,
  processor: 5,
  training: 130,
  // The checkpoint of these goldens is too large to lie here.
  lora: 0,
  grpo: 100,
  rewards: 30,
  adapters: 2,
  card: 40,
  parsing: 2,
};

// Some families compute for minutes on a busy machine: only one that never ends fails by time (vitest.config.ts).
describe.each(CHECKS)('golden files: $name', ({ name, run }) => {
  it('are all met within their tolerance', async () => {
    const lines: GoldenLine[] = [];
    for await (const line of run(DIR)) lines.push(line);
    expect(lines.filter(({ ok }) => !ok)).toEqual([]);
    expect(lines.length).toBeGreaterThanOrEqual(LEAST[name] ?? 1);
  });
});
