import { describe, expect, it } from 'vitest';
import { parseLenient } from './lenient-json.js';

describe('JSON with NaN', () => {
  it('is read with null there, and with its strings as they are', () => {
    expect(parseLenient('{"a": [NaN, -Infinity, Infinity], "NaN": "NaN, \\"NaN\\\\"}')).toEqual({
      a: [null, null, null],
      NaN: 'NaN, "NaN\\',
    });
  });

  it.each(['', 'NaN"', '{"a": NaNa}', '"\\"\\"\\"NaN'])('stays an error where it is none: %s', (text) => {
    expect(() => parseLenient(text)).toThrow(SyntaxError);
  });

  it('without an end takes no more than a look at each letter', () => {
    // Quadratic, this would take minutes.
    expect(() => parseLenient(`NaN${'\\"'.repeat(2_000_000)}`)).toThrow(SyntaxError);
  });
});
