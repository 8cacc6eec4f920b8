import { UserError } from '../util/errors.js';
import { BMP_CORE_HEADER } from './formats.js';
import type { RgbImage } from './image.js';
import { toRgb } from './pixels.js';

const FILE_HEADER = 14;
const INFO_HEADER = 40;
/** The first header version that holds a mask for alpha (BITMAPV3INFOHEADER). */
const ALPHA_MASK_HEADER = 56;
const UNCOMPRESSED = 0;
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
  readonly pixelOffset: number;
  /** Of pixels with 16 or 32 bits: where red, green, blue and alpha stand. */
  readonly masks: readonly number[];
  /** Of pixels with up to 8 bits: RGB triples. */
  readonly palette: Uint8Array;
}

/**
 * Reads an uncompressed BMP of 1, 4, 8, 16, 24 or 32 bits a pixel, bottom-up or top-down, with palette or bit masks.
 * Every offset is checked against the bytes that are there. `subject` names the image in messages.
 * @throws UserError for a damaged file and for compressed ones.
 */
export function decodeBmp(bytes: Uint8Array, subject: string): RgbImage {
  const refuse = (reason: string): never => {
    throw new UserError(`${subject} (BMP) ${reason}`, { code: 'invalid_image' });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view, refuse);
  const { width, height, bits } = header;
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
    if (!readRow(view, from, row, header))
      refuse('is damaged: a pixel names a colour that its palette lacks');
  }
  return { width, height, data: toRgb(pixels, channels) };
}

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
  if (![1, 4, 8, 16, 24, 32].includes(bits)) return refuse(`is damaged: it claims ${bits} bits a pixel`);
  if (compression !== UNCOMPRESSED && !(masked && (bits === 16 || bits === 32))) {
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
    pixelOffset: view.getUint32(10, true),
    masks,
    palette,
  };
}

type ReadRow = (view: DataView, from: number, row: Uint8Array, header: BmpHeader) => boolean;

const paletteRow: ReadRow = (view, from, row, { bits, width, palette }) => {
  const perByte = 8 / bits;
  for (let x = 0; x < width; x++) {
    const byte = view.getUint8(from + Math.floor(x / perByte));
    // The leftmost pixel stands in the highest bits.
    const index = (byte >> (8 - bits * ((x % perByte) + 1))) & (2 ** bits - 1);
    if (index * 3 >= palette.length) return false;
    row.set(palette.subarray(index * 3, index * 3 + 3), x * 3);
  }
  return true;
};

const bgrRow: ReadRow = (view, from, row, { width }) => {
  for (let i = 0; i < width * 3; i += 3) {
    row[i] = view.getUint8(from + i + 2);
    row[i + 1] = view.getUint8(from + i + 1);
    row[i + 2] = view.getUint8(from + i);
  }
  return true;
};

const maskedRow: ReadRow = (view, from, row, { bits, width, masks }) => {
  const channels = row.length / width;
  const fields = masks.slice(0, channels).map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    return { mask, shift, top: mask >>> shift };
  });
  for (let x = 0; x < width; x++) {
    const pixel = bits === 16 ? view.getUint16(from + x * 2, true) : view.getUint32(from + x * 4, true);
    fields.forEach(({ mask, shift, top }, channel) => {
      const value = (pixel & mask) >>> shift;
      row[x * channels + channel] = top === 0 ? 0 : Math.floor((value * 255) / top);
    });
  }
  return true;
};
