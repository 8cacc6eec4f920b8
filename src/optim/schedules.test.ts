import { describe, expect, it } from 'vitest';
import { type Schedule, scheduleFactor } from './schedules.js';

const factors = (schedule: Schedule, steps: readonly number[]): number[] =>
  steps.map((step) => Number(scheduleFactor(schedule, step).toFixed(6)));

describe('scheduleFactor', () => {
  it('warms up from 0 to the peak in equal steps', () => {
    const schedule: Schedule = { kind: 'constant', warmupSteps: 4, totalSteps: 10 };
    expect(factors(schedule, [0, 1, 2, 3, 4, 9])).toEqual([0, 0.25, 0.5, 0.75, 1, 1]);
  });

  it('falls in a straight line', () => {
    const schedule: Schedule = { kind: 'linear', warmupSteps: 2, totalSteps: 10 };
    expect(factors(schedule, [2, 4, 6, 10])).toEqual([1, 0.75, 0.5, 0]);
  });

  it('falls along half a cosine', () => {
    const schedule: Schedule = { kind: 'cosine', warmupSteps: 0, totalSteps: 12 };
    const half = Math.SQRT1_2 / 2;
    expect(factors(schedule, [0, 3, 4, 6, 9, 12])).toEqual(
      [1, 0.5 + half, 0.75, 0.5, 0.5 - half, 0].map((value) => Number(value.toFixed(6))),
    );
  });

  it('ends at the smallest ratio and stays there', () => {
    for (const kind of ['linear', 'cosine'] as const) {
      const schedule: Schedule = { kind, warmupSteps: 0, totalSteps: 8, minRatio: 0.1 };
      expect(factors(schedule, [0, 4, 8, 100])).toEqual([1, 0.55, 0.1, 0.1]);
    }
  });

  it('has a factor where warm-up takes the whole run', () => {
    const schedule: Schedule = { kind: 'cosine', warmupSteps: 5, totalSteps: 5 };
    expect(factors(schedule, [0, 4, 5])).toEqual([0, 0.8, 1]);
  });
});
