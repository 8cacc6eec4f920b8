import { describe, expect, it } from 'vitest';
import { policyshiftPair } from './policyshift.js';
import type { JudgedSample, RewardInput } from './reward.js';

const input = (
  label: JudgedSample['label'],
  completion: string,
  pair: string | null,
): RewardInput<JudgedSample> => ({
  prompt: 'x',
  completion,
  tokens: 1,
  truncated: false,
  sample: { label, statements: [], decisive: [], categories: ['01'], pair },
});

const ANSWERS = ['true | 01', 'true | 02', 'false | fine', 'no idea'] as const;

/** One completion against one of the other role, as the family's own code compares them. */
function against(label: JudgedSample['label'], own: string, other: string): number {
  if (own === 'no idea' || other === 'no idea') return 0;
  const says = (text: string): string => (text.startsWith('true') ? 'unsafe' : 'safe');
  const [ownRight, otherRight] = [says(own) === label, says(other) !== label];
  if (!ownRight || !otherRight) return -0.8;
  if ([own, other].includes('true | 02')) return 0;
  return label === 'safe' ? 0.7 : 0.9;
}

describe('policyshift_pair', () => {
  it('is each completion against each of the other role', () => {
    const rows = ['a', 'b'].flatMap((pair, k) =>
      Array.from({ length: 12 }, (_, i) =>
        input(i % 3 === k ? 'safe' : 'unsafe', ANSWERS[(i * 7 + k) % 4], pair),
      ),
    );
    // Without a pair, though a pair has that name.
    rows.push(input('safe', 'false | fine', null), input('unsafe', 'true | 01', 'null'));
    const expected = rows.map(({ completion, sample }) => {
      if (sample.pair === null) return null;
      const others = rows.filter(
        (other) => other.sample.pair === sample.pair && other.sample.label !== sample.label,
      );
      const sum = others.reduce((all, other) => all + against(sample.label, completion, other.completion), 0);
      return others.length === 0 ? 0 : sum / others.length;
    });
    const rounded = (values: readonly (number | null)[]) =>
      values.map((value) => value?.toFixed(12).replace('-0.000000000000', '0.000000000000'));
    expect(rounded(policyshiftPair(rows))).toEqual(rounded(expected));
  });

  it('looks at each completion a few times, however many share a pair', () => {
    let looks = 0;
    const count = 20_000;
    const rows = Array.from({ length: count }, (_, i) => {
      const row = input(i % 2 === 0 ? 'safe' : 'unsafe', 'false | fine', 'a');
      const { sample } = row;
      return {
        ...row,
        get sample() {
          looks++;
          return sample;
        },
      };
    });
    expect(policyshiftPair(rows)[0]).toBe(-0.8);
    expect(looks).toBeLessThan(10 * count);
  });
});
