/** @module PNG files made plain: the chunks that make up the picture, with their checksums looked at. */
import { crc32 } from 'node:zlib';
import { exifOrientation, inflatedText, rawProfileOrientation, xmpOrientation } from './orientation.js';
import type { Plain, Refuse } from './plain.js';

const SIGNATURE = 8;
/** Length and type in front of the data, a checksum behind it. */
const [HEAD, CHECKSUM] = [8, 4];
/** Some files cut their data into millions of pieces: they are put together in one walk. */
const IDAT = 'IDAT';
/** What of the optional chunks changes pixels here; profiles and gamma do not, as in Pillow. */
const KEPT = new Set(['IHDR', 'PLTE', 'tRNS', 'IEND']);
const TEXTS = new Set(['tEXt', 'zTXt', 'iTXt']);
const XMP = 'XML:com.adobe.xmp';

const isCritical = (type: string): boolean => /^[A-Z]/u.test(type);

/**
 * The same picture without metadata, its data in one chunk, and the orientation that EXIF, an ImageMagick profile or XMP
 * names before or behind the data. All chunks must have their checksums, as in Pillow, and the end must be there.
 */
export function plainPng(bytes: Uint8Array, refuse: Refuse): Plain {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const before: Uint8Array[] = [bytes.subarray(0, SIGNATURE)];
  const data: Uint8Array[] = [];
  let exif: number | undefined;
  let profile: number | undefined;
  let xmp: number | undefined;
  let ended = false;
  for (let at = SIGNATURE; !ended; ) {
    if (at + HEAD + CHECKSUM > bytes.length) return refuse.damaged('it ends before its last chunk');
    const length = view.getUint32(at);
    const end = at + HEAD + length + CHECKSUM;
    if (end > bytes.length) return refuse.damaged('a chunk ends behind the file');
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + HEAD));
    const content = bytes.subarray(at + HEAD, end - CHECKSUM);
    const matters = type === IDAT || KEPT.has(type) || isCritical(type);
    // A damaged type would make a chunk of pixels look like one that may be skipped.
    if (crc32(bytes.subarray(at + 4, end - CHECKSUM)) !== view.getUint32(end - CHECKSUM)) {
      return refuse.damaged(`the checksum of its ${JSON.stringify(type)} chunk is wrong`);
    }
    if (type === IDAT) data.push(content);
    // An unknown chunk that is marked as critical goes on to the decoder, which refuses it.
    else if (matters && type !== 'IEND') before.push(bytes.subarray(at, end));
    else if (type === 'eXIf') exif ??= exifOrientation(content);
    else if (TEXTS.has(type)) {
      const { keyword, text } = textOf(type, content);
      if (keyword === 'Raw profile type exif') profile ??= rawProfileOrientation(text);
      if (keyword === XMP) xmp = xmpOrientation(text);
    }
    ended = type === 'IEND';
    at = end;
  }
  const image = chunk(IDAT, data);
  return {
    bytes: Buffer.concat([...before, ...image, ...chunk('IEND', [])]),
    orientation: exif ?? profile ?? xmp,
  };
}

/** Keyword and text of a `tEXt`, `zTXt` or `iTXt` chunk; only what may name an orientation is inflated. */
function textOf(type: string, content: Uint8Array): { keyword: string; text: string } {
  const nul = content.indexOf(0);
  const keyword = Buffer.from(content.subarray(0, Math.min(Math.max(nul, 0), 79))).toString('latin1');
  if (keyword !== XMP && keyword !== 'Raw profile type exif') return { keyword, text: '' };
  const rest = content.subarray(nul + 1);
  if (type === 'tEXt') return { keyword, text: Buffer.from(rest).toString('latin1') };
  if (type === 'zTXt') return { keyword, text: inflatedText(rest.subarray(1)) };
  // Compression flag and method, then language and translated keyword, each ended by a zero byte.
  const language = rest.indexOf(0, 2);
  const text = rest.subarray(rest.indexOf(0, language + 1) + 1);
  return { keyword, text: rest[0] === 1 ? inflatedText(text) : Buffer.from(text).toString('latin1') };
}

function chunk(type: string, data: readonly Uint8Array[]): Uint8Array[] {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(data.reduce((sum, { length }) => sum + length, 0));
  head.write(type, 4, 'latin1');
  const checksum = Buffer.alloc(CHECKSUM);
  checksum.writeUInt32BE(data.reduce((sum, part) => crc32(part, sum), crc32(head.subarray(4))));
  return [head, ...data, checksum];
}
