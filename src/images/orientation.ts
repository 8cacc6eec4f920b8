/** @module How a picture is to be turned, as EXIF and XMP say it, and the turning. */
import { inflateSync } from 'node:zlib';
import type { RgbImage } from './image.js';

const ORIENTATION_TAG = 0x0112;
const ENTRY_BYTES = 12;
const SHORT = 3;
const LONG = 4;
/** XMP that says more than this about a picture says it without its orientation. */
const MAX_TEXT = 1024 * 1024;

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/**
 * The orientation (1 to 8) that EXIF names, with or without its `Exif\0\0` in front; undefined where it names none.
 * Malformed EXIF names none: a picture is not refused for its metadata.
 */
export function exifOrientation(exif: Uint8Array): number | undefined {
  const bytes = latin1(exif.subarray(0, 6)) === 'Exif\0\0' ? exif.subarray(6) : exif;
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const order = latin1(bytes.subarray(0, 4));
  if (order !== 'II*\0' && order !== 'MM\0*') return undefined;
  const little = order.startsWith('I');
  const directory = view.getUint32(4, little);
  if (directory + 2 > bytes.length) return undefined;
  const count = view.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const at = directory + 2 + i * ENTRY_BYTES;
    if (at + ENTRY_BYTES > bytes.length) return undefined;
    if (view.getUint16(at, little) !== ORIENTATION_TAG) continue;
    const type = view.getUint16(at + 2, little);
    if (type === SHORT) return view.getUint16(at + 8, little);
    return type === LONG ? view.getUint32(at + 8, little) : undefined;
  }
  return undefined;
}

/** The orientation that an XMP packet names: what counts where EXIF names none, as in Pillow. */
export function xmpOrientation(xmp: Uint8Array | string): number | undefined {
  const text = typeof xmp === 'string' ? xmp.slice(0, MAX_TEXT) : latin1(xmp.subarray(0, MAX_TEXT));
  const found = /tiff:Orientation(?:="|>)([0-9])/u.exec(text);
  return found === null ? undefined : Number(found[1]);
}

/** EXIF as ImageMagick writes it into PNG text: a name, a length and lines of hexadecimal digits. */
export function rawProfileOrientation(text: string): number | undefined {
  const lines = text.slice(0, MAX_TEXT).split('\n');
  return exifOrientation(Buffer.from(lines.slice(3).join(''), 'hex'));
}

/** A deflated text of metadata; empty where it is damaged or longer than any that matters here. */
export function inflatedText(bytes: Uint8Array): string {
  try {
    return latin1(inflateSync(bytes, { maxOutputLength: MAX_TEXT }));
  } catch {
    // Metadata that cannot be read turns nothing; the pixels are checked by their decoder.
    return '';
  }
}

/** Whether rows and columns change places. */
export const swapsSides = (orientation: number): boolean => orientation >= 5 && orientation <= 8;

/**
 * The picture as EXIF's orientation wants it shown; 1 and what is no orientation change nothing.
 * (Exif 2.32, tag 274: 2 mirrored, 3 upside down, 4 flipped, 5 transposed, 6 turned right, 7 transversed, 8 turned left.)
 */
export function oriented(image: RgbImage, orientation: number | undefined): RgbImage {
  if (orientation === undefined || !(orientation >= 2 && orientation <= 8)) return image;
  const { width, height, data } = image;
  const swaps = swapsSides(orientation);
  const [newWidth, newHeight] = swaps ? [height, width] : [width, height];
  const result = new Uint8Array(data.length);
  // Where the stored row starts from the other end once it is shown: 2, 3, 7, 8; and the stored column: 3, 4, 6, 7.
  const mirrorsX = [2, 3, 7, 8].includes(orientation);
  const mirrorsY = [3, 4, 6, 7].includes(orientation);
  const stepX = (swaps ? newWidth : 1) * (mirrorsX ? -3 : 3);
  for (let y = 0; y < height; y++) {
    const row = mirrorsY ? height - 1 - y : y;
    const column = mirrorsX ? width - 1 : 0;
    let to = (swaps ? column * newWidth + row : row * newWidth + column) * 3;
    let from = y * width * 3;
    for (let x = 0; x < width; x++, from += 3, to += stepX) {
      result[to] = data[from] ?? 0;
      result[to + 1] = data[from + 1] ?? 0;
      result[to + 2] = data[from + 2] ?? 0;
    }
  }
  return { width: newWidth, height: newHeight, data: result };
}
