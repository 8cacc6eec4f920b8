import { describe, expect, it } from 'vitest';
import { overlapOf } from './overlap.js';

describe('overlapOf', () => {
  it('counts with repetition', () => {
    expect(overlapOf(['a', 'a', 'b'], ['a', 'b', 'b'])).toBe(2);
    expect(overlapOf([], ['a'])).toBe(0);
  });
});
