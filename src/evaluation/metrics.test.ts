import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accuracy,
  binaryF1,
  bootstrap,
  countJudged,
  type Judged,
  mean,
  pairScore,
  policySensitivity,
  quantile,
  shareOf,
} from './metrics.js';

/** `UU` is unsafe and said so, `SU` safe but said unsafe, … */
const judged = (text: string): Judged[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map(([label, said]) => ({ unsafe: label === 'U', saidUnsafe: said === 'U' }));

describe('F1 of the unsafe class', () => {
  it('counts and divides as by hand', () => {
    const some = judged('UU UU UU US SU SU SS');
    expect(countJudged(some)).toEqual({
      truePositive: 3,
      falsePositive: 2,
      trueNegative: 1,
      falseNegative: 1,
    });
    // Precision 3/5, recall 3/4.
    expect(binaryF1(some)).toBeCloseTo((2 * 0.6 * 0.75) / (0.6 + 0.75), 12);
    expect(accuracy(some)).toBeCloseTo(4 / 7, 12);
  });

  it('is 2/3 where half is unsafe and all is called so, 0 where nothing is', () => {
    expect(binaryF1(judged('UU SU UU SU'))).toBeCloseTo(2 / 3, 12);
    expect(binaryF1(judged('US SS US SS'))).toBe(0);
  });

  it('is not defined without unsafe ones, true or claimed', () => {
    expect(binaryF1(judged('SS SS'))).toBeNull();
    expect(binaryF1([])).toBeNull();
    expect(accuracy([])).toBeNull();
  });
});

describe('policy sensitivity', () => {
  it('counts the pairs with different labels where both are right', () => {
    // Pairs U×S: (1,3) right, (1,4) wrong, (2,3) wrong, (2,4) wrong.
    expect(pairScore(judged('UU US SS SU'))).toBe(1 / 4);
    expect(pairScore(judged('UU UU SS SS SS'))).toBe(1);
    expect(pairScore(judged('UU US'))).toBeNull();
  });

  it('is the mean over pictures that have such a pair', () => {
    const pictures = [judged('UU SS'), judged('UU US SS'), judged('SS SS'), judged('US SU')];
    expect(policySensitivity(pictures)).toBe((1 + 0.5 + 0) / 3);
    expect(policySensitivity([judged('SS SU')])).toBeNull();
  });

  it('is what going through all pairs gives', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ unsafe: fc.boolean(), saidUnsafe: fc.boolean() }), { maxLength: 6 }),
        (all) => {
          const pairs = all
            .flatMap((a, i) => all.slice(i + 1).map((b) => [a, b] as const))
            .filter(([a, b]) => a.unsafe !== b.unsafe);
          const right = pairs.filter((pair) => pair.every((one) => one.unsafe === one.saidUnsafe));
          expect(pairScore(all)).toBe(pairs.length === 0 ? null : right.length / pairs.length);
        },
      ),
    );
  });
});

describe('means and shares', () => {
  it('leaves out what is not defined', () => {
    expect(mean([1, null, 0, 0.5])).toBe(0.5);
    expect(mean([null])).toBeNull();
    expect(
      shareOf([
        { right: 1, of: 4 },
        { right: 2, of: 2 },
        { right: 0, of: 0 },
      ]),
    ).toBe(0.5);
    expect(shareOf([{ right: 0, of: 0 }])).toBeNull();
  });

  it('interpolates quantiles as numpy does', () => {
    expect(quantile([0, 10, 20, 30], 0.5)).toBe(15);
    expect(quantile([0, 10, 20, 30], 0.025)).toBeCloseTo(0.75, 12);
    expect(quantile([7], 0.975)).toBe(7);
    expect(quantile([], 0.5)).toBeNull();
  });
});

describe('bootstrap', () => {
  const share = (groups: readonly number[]): number | null => mean(groups);

  it('comes near the normal interval of a share', () => {
    const groups = Array.from({ length: 400 }, (_, i) => (i < 300 ? 1 : 0));
    const { value, low, high } = bootstrap(groups, share, { seed: 1 });
    expect(value).toBe(0.75);
    // 0.75 ± 1.96 · √(0.75 · 0.25 / 400)
    expect(low).toBeGreaterThan(0.7);
    expect(low).toBeLessThan(0.715);
    expect(high).toBeGreaterThan(0.785);
    expect(high).toBeLessThan(0.8);
  });

  it('is the same for the same seed, another for another', () => {
    const groups = Array.from({ length: 50 }, (_, i) => Math.sqrt(i));
    const at = (seed: number) => bootstrap(groups, share, { seed, resamples: 200 });
    expect(at(1)).toEqual(at(1));
    expect(at(1).low).not.toBe(at(2).low);
  });

  it('has no width where groups are alike and no value where there is none', () => {
    expect(bootstrap([1, 1, 1], share, { seed: 0 })).toEqual({ value: 1, low: 1, high: 1 });
    expect(bootstrap([], share, { seed: 0 })).toEqual({ value: null, low: null, high: null });
  });
});
