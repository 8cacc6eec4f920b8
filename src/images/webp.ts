/** @module WebP files made plain: one still picture, which in an animation is the first frame. */
import { exifOrientation, xmpOrientation } from './orientation.js';
import type { Plain, Refuse } from './plain.js';

const RIFF_HEADER = 12;
const CHUNK_HEADER = 8;
const FRAME_HEADER = 16;
const CANVAS = 10;
/** In the flags of `VP8X`. */
const HAS_ALPHA = 0x10;

/** A still WebP and, if it is the first frame of an animation, where it lies on which canvas. */
export interface PlainWebp extends Plain {
  readonly canvas?: {
    readonly width: number;
    readonly height: number;
    readonly left: number;
    readonly top: number;
    /** Around the frame: transparent, or black where the animation has no alpha. */
    readonly transparent: boolean;
  };
}

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/**
 * The same picture without metadata. Of an animation only the first frame is kept, and chunks behind it are not walked:
 * the others cost nothing (WebP container specification).
 */
export function plainWebp(bytes: Uint8Array, refuse: Refuse): PlainWebp {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < RIFF_HEADER + CHUNK_HEADER) return refuse.damaged('its header is cut off');
  const declared = view.getUint32(4, true) + 8;
  if (declared > bytes.length) return refuse.damaged('it declares more bytes than the file has');
  let extended: Uint8Array | undefined;
  let exif: number | undefined;
  let xmp: number | undefined;
  const picture: Chunk[] = [];
  for (const { type, data } of chunks(bytes.subarray(0, declared), RIFF_HEADER, refuse)) {
    if (type === 'VP8X') extended ??= data;
    else if (type === 'ANMF') return firstFrame(data, extended, refuse);
    else if (isPicture(type)) picture.push({ type, data });
    else if (type === 'EXIF') exif ??= exifOrientation(data);
    else if (type === 'XMP ') xmp ??= xmpOrientation(data);
  }
  const size = extended === undefined || extended.length < CANVAS ? undefined : sizeAt(extended, 4);
  return { bytes: still(picture, size, refuse), orientation: exif ?? xmp };
}

/** Its width and height as declared: of the canvas, or of the one bitstream. */
function firstFrame(frame: Uint8Array, extended: Uint8Array | undefined, refuse: Refuse): PlainWebp {
  if (extended === undefined || extended.length < CANVAS) return refuse.damaged('its canvas has no size');
  if (frame.length < FRAME_HEADER) return refuse.damaged('its first frame is cut off');
  const canvas = sizeAt(extended, 4);
  const size = sizeAt(frame, 6);
  const [left, top] = [2 * uint24(frame, 0), 2 * uint24(frame, 3)];
  if (left + size.width > canvas.width || top + size.height > canvas.height) {
    return refuse.damaged('its first frame lies outside of its canvas');
  }
  const picture = [...chunks(frame, FRAME_HEADER, refuse)].filter(({ type }) => isPicture(type));
  const transparent = ((extended[0] ?? 0) & HAS_ALPHA) !== 0;
  return { bytes: still(picture, size, refuse), canvas: { ...canvas, left, top, transparent } };
}

const isPicture = (type: string): boolean => type === 'VP8 ' || type === 'VP8L' || type === 'ALPH';
const uint24 = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
/** Width and height stand one lower than they are. */
const sizeAt = (bytes: Uint8Array, at: number): { width: number; height: number } => ({
  width: uint24(bytes, at) + 1,
  height: uint24(bytes, at + 3) + 1,
});

function* chunks(bytes: Uint8Array, from: number, refuse: Refuse): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = from; at + CHUNK_HEADER <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    const end = at + CHUNK_HEADER + length;
    if (end > bytes.length) return refuse.damaged('a chunk ends behind the file');
    yield {
      type: String.fromCharCode(...bytes.subarray(at, at + 4)),
      data: bytes.subarray(at + CHUNK_HEADER, end),
    };
    at = end + (length & 1);
  }
}

/** One bitstream, with its alpha plane if it has one apart. */
function still(
  picture: readonly Chunk[],
  size: { width: number; height: number } | undefined,
  refuse: Refuse,
): Uint8Array {
  const coded = picture.find(({ type }) => type !== 'ALPH');
  if (coded === undefined) return refuse.damaged('it holds no picture');
  const alpha = coded.type === 'VP8 ' ? picture.find(({ type }) => type === 'ALPH') : undefined;
  const parts: Uint8Array[] = [];
  if (alpha !== undefined && size !== undefined) {
    const header = Buffer.alloc(CANVAS);
    header[0] = HAS_ALPHA;
    header.writeUIntLE(size.width - 1, 4, 3);
    header.writeUIntLE(size.height - 1, 7, 3);
    parts.push(...chunk('VP8X', header), ...chunk('ALPH', alpha.data));
  }
  parts.push(...chunk(coded.type, coded.data));
  const body = Buffer.concat(parts);
  return Buffer.concat([...chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), body]))]);
}

function chunk(type: string, data: Uint8Array): Uint8Array[] {
  const head = Buffer.alloc(CHUNK_HEADER);
  head.write(type, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return data.length % 2 === 0 ? [head, data] : [head, data, Buffer.alloc(1)];
}
