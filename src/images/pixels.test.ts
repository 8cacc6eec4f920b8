import { describe, expect, it } from 'vitest';
import { InternalError } from '../util/errors.js';
import { cmykToRgb, toRgb } from './pixels.js';

describe('toRgb', () => {
  it('composites every value and alpha on white, rounded to the nearest level', () => {
    const pairs = Array.from({ length: 256 * 256 }, (_, i) => [i >> 8, i & 255] as const);
    const rgb = toRgb(Uint8Array.from(pairs.flat()), 2);
    // 255 is odd, so no quotient lies half-way between two levels and there is one right answer.
    const wrong = pairs.filter(([value, alpha], i) => {
      const nearest = Math.round((value * alpha + 255 * (255 - alpha)) / 255);
      return [0, 1, 2].some((channel) => rgb[3 * i + channel] !== nearest);
    });
    expect(wrong).toEqual([]);
  });

  it('repeats gray, keeps RGB and composites RGBA', () => {
    expect([...toRgb(Uint8Array.of(7, 9), 1)]).toEqual([7, 7, 7, 9, 9, 9]);
    expect([...toRgb(Uint8Array.of(1, 2, 3), 3)]).toEqual([1, 2, 3]);
    expect([...toRgb(Uint8Array.of(0, 100, 200, 128), 4)]).toEqual([127, 177, 227]);
  });

  it('refuses other numbers of channels', () => {
    expect(() => toRgb(new Uint8Array(10), 5)).toThrow(InternalError);
  });
});

describe('cmykToRgb', () => {
  // Values read from Pillow 13.0.0.
  it.each([
    [
      [255, 255, 128, 0],
      [0, 0, 127],
    ],
    [
      [255, 99, 0, 0],
      [0, 156, 255],
    ],
    [
      [254, 255, 72, 0],
      [1, 0, 183],
    ],
    [
      [0, 0, 0, 255],
      [0, 0, 0],
    ],
    [
      [0, 0, 0, 0],
      [255, 255, 255],
    ],
  ])('%j becomes %j', (cmyk, rgb) => {
    expect([...cmykToRgb(Uint8Array.from(cmyk))]).toEqual(rgb);
  });
});
