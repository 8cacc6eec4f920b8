/** @module What TIFF packs its strips and tiles with: LZW, PackBits, deflate, and horizontal differences. */
import { inflateSync } from 'node:zlib';
import { messageOf } from '../util/errors.js';
import type { Refuse } from './plain.js';

/** Bytes of a segment, unpacked: at least `least`, at most `most`. */
export type Unpack = (packed: Uint8Array, least: number, most: number, refuse: Refuse) => Uint8Array;

const short = (refuse: Refuse): never => refuse.damaged('a strip or tile has fewer pixels than it should');

const copied: Unpack = (packed, least, _most, refuse) =>
  packed.length < least ? short(refuse) : packed.subarray(0, least);

const inflated: Unpack = (packed, least, most, refuse) => {
  let result: Uint8Array;
  try {
    result = inflateSync(packed, { maxOutputLength: most });
  } catch (error) {
    return refuse.damaged(`a strip or tile cannot be inflated: ${messageOf(error)}`);
  }
  return result.length < least ? short(refuse) : result;
};

const packBits: Unpack = (packed, least, most, refuse) => {
  const result = new Uint8Array(most);
  let filled = 0;
  let at = 0;
  while (filled < most && at < packed.length) {
    const code = packed[at++] ?? 0;
    if (code === 128) continue;
    if (code > 128) {
      const value = packed[at++];
      if (value === undefined) return short(refuse);
      result.fill(value, filled, filled + 257 - code);
      filled += 257 - code;
    } else {
      const literal = packed.subarray(at, at + Math.min(code + 1, most - filled));
      result.set(literal, filled);
      filled += literal.length;
      at += code + 1;
    }
  }
  return filled < least ? short(refuse) : result;
};

const [CLEAR, END, FIRST, MAX_CODES] = [256, 257, 258, 4096] as const;

/** TIFF 6.0, section 13: the highest bit first, and codes grow one entry before they would have to. */
const lzw: Unpack = (packed, least, most, refuse) => {
  if (packed[0] === 0 && (packed[1] ?? 0) & 1)
    return refuse.unsupported('is packed with an LZW of before 1989');
  const result = new Uint8Array(most);
  // Each string is a stretch of what was written when it came up: where it starts, and its length.
  const starts = new Int32Array(MAX_CODES);
  const lengths = new Int32Array(MAX_CODES);
  let filled = 0;
  let next: number = FIRST;
  let size = 9;
  let previousStart = -1;
  let previousLength = 0;
  let bits = 0;
  let held = 0;
  let at = 0;
  while (filled < most) {
    while (held < size && at < packed.length) {
      bits = (bits << 8) | (packed[at++] ?? 0);
      held += 8;
    }
    if (held < size) break;
    const code = (bits >>> (held - size)) & ((1 << size) - 1);
    held -= size;
    bits &= (1 << held) - 1;
    if (code === END) break;
    if (code === CLEAR) {
      next = FIRST;
      size = 9;
      previousStart = -1;
      continue;
    }
    if (at <= 2 && filled === 0 && code > 255)
      return refuse.damaged('a strip or tile does not begin as LZW does');
    const start = filled;
    if (code < CLEAR) {
      result[filled++] = code;
    } else if (previousStart >= 0 && code < next) {
      const from = starts[code] ?? 0;
      const length = Math.min(lengths[code] ?? 0, most - filled);
      for (let i = 0; i < length; i++) result[filled++] = result[from + i] ?? 0;
    } else if (previousStart >= 0 && code === next) {
      const length = Math.min(previousLength, most - filled);
      for (let i = 0; i < length; i++) result[filled++] = result[previousStart + i] ?? 0;
      if (filled < most) result[filled++] = result[previousStart] ?? 0;
    } else {
      return refuse.damaged('a code in a strip or tile has no meaning');
    }
    if (previousStart >= 0 && next < MAX_CODES) {
      // The previous string and the first byte of this one lie side by side in what was written.
      starts[next] = previousStart;
      lengths[next] = previousLength + 1;
      next++;
      if (next >= (1 << size) - 1 && size < 12) size++;
    }
    previousStart = start;
    previousLength = filled - start;
  }
  return filled < least ? short(refuse) : result;
};

/** By TIFF's number of the compression. */
export const UNPACKERS: Readonly<Record<number, Unpack>> = {
  1: copied,
  5: lzw,
  8: inflated,
  32773: packBits,
  32946: inflated,
};

/** Undoes predictor 2: each sample holds its difference from the same one of the pixel before. In place. */
export function undoDifferences(
  data: Uint8Array,
  {
    rows,
    rowBytes,
    samples,
    bits,
    little,
  }: { rows: number; rowBytes: number; samples: number; bits: number; little: boolean },
): void {
  if (bits === 8) {
    for (let y = 0; y < rows; y++) {
      const end = (y + 1) * rowBytes;
      for (let at = y * rowBytes + samples; at < end; at++)
        data[at] = (data[at] ?? 0) + (data[at - samples] ?? 0);
    }
    return;
  }
  const [low, high] = little ? [0, 1] : [1, 0];
  for (let y = 0; y < rows; y++) {
    const end = (y + 1) * rowBytes;
    for (let at = y * rowBytes + samples * 2; at + 1 < end; at += 2) {
      const before = at - samples * 2;
      const sum =
        (((data[at + high] ?? 0) + (data[before + high] ?? 0)) << 8) +
        (data[at + low] ?? 0) +
        (data[before + low] ?? 0);
      data[at + low] = sum;
      data[at + high] = sum >> 8;
    }
  }
}

const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) result |= ((byte >> bit) & 1) << (7 - bit);
  return result;
});

/** A copy whose bytes have their lowest bit first (FillOrder 2). */
export const bitReversed = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => REVERSED[byte] ?? 0);
