import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistanceWithin } from './edit-distance.js';

/** By the definition, row by row over the whole table. */
function whole(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1]));
    }
    row = next;
  }
  return row[b.length];
}

describe('the edit distance within a limit', () => {
  it.each([
    ['kitten', 'sitting', 3],
    ['', '', 0],
    ['', 'ab', 2],
    ['No weapons.', 'No weapons.', 0],
    ['No weapons.', 'No armss.', 5],
  ])('of %j and %j is %i', (a, b, distance) => {
    expect(editDistanceWithin(a, b, 6)).toBe(distance);
    expect(editDistanceWithin(b, a, 6)).toBe(distance);
  });

  it('is the whole table’s where that is within the limit, else null', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 12 });
    fc.assert(
      fc.property(text, text, fc.nat(8), (a, b, limit) => {
        const distance = whole(a, b);
        expect(editDistanceWithin(a, b, limit)).toBe(distance <= limit ? distance : null);
      }),
      { numRuns: 2000 },
    );
  });
});
