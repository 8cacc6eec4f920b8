import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindSizes } from './bind.js';
import { evaluateShape, type Shape } from './shape.js';

describe('bindSizes', () => {
  it('finds the sizes behind sums and products', () => {
    const declared: Shape[] = [['past+seq', '4*seq'], ['batch'], ['batch*heads']];
    const sizes = { past: 7, seq: 3, batch: 2, heads: 5 };
    const feeds = declared.map((shape, i) => ({
      name: `x${i}`,
      declared: shape,
      actual: evaluateShape(shape, sizes),
    }));
    expect(bindSizes(feeds)).toEqual(sizes);
  });

  it('finds any sizes again, whatever the order of the feeds', () => {
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(size, size, fc.boolean(), (batch, seq, turned) => {
        const sizes = { batch, seq };
        const feeds = (['2*batch*seq+1', 'batch'] as const).map((dim) => ({
          name: dim,
          declared: [dim, 3],
          actual: evaluateShape([dim, 3], sizes),
        }));
        expect(bindSizes(turned ? feeds.reverse() : feeds)).toEqual(sizes);
      }),
    );
  });

  it.each<[string, Shape, number[], string]>([
    ['a remainder', ['4*seq'], [6], "'x' is declared as [4*seq] and fed with [6]"],
    ['a negative size', ['3+seq'], [2], "'x' is declared as [3+seq] and fed with [2]"],
    ['a size with two values', ['seq', 'seq'], [1, 2], "'x' is declared as [seq, seq] and fed with [1, 2]"],
    ['a size that nothing decides', ['batch*seq'], [4], "the size 'batch' has no value"],
  ])('refuses %s', (_, declared, actual, message) => {
    expect(() => bindSizes([{ name: 'x', declared, actual }])).toThrow(message);
  });
});
