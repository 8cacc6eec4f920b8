/** @module The first frame of a GIF, read here: decoders behind libvips walk through all of them. */
import { checkSize } from './checks.js';
import type { RgbImage } from './image.js';
import { refusals, type Refuse } from './plain.js';
import type { ReadOptions } from './checks.js';

const SCREEN = 13;
const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b] as const;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE_HEADER = 10;
/** Codes have at most 12 bits. */
const MAX_CODES = 4096;
/** Interlaced rows: every 8th from 0, every 8th from 4, every 4th from 2, every 2nd from 1. */
const PASSES = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

/**
 * The first frame on its canvas, as Pillow shows it: around a smaller frame the canvas is transparent (here white) if the
 * frame has a transparent colour, else the first colour of the frame's palette. The declared background is not used.
 * @throws UserError where the frame is not there in full.
 */
export function decodeGif(bytes: Uint8Array, options: ReadOptions): RgbImage {
  const refuse = refusals(options.subject, 'GIF');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cut = (): never => refuse.damaged('it ends before its first frame');
  if (bytes.length < SCREEN) return cut();
  const [global, afterScreen] = palette(bytes, SCREEN, bytes[10] ?? 0);
  let transparent = -1;
  let at = afterScreen;
  for (;;) {
    if (at >= bytes.length) return cut();
    const block = bytes[at++];
    if (block === IMAGE) break;
    if (block === TRAILER) return refuse.damaged('it holds no frame');
    // Pillow passes over bytes between blocks.
    if (block !== EXTENSION) continue;
    const label = bytes[at++];
    if (label === GRAPHIC_CONTROL && (bytes[at] ?? 0) >= 4) {
      transparent = (bytes[at + 1] ?? 0) & 1 ? (bytes[at + 4] ?? -1) : -1;
    }
    at = afterSubBlocks(bytes, at);
  }
  if (at + IMAGE_HEADER > bytes.length) return cut();
  const [left, top, width, height] = [0, 2, 4, 6].map((offset) => view.getUint16(at + offset, true)) as [
    number,
    number,
    number,
    number,
  ];
  const flags = bytes[at + 8] ?? 0;
  const [local, afterPalette] = palette(bytes, at + 9, flags);
  // A frame that reaches over the canvas widens it, as in Pillow.
  const canvasWidth = Math.max(view.getUint16(6, true), left + width);
  const canvasHeight = Math.max(view.getUint16(8, true), top + height);
  checkSize([canvasWidth, canvasHeight], options);
  if (width === 0 || height === 0) return refuse.damaged('its first frame has no pixels');

  const colours = new Uint8Array(3 * 256);
  const given = local ?? global;
  if (given) colours.set(given.subarray(0, colours.length));
  // Without any palette the numbers are shades of gray.
  else for (let i = 0; i < colours.length; i++) colours[i] = Math.floor(i / 3);
  if (transparent >= 0) colours.fill(255, transparent * 3, transparent * 3 + 3);

  const indices = inflateLzw(bytes, afterPalette, width * height, refuse);
  const outside = transparent >= 0 ? [255, 255, 255] : colours.subarray(0, 3);
  const data = new Uint8Array(canvasWidth * canvasHeight * 3);
  if (width < canvasWidth || height < canvasHeight) {
    for (let i = 0; i < data.length; i++) data[i] = outside[i % 3] ?? 0;
  }
  let from = 0;
  for (const row of flags & 0x40 ? interlaced(height) : plainRows(height)) {
    let to = ((top + row) * canvasWidth + left) * 3;
    for (let x = 0; x < width; x++) {
      const colour = (indices[from++] ?? 0) * 3;
      data[to++] = colours[colour] ?? 0;
      data[to++] = colours[colour + 1] ?? 0;
      data[to++] = colours[colour + 2] ?? 0;
    }
  }
  return { width: canvasWidth, height: canvasHeight, data };
}

function* plainRows(height: number): Generator<number> {
  for (let row = 0; row < height; row++) yield row;
}

function* interlaced(height: number): Generator<number> {
  for (const [first, step] of PASSES) for (let row = first; row < height; row += step) yield row;
}

/** The palette that `flags` announce at `at`, and where it ends. */
function palette(bytes: Uint8Array, at: number, flags: number): [Uint8Array | undefined, number] {
  if (!(flags & 0x80)) return [undefined, at];
  const end = at + 3 * 2 ** ((flags & 7) + 1);
  return [bytes.subarray(at, end), end];
}

function afterSubBlocks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const length = bytes[at++] ?? 0;
    if (length === 0) break;
    at += length;
  }
  return at;
}

/** `count` colour numbers from the LZW codes at `from` (GIF89a, appendix F). */
function inflateLzw(bytes: Uint8Array, from: number, count: number, refuse: Refuse): Uint8Array {
  const short = (): never => refuse.damaged('its first frame has fewer pixels than it declares');
  const least = bytes[from] ?? 0;
  if (least < 1 || least > 11) return refuse.damaged(`its codes begin with ${least} bits`);
  const clear = 2 ** least;
  const end = clear + 1;
  const prefix = new Uint16Array(MAX_CODES);
  const suffix = new Uint8Array(MAX_CODES);
  const lengths = new Uint16Array(MAX_CODES);
  for (let code = 0; code < clear; code++) {
    suffix[code] = code;
    lengths[code] = 1;
  }
  const result = new Uint8Array(count);
  let filled = 0;
  let size = least + 1;
  let next = end + 1;
  let previous = -1;
  let first = 0;
  let bits = 0;
  let held = 0;
  let at = from + 1;
  let left = 0;
  while (filled < count) {
    while (held < size) {
      if (left === 0) {
        left = bytes[at++] ?? 0;
        if (left === 0) return short();
      }
      const byte = bytes[at++];
      if (byte === undefined) return short();
      bits |= byte << held;
      held += 8;
      left--;
    }
    const code = bits & (2 ** size - 1);
    bits >>>= size;
    held -= size;
    if (code === clear) {
      size = least + 1;
      next = end + 1;
      previous = -1;
      continue;
    }
    if (code === end) return short();
    // The one code that may come before it is defined stands for the previous string and its own first letter.
    if (code > next || (code === next && previous < 0) || (previous < 0 && code > end)) {
      return refuse.damaged('a code in its first frame has no meaning');
    }
    const ahead = code === next;
    const string = ahead ? previous : code;
    const length = lengths[string] ?? 0;
    let place = filled + length - 1;
    for (let walk = string, i = 0; i < length; i++, place--, walk = prefix[walk] ?? 0) {
      if (place < count) result[place] = suffix[walk] ?? 0;
      if (i === length - 1) first = suffix[walk] ?? 0;
    }
    filled += length;
    if (ahead) {
      if (filled < count) result[filled] = first;
      filled++;
    }
    if (previous >= 0 && next < MAX_CODES) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = (lengths[previous] ?? 0) + 1;
      next++;
      if (next === 2 ** size && size < 12) size++;
    }
    previous = code;
  }
  return result;
}
