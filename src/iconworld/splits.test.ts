import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { hashShare, SPLIT_SIZE, SPLIT_START, SPLITS, splitRandom, splitSeed } from './splits.js';

describe('splits', () => {
  it('own ranges of seeds that do not meet', () => {
    const starts = SPLITS.map((split) => SPLIT_START[split]).toSorted((a, b) => a - b);
    for (let i = 1; i < starts.length; i++)
      expect(starts[i] - starts[i - 1]).toBeGreaterThanOrEqual(SPLIT_SIZE);
    expect(Number.isSafeInteger(starts[starts.length - 1] + SPLIT_SIZE)).toBe(true);
    const edges = SPLITS.flatMap((split) => [
      splitSeed('scene', split, 0),
      splitSeed('scene', split, SPLIT_SIZE - 1),
    ]);
    expect(new Set([...edges, splitSeed('policy', 'train', 0), splitSeed('pair', 'train', 0)]).size).toBe(
      2 * SPLITS.length + 2,
    );
  });

  it('refuse an index outside their range', () => {
    for (const index of [-1, SPLIT_SIZE, 0.5, Number.NaN])
      expect(() => splitSeed('scene', 'test', index)).toThrow(/seed in a split/);
  });

  it('give the same generator for the same state, another one for each use', () => {
    const [a, b] = [new Random('s'), new Random('s')];
    const first = splitRandom(a, 'scene', 'train').u32();
    expect(splitRandom(b, 'scene', 'train').u32()).toBe(first);
    expect(splitRandom(a, 'scene', 'train').u32()).not.toBe(first);
  });
});

it('spreads near texts evenly over [0, 1)', () => {
  const shares = Array.from({ length: 4000 }, (_, i) => hashShare(`ban|weapons|${i}|`));
  for (const bound of [0.1, 0.25, 0.75]) {
    expect(Math.abs(shares.filter((share) => share < bound).length / shares.length - bound)).toBeLessThan(
      0.03,
    );
  }
  expect(hashShare('a')).toBe(hashShare('a'));
});
