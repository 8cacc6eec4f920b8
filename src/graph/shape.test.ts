import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  broadcastShapes,
  type Dim,
  divideDim,
  evaluateDim,
  evaluateShape,
  multiplyDims,
  normalizeAxis,
  sizeOf,
} from './shape.js';

const SIZES = { batch: 3, seq: 5, past: 7 };

/** Sums and products of numbers and the symbols of SIZES. */
const dims: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 0, max: 6 }),
    fc.constantFrom(...Object.keys(SIZES)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => addDims(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => multiplyDims(a, b)),
  ),
})).dim;

const at = (dim: Dim): number => evaluateDim(dim, SIZES);

describe('dimensions', () => {
  it('add and multiply as the numbers they stand for', () => {
    fc.assert(
      fc.property(dims, dims, (a, b) => {
        expect(at(addDims(a, b))).toBe(at(a) + at(b));
        expect(at(multiplyDims(a, b))).toBe(at(a) * at(b));
      }),
    );
  });

  it('have one written form, however they came about', () => {
    fc.assert(
      fc.property(dims, dims, dims, (a, b, d) => {
        expect(addDims(a, b)).toBe(addDims(b, a));
        expect(multiplyDims(a, b)).toBe(multiplyDims(b, a));
        expect(addDims(addDims(a, b), d)).toBe(addDims(a, addDims(b, d)));
        expect(multiplyDims(multiplyDims(a, b), d)).toBe(multiplyDims(a, multiplyDims(b, d)));
        expect(multiplyDims(a, addDims(b, d))).toBe(addDims(multiplyDims(a, b), multiplyDims(a, d)));
        expect(addDims(a, 0)).toBe(a);
        expect(multiplyDims(a, 1)).toBe(a);
        expect(multiplyDims(a, 0)).toBe(0);
      }),
    );
  });

  it('divide what was multiplied', () => {
    fc.assert(
      fc.property(dims, fc.integer({ min: 1, max: 8 }), (dim, n) => {
        expect(divideDim(multiplyDims(dim, n), n)).toBe(dim);
      }),
    );
  });

  it('are written shortly', () => {
    expect(addDims('seq', 'past')).toBe('past+seq');
    expect(addDims('seq', 'seq')).toBe('2*seq');
    expect(multiplyDims('seq', 'batch')).toBe('batch*seq');
    expect(sizeOf(['batch', 4, 'seq', 2])).toBe('8*batch*seq');
    expect(sizeOf([])).toBe(1);
  });

  it('refuse a division with a remainder and a size without a value', () => {
    expect(() => divideDim('6*seq', 4)).toThrow('the size 6*seq is no multiple of 4');
    expect(() => evaluateDim('heads*seq', SIZES)).toThrow("the size 'heads' has no value");
  });
});

describe('broadcastShapes', () => {
  it.each<[Dim[], Dim[], Dim[] | null]>([
    [[2, 3], [3], [2, 3]],
    [
      [2, 1],
      [1, 3],
      [2, 3],
    ],
    [[], [2], [2]],
    [
      ['batch', 1, 'seq'],
      [4, 1],
      ['batch', 4, 'seq'],
    ],
    [
      ['batch', 3],
      ['batch', 1],
      ['batch', 3],
    ],
    [[2, 3], [2], null],
    [['batch'], ['seq'], null],
    [['batch'], [2], null],
  ])('%j with %j is %j', (a, b, expected) => {
    expect(broadcastShapes(a, b)).toEqual(expected);
    expect(broadcastShapes(b, a)).toEqual(expected);
  });

  it('fits both shapes where it fits one', () => {
    const shapes = fc.array(fc.constantFrom<Dim>(1, 2, 'seq'), { maxLength: 4 });
    fc.assert(
      fc.property(shapes, shapes, (a, b) => {
        const both = broadcastShapes(a, b);
        if (both === null) return;
        expect(broadcastShapes(both, a)).toEqual(both);
        expect(evaluateShape(both, SIZES)).toHaveLength(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('normalizeAxis', () => {
  it('counts negative axes from the end and refuses the rest', () => {
    expect([0, 2, -1, -3].map((axis) => normalizeAxis(axis, 3))).toEqual([0, 2, 2, 0]);
    expect(() => normalizeAxis(3, 3)).toThrow('axis 3 is outside a tensor of rank 3');
    expect(() => normalizeAxis(-4, 3)).toThrow('axis -4 is outside a tensor of rank 3');
    expect(() => normalizeAxis(0.5, 3)).toThrow('axis 0.5 is outside a tensor of rank 3');
  });
});
