/** @module Sets of characters as ranges of code points. */

/** First and last code point, both included. */
export type Range = readonly [number, number];

const LAST = 0x10ffff;
/** Halves of UTF-16 pairs are no characters: no text in UTF-8 holds one. */
const SURROGATES: Range = [0xd800, 0xdfff];

export const DIGITS: readonly Range[] = [[0x30, 0x39]];
export const WORD: readonly Range[] = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
/** ECMAScript's WhiteSpace and LineTerminator. */
export const SPACE: readonly Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
export const LINE_ENDS: readonly Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

/** Sorted, without overlaps, without surrogates. */
export function union(ranges: readonly Range[]): Range[] {
  return complement(complementOf(ranges));
}

/** All characters that are in none of the ranges. */
export function complement(ranges: readonly Range[]): Range[] {
  return complementOf([...ranges, SURROGATES]);
}

function complementOf(ranges: readonly Range[]): Range[] {
  const gaps: Range[] = [];
  let next = 0;
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (first > next) gaps.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  if (next <= LAST) gaps.push([next, LAST]);
  return gaps;
}

/** The last code points that UTF-8 writes with 1, 2, 3 and 4 bytes. */
const LENGTH_ENDS = [0x7f, 0x7ff, 0xffff, LAST];

/** The UTF-8 of a range of characters: sequences of byte ranges, every combination of whose bytes is in it. */
export function utf8Ranges([first, last]: Range): Range[][] {
  for (const end of LENGTH_ENDS) {
    if (first <= end && last > end) return [...utf8Ranges([first, end]), ...utf8Ranges([end + 1, last])];
  }
  // Cut where the trailing bytes do not run over all their values.
  for (const mask of [0x3f, 0xfff, 0x3ffff]) {
    if (last <= LENGTH_ENDS[0] || (first & ~mask) === (last & ~mask)) continue;
    const cut = (first & mask) !== 0 ? (first | mask) + 1 : (last & mask) !== mask ? last & ~mask : null;
    if (cut !== null) return [...utf8Ranges([first, cut - 1]), ...utf8Ranges([cut, last])];
  }
  const low = utf8(first);
  const high = utf8(last);
  return [low.map((byte, i): Range => [byte, high[i]])];
}

function utf8(code: number): number[] {
  const trailing = LENGTH_ENDS.findIndex((end) => code <= end);
  if (trailing === 0) return [code];
  const lead = [0, 0xc0, 0xe0, 0xf0][trailing] | (code >> (6 * trailing));
  const bytes = [lead];
  for (let i = trailing - 1; i >= 0; i--) bytes.push(0x80 | ((code >> (6 * i)) & 0x3f));
  return bytes;
}
