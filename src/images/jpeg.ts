/** @module JPEG files made plain: what cameras write wrongly but every viewer shows, and metadata taken out. */
import { exifOrientation, xmpOrientation } from './orientation.js';
import type { Plain, Refuse } from './plain.js';

const MARKER = 0xff;
const [TEM, RST0, RST7, SOI, EOI, SOS] = [0x01, 0xd0, 0xd7, 0xd8, 0xd9, 0xda] as const;
const [APP0, APP1, APP14, APP15, COM] = [0xe0, 0xe1, 0xee, 0xef, 0xfe] as const;
/** Frames whose coefficients come in one pass: baseline and extended sequential, Huffman and arithmetic. */
const SEQUENTIAL = [0xc0, 0xc1, 0xc9];
const PROGRESSIVE = [0xc2, 0xca];
/** The other starts of frame: lossless and differential ones. DHT, JPG and DAC stand between them. */
const OTHER_FRAMES = [0xc3, 0xc5, 0xc6, 0xc7, 0xcb, 0xcd, 0xce, 0xcf];
/** The last coefficient of a block of 8 × 8. */
const LAST_COEFFICIENT = 63;
/** Encoders write some ten passes; each costs a walk over the whole picture, however few bytes it has. */
const MAX_SCANS = 100;
const ADOBE_TRANSFORM = 11;
const XMP = 'http://ns.adobe.com/xap/1.0/\0';

/**
 * The same picture without metadata and without what decoders warn of though nothing is lost: parameters of a sequential
 * scan other than 0 to 63 (some phones), bytes between segments, JFIF of a major version 2. What remains to be warned of
 * is missing or damaged data. Trailing bytes behind the end are dropped; a missing end stays missing.
 */
export function plainJpeg(bytes: Uint8Array, refuse: Refuse): Plain {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [bytes.subarray(0, 2)];
  const ascii = (from: number, length: number): string =>
    Buffer.from(
      bytes.buffer,
      bytes.byteOffset + from,
      Math.max(0, Math.min(length, bytes.length - from)),
    ).toString('latin1');
  let exif: number | undefined;
  let xmp: number | undefined;
  let sequential = false;
  let scans = 0;
  let at = 2;
  while (at < bytes.length) {
    at = bytes.indexOf(MARKER, at);
    if (at < 0) break;
    while (bytes[at] === MARKER) at++;
    const marker = bytes[at++] ?? 0;
    if (marker === 0 || marker === TEM || (marker >= RST0 && marker <= SOI)) continue;
    if (marker === EOI) {
      parts.push(Uint8Array.of(MARKER, EOI));
      break;
    }
    if (at + 2 > bytes.length) break;
    const length = view.getUint16(at);
    if (length < 2) return refuse.damaged(`a segment claims a length of ${length}`);
    const end = at + length;
    if (end > bytes.length) return refuse.damaged('a segment ends behind the file');
    const segment = Uint8Array.from([MARKER, marker, ...bytes.subarray(at, end)]);
    if (SEQUENTIAL.includes(marker) || PROGRESSIVE.includes(marker)) {
      sequential = SEQUENTIAL.includes(marker);
      const precision = bytes[at + 2];
      if (precision !== 8) return refuse.unsupported(`has ${precision} bits a sample`);
    }
    if (OTHER_FRAMES.includes(marker)) return refuse.unsupported('is lossless or hierarchical');
    if (marker === APP1) {
      if (ascii(at + 2, 6) === 'Exif\0\0') exif ??= exifOrientation(bytes.subarray(at + 2, end));
      if (ascii(at + 2, XMP.length) === XMP) xmp = xmpOrientation(bytes.subarray(at + 2 + XMP.length, end));
    }
    if (marker === APP0 && ascii(at + 2, 5) === 'JFIF\0') parts.push(jfif(segment));
    else if (marker === APP14 && ascii(at + 2, 5) === 'Adobe') parts.push(adobe(segment));
    else if ((marker < APP0 || marker > APP15) && marker !== COM && marker !== SOS) parts.push(segment);
    at = end;
    if (marker !== SOS) continue;
    if (++scans > MAX_SCANS) return refuse.tooMuch(`has more than ${MAX_SCANS} scans`);
    if (sequential && segment.length > 7) segment.set([0, LAST_COEFFICIENT, 0], segment.length - 3);
    const scanEnd = endOfScan(bytes, end);
    parts.push(segment, bytes.subarray(end, scanEnd));
    at = scanEnd;
  }
  return { bytes: Buffer.concat(parts), orientation: exif ?? xmp };
}

/** The place of the first marker behind entropy-coded data, in which 0xFF is followed by 0 or is a restart. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(MARKER, from); at >= 0; at = bytes.indexOf(MARKER, at + 1)) {
    const next = bytes[at + 1];
    if (next === undefined) break;
    if (next !== 0 && next !== MARKER && !(next >= RST0 && next <= RST7)) return at;
  }
  return bytes.length;
}

/** Version 1 of JFIF; nothing of a later one was ever published. */
const jfif = (segment: Uint8Array): Uint8Array => {
  const version = 9;
  if ((segment[version] ?? 1) !== 1 && segment.length > version) segment[version] = 1;
  return segment;
};

/** Adobe's transforms are 0 to 2; of others decoders warn, and read 1. */
const adobe = (segment: Uint8Array): Uint8Array => {
  const at = 4 + ADOBE_TRANSFORM;
  if ((segment[at] ?? 0) > 2) segment[at] = 1;
  return segment;
};

/** libjpeg's words for bytes that are left over when all pixels are there. */
const LEFT_OVER = /(\d+) extraneous bytes before marker 0xd9/u;

/**
 * The file without the zeros that some cameras put before its end, given the decoder's complaint of them; undefined where
 * it complained of something else, or what is left over is anything but zeros: then the data is damaged.
 */
export function withoutPadding(bytes: Uint8Array, complaint: string): Uint8Array | undefined {
  const count = Number(LEFT_OVER.exec(complaint)?.[1] ?? 0);
  const end = bytes.length - 2;
  const padding = bytes.subarray(Math.max(0, end - count), end);
  if (count === 0 || padding.some((byte) => byte !== 0)) return undefined;
  return Buffer.concat([bytes.subarray(0, end - count), bytes.subarray(end)]);
}
