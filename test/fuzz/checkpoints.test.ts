import { expect, it } from 'vitest';
import { fuzzCheckpoints } from './checkpoints.js';

it('mutated checkpoints load or are refused by a UserError', async () => {
  const report = await fuzzCheckpoints(150, 7, { runs: false });
  expect(report.loaded + report.refused).toBe(150);
  // Both happen, or the mutations say nothing.
  expect(Math.min(report.loaded, report.refused)).toBeGreaterThan(10);
});
