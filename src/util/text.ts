/** @module Bytes as text, strictly: nothing is replaced, and what is no UTF-8 is named with its place. */
import { UserError } from './errors.js';

/** Bytes that are looked at for the NULs of UTF-16 and UTF-32. */
const SAMPLE_BYTES = 4096;

/** Byte-order marks, the longer ones first: UTF-32's begins as UTF-16's does. */
const MARKS: readonly (readonly [string, readonly number[]])[] = [
  ['UTF-32', [0xff, 0xfe, 0, 0]],
  ['UTF-32', [0, 0, 0xfe, 0xff]],
  ['UTF-16', [0xff, 0xfe]],
  ['UTF-16', [0xfe, 0xff]],
];

/**
 * The text of UTF-8 bytes, without the byte-order mark that some editors put before it. `name` is how errors call it.
 * @throws UserError that names the encoding where it is told (UTF-16 and UTF-32, with or without their mark), else the line
 * and the byte (both from 1) where it stops being UTF-8, with a guess at what it is; `remedy` says what to do.
 *
 * @example
 * decodeText(readFileSync(path), path, 'save it as UTF-8');
 */
export function decodeText(bytes: Uint8Array, name: string, remedy = 'save it as UTF-8'): string {
  const other = wideEncodingOf(bytes);
  if (other !== null) {
    throw new UserError(`${name} is written in ${other}; save it as UTF-8`, { code: 'invalid_data' });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const place = invalidPlace(bytes);
    // More than Node's longest string is no question of encoding.
    if (place === null) {
      throw new UserError(`${name} is too large to be read as text; split it`, { code: 'too_large', cause });
    }
    throw new UserError(`${name} is not UTF-8 text${describe(bytes, place)}; ${remedy}`, {
      code: 'invalid_data',
      cause,
    });
  }
}

/** UTF-16 and UTF-32 have a mark, or NUL as every second byte of Latin letters: always on the same side. */
function wideEncodingOf(bytes: Uint8Array): string | null {
  const marked = MARKS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte));
  if (marked) return marked[0];
  const sample = bytes.subarray(0, Math.min(SAMPLE_BYTES, bytes.length - (bytes.length % 4)));
  if (sample.length < 4) return null;
  const nuls = [0, 0, 0, 0];
  for (const [i, byte] of sample.entries()) if (byte === 0) nuls[i % 4] = (nuls[i % 4] ?? 0) + 1;
  const quarter = sample.length / 4;
  const full = nuls.filter((count) => count > quarter * MOSTLY).length;
  const none = nuls.filter((count) => count <= quarter * RARELY).length;
  if (full === 3 && none === 1) return 'UTF-32';
  const [a = 0, b = 0, c = 0, d = 0] = nuls.map((count) => count / quarter);
  const even = a > MOSTLY && c > MOSTLY && b <= RARELY && d <= RARELY;
  const odd = b > MOSTLY && d > MOSTLY && a <= RARELY && c <= RARELY;
  return even || odd ? 'UTF-16' : null;
}

/** Shares of NULs on the side of the high bytes and on the other. Half, since a text may be mostly of other scripts. */
const MOSTLY = 0.5;
const RARELY = 0.02;

/** Where the first byte stands that no UTF-8 has there; null where there is none. */
function invalidPlace(bytes: Uint8Array): number | null {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : lengthOf(first);
    if (length === 0) return at;
    for (let i = 1; i < length; i++) {
      const next = bytes[at + i];
      if (next === undefined || (next & 0xc0) !== 0x80) return at;
    }
    if (length > 2 && isForbidden(first, bytes[at + 1] ?? 0)) return at;
    at += length;
  }
  return null;
}

/** Bytes of the character that a byte begins; 0 for one that begins none (RFC 3629). */
function lengthOf(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/** Longer forms than needed, halves of surrogate pairs, and what lies beyond Unicode. */
const isForbidden = (first: number, second: number): boolean =>
  (first === 0xe0 && second < 0xa0) ||
  (first === 0xed && second > 0x9f) ||
  (first === 0xf0 && second < 0x90) ||
  (first === 0xf4 && second > 0x8f);

/** Its bytes from 0x80 to 0x9F, where it is not Latin-1; five mean nothing. Node 20's own decoder takes them for Latin-1. */
const WINDOWS_1252 = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

function describe(bytes: Uint8Array, place: number): string {
  const before = Buffer.from(bytes.buffer, bytes.byteOffset, place);
  const line = 1 + before.reduce((lines, byte) => lines + (byte === 0x0a ? 1 : 0), 0);
  const byte = bytes[place] ?? 0;
  const hex = `0x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  const letter = WINDOWS_1252[byte - 0x80] ?? String.fromCharCode(byte);
  const guess = /[\p{L}\p{P}\p{S}]/u.test(letter) ? `, "${letter}" in Windows-1252` : '';
  return ` (line ${line}, byte ${place + 1} of the file is ${hex}${guess})`;
}
