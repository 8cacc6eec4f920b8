import { UserError } from '../util/errors.js';
import { BMP_CORE_HEADER } from './formats.js';
import type { RgbImage } from './image.js';
import { toRgb } from './pixels.js';

const FILE_HEADER = 14;
const INFO_HEADER = 40;
/** The first header version that holds a mask for alpha (BITMAPV3INFOHEADER). */
const ALPHA_MASK_HEADER = 56;
const UNCOMPRESSED = 0;
/** Run lengths of palette pixels, by their bits a pixel. */
const RUN_LENGTHS: Readonly<Record<number, number>> = { 1: 8, 2: 4 };
const BIT_FIELDS = 3;
const ALPHA_BIT_FIELDS = 6;
/** Red, green, blue, alpha where the header names none: 5-5-5 bits, and BGRX. */
const DEFAULT_MASKS: Readonly<Record<number, readonly number[]>> = {
  16: [0x7c00, 0x03e0, 0x001f, 0],
  32: [0xff0000, 0x00ff00, 0x0000ff, 0],
};

interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  /** Palette pixels in run lengths. */
  readonly runs: boolean;
  readonly pixelOffset: number;
  /** Of pixels with 16 or 32 bits: where red, green, blue and alpha stand. */
  readonly masks: readonly number[];
  /** Of pixels with up to 8 bits: RGB triples. */
  readonly palette: Uint8Array;
}

/**
 * Reads a BMP of 1, 2, 4, 8, 16, 24 or 32 bits a pixel, bottom-up or top-down, with palette or bit masks, plain or with
 * run lengths (pixels that these skip have the palette's first colour, as in Pillow).
 * Every offset is checked against the bytes that are there. `subject` names the image in messages.
 * @throws UserError for a damaged file and for those that hold a JPEG or PNG.
 */
export function decodeBmp(bytes: Uint8Array, subject: string): RgbImage {
  const refuse = (reason: string): never => {
    throw new UserError(`${subject} (BMP) ${reason}`, { code: 'invalid_image' });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view, refuse);
  const { width, height, bits } = header;
  if (header.runs) return unpackedRuns(bytes, header, refuse);
  const stride = Math.ceil((bits * width) / 32) * 4;
  const lastRow = Math.ceil((bits * width) / 8);
  if (header.pixelOffset + stride * (height - 1) + lastRow > bytes.length) {
    refuse('is truncated: its header promises more pixels than the file holds; get a complete copy');
  }
  const channels = bits > 8 && header.masks[3] ? 4 : 3;
  const pixels = new Uint8Array(width * height * channels);
  const readRow = bits <= 8 ? paletteRow : bits === 24 ? bgrRow : maskedRow;
  for (let y = 0; y < height; y++) {
    const from = header.pixelOffset + stride * (header.topDown ? y : height - 1 - y);
    const row = pixels.subarray(y * width * channels, (y + 1) * width * channels);
    if (!readRow(bytes, from, row, header)) refuse(WRONG_COLOUR);
  }
  return { width, height, data: toRgb(pixels, channels) };
}

const WRONG_COLOUR = 'is damaged: a pixel names a colour that its palette lacks';

function readHeader(view: DataView, refuse: (reason: string) => never): BmpHeader {
  const truncated = 'is truncated inside its header; get a complete copy';
  if (view.byteLength < FILE_HEADER + BMP_CORE_HEADER) return refuse(truncated);
  const size = view.getUint32(FILE_HEADER, true);
  const core = size === BMP_CORE_HEADER;
  if (!core && size < INFO_HEADER) return refuse(`is damaged: no BMP header is ${size} bytes long`);
  const end = FILE_HEADER + size;
  if (end > view.byteLength) return refuse(truncated);

  const signedHeight = core ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? UNCOMPRESSED : view.getUint32(30, true);
  const masked = compression === BIT_FIELDS || compression === ALPHA_BIT_FIELDS;
  if (![1, 2, 4, 8, 16, 24, 32].includes(bits)) return refuse(`is damaged: it claims ${bits} bits a pixel`);
  const runs = RUN_LENGTHS[compression] === bits;
  if (compression !== UNCOMPRESSED && !runs && !(masked && (bits === 16 || bits === 32))) {
    return refuse(`is compressed (method ${compression}), which is not read here; convert it to PNG first`);
  }
  // With the shortest info header the masks follow it; later versions hold them at the same place.
  const maskCount = size >= ALPHA_MASK_HEADER || compression === ALPHA_BIT_FIELDS ? 4 : 3;
  const masksAt = FILE_HEADER + INFO_HEADER;
  if (masked && masksAt + maskCount * 4 > view.byteLength) return refuse(truncated);
  const masks = masked
    ? Array.from({ length: maskCount }, (_, i) => view.getUint32(masksAt + i * 4, true))
    : (DEFAULT_MASKS[bits] ?? []);

  const entryBytes = core ? 3 : 4;
  const declaredColours = core ? 0 : view.getUint32(46, true);
  const colours = bits > 8 ? 0 : Math.min(declaredColours || 2 ** bits, 2 ** bits);
  if (end + colours * entryBytes > view.byteLength) return refuse(truncated);
  const palette = new Uint8Array(colours * 3);
  for (let colour = 0; colour < colours; colour++) {
    for (let channel = 0; channel < 3; channel++) {
      // Stored as blue, green, red.
      palette[colour * 3 + channel] = view.getUint8(end + colour * entryBytes + 2 - channel);
    }
  }
  return {
    width: core ? view.getUint16(18, true) : view.getInt32(18, true),
    height: Math.abs(signedHeight),
    topDown: signedHeight < 0,
    bits,
    runs,
    pixelOffset: view.getUint32(10, true),
    masks,
    palette,
  };
}

type ReadRow = (bytes: Uint8Array, from: number, row: Uint8Array, header: BmpHeader) => boolean;

const paletteRow: ReadRow = (bytes, from, row, { bits, width, palette }) => {
  const mask = 2 ** bits - 1;
  let to = 0;
  for (let bit = 0; bit < width * bits; bit += bits) {
    // The leftmost pixel stands in the highest bits.
    const colour = (((bytes[from + (bit >> 3)] ?? 0) >> (8 - bits - (bit & 7))) & mask) * 3;
    if (colour >= palette.length) return false;
    row[to++] = palette[colour] ?? 0;
    row[to++] = palette[colour + 1] ?? 0;
    row[to++] = palette[colour + 2] ?? 0;
  }
  return true;
};

const bgrRow: ReadRow = (bytes, from, row, { width }) => {
  for (let i = 0; i < width * 3; i += 3) {
    row[i] = bytes[from + i + 2] ?? 0;
    row[i + 1] = bytes[from + i + 1] ?? 0;
    row[i + 2] = bytes[from + i] ?? 0;
  }
  return true;
};

const maskedRow: ReadRow = (bytes, from, row, { bits, width, masks }) => {
  const channels = row.length / width;
  const pixelBytes = bits / 8;
  for (let channel = 0; channel < channels; channel++) {
    const mask = masks[channel] ?? 0;
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    const top = mask >>> shift;
    if (top === 0) continue;
    for (let x = 0, at = from, to = channel; x < width; x++, at += pixelBytes, to += channels) {
      let pixel = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      if (pixelBytes === 4) pixel |= ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
      row[to] = Math.floor((((pixel & mask) >>> shift) * 255) / top);
    }
  }
  return true;
};

/** Behind a zero: the end of the line or of the picture, or a step to the right and on; from 3 on a count of plain pixels. */
const [END_OF_LINE, END_OF_PICTURE, STEP] = [0, 1, 2] as const;

/** Pixels in run lengths of 8 or 4 bits, as Pillow reads them. */
function unpackedRuns(bytes: Uint8Array, header: BmpHeader, refuse: (reason: string) => never): RgbImage {
  const { width, height, bits, palette, topDown } = header;
  const short = 'is truncated: its run lengths end before its pixels do; get a complete copy';
  const total = width * height;
  const numbers = new Uint8Array(total);
  let filled = 0;
  let at = header.pixelOffset;
  while (filled < total) {
    if (at + 2 > bytes.length) return refuse(short);
    const count = bytes[at++] ?? 0;
    const value = bytes[at++] ?? 0;
    const lineLeft = width - (filled % width);
    if (count > 0) {
      // Four bits: two colours take turns. What reaches over the line is dropped.
      for (let i = 0; i < Math.min(count, lineLeft); i++) {
        numbers[filled++] = bits === 8 ? value : i % 2 === 0 ? value >> 4 : value & 15;
      }
    } else if (value === END_OF_LINE) {
      if (lineLeft < width) filled += lineLeft;
    } else if (value === END_OF_PICTURE) {
      return refuse(short);
    } else if (value === STEP) {
      filled += (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * width;
      at += 2;
    } else {
      const stored = Math.ceil((value * bits) / 8);
      if (at + stored > bytes.length) return refuse(short);
      for (let i = 0; i < value && filled < total; i++) {
        const byte = bytes[at + ((i * bits) >> 3)] ?? 0;
        numbers[filled++] = bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15;
      }
      // Plain pixels fill whole words of 16 bits.
      at += stored + (stored % 2);
    }
  }
  const data = new Uint8Array(total * 3);
  for (let y = 0; y < height; y++) {
    let from = (topDown ? y : height - 1 - y) * width;
    for (let to = y * width * 3; to < (y + 1) * width * 3; to += 3) {
      const colour = (numbers[from++] ?? 0) * 3;
      if (colour >= palette.length) return refuse(WRONG_COLOUR);
      data[to] = palette[colour] ?? 0;
      data[to + 1] = palette[colour + 1] ?? 0;
      data[to + 2] = palette[colour + 2] ?? 0;
    }
  }
  return { width, height, data };
}
