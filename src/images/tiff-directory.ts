/** @module The first directory of a TIFF or BigTIFF, and where its strips or tiles lie. */
import type { Refuse } from './plain.js';

export const TAG = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planarConfiguration: 284,
  t4Options: 292,
  t6Options: 293,
  predictor: 317,
  colorMap: 320,
  tileWidth: 322,
  tileLength: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  ycbcrSubSampling: 530,
  ycbcrPositioning: 531,
  xmp: 700,
} as const;

/** Without the values of one of these the picture would be read as another one. */
const NEEDED: ReadonlySet<number> = new Set(Object.values(TAG));

/** Bytes of a value by TIFF's number of its type; 13 and 16 to 18 are of later versions. */
const TYPE_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  6: 1,
  7: 1,
  13: 4,
  16: 8,
  18: 8,
};
/** Strips or tiles of one pixel each in the largest picture are no picture that anybody wrote. */
const MAX_SEGMENTS = 1_000_000;

/** Tags of the first picture of the file. */
export interface TiffDirectory {
  readonly little: boolean;
  /** Whole numbers of a tag; undefined where it is absent or of another type. */
  readonly numbers: (tag: number) => readonly number[] | undefined;
  /** The first of them, or `otherwise`. */
  readonly number: (tag: number, otherwise: number) => number;
  /** The bytes of a tag's value. */
  readonly bytes: (tag: number) => Uint8Array | undefined;
}

export function readTiffDirectory(file: Uint8Array, refuse: Refuse): TiffDirectory {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const cut = (): never => refuse.damaged('its directory is cut off');
  if (file.length < 16) return cut();
  const little = file[0] === 0x49;
  const big = view.getUint16(2, little) === 43;
  const long = (at: number): number =>
    big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  const [wordBytes, countBytes] = big ? [8, 8] : [4, 2];
  const start = long(big ? 8 : 4);
  if (start + countBytes > file.length) return cut();
  const count = big ? long(start) : view.getUint16(start, little);
  const entryBytes = 4 + 2 * wordBytes;
  if (start + countBytes + count * entryBytes > file.length) return cut();
  const entries = new Map<number, { type: number; count: number; at: number }>();
  for (let i = 0; i < count; i++) {
    const at = start + countBytes + i * entryBytes;
    const tag = view.getUint16(at, little);
    const type = view.getUint16(at + 2, little);
    const values = long(at + 4);
    const length = values * (TYPE_BYTES[type] ?? 0);
    const place = length <= wordBytes ? at + 4 + wordBytes : long(at + 4 + wordBytes);
    // Tags that are not needed may be as wrong as they like; of those that repeat the first one counts.
    if (NEEDED.has(tag) && !entries.has(tag) && length > 0 && place + length > file.length) {
      return refuse.damaged(`the values of tag ${tag} lie behind its end`);
    }
    if (length > 0 && place + length <= file.length && !entries.has(tag)) {
      entries.set(tag, { type, count: values, at: place });
    }
  }
  const numbers = (tag: number): readonly number[] | undefined => {
    const entry = entries.get(tag);
    if (entry === undefined) return undefined;
    if (entry.count > MAX_SEGMENTS) return refuse.tooMuch(`has ${entry.count} values in tag ${tag}`);
    const { type, at } = entry;
    const size = TYPE_BYTES[type] ?? 1;
    const read = (place: number): number => {
      if (size === 1) return view.getUint8(place);
      if (size === 2) return view.getUint16(place, little);
      return size === 4 ? view.getUint32(place, little) : Number(view.getBigUint64(place, little));
    };
    return Array.from({ length: entry.count }, (_, i) => read(at + i * size));
  };
  return {
    little,
    numbers,
    number: (tag, otherwise) => numbers(tag)?.[0] ?? otherwise,
    bytes: (tag) => {
      const entry = entries.get(tag);
      return entry && file.subarray(entry.at, entry.at + entry.count * (TYPE_BYTES[entry.type] ?? 1));
    },
  };
}

/** A strip or tile: where its bytes lie, and which part of the picture it covers. */
export interface Segment {
  readonly offset: number;
  readonly byteCount: number;
  readonly left: number;
  readonly top: number;
  /** The rows that it must hold: those of a tile all, those of the last strip what is left. */
  readonly rows: number;
  /** With separate planes the sample that it holds, else 0. */
  readonly plane: number;
}

export interface TiffLayout {
  readonly tiled: boolean;
  readonly width: number;
  readonly height: number;
  /** Of a tile or a full strip. */
  readonly segmentWidth: number;
  readonly segmentHeight: number;
  readonly segments: readonly Segment[];
}

/**
 * Where the pixels lie. Each strip or tile must be named and lie inside of the file: decoders show missing ones as black.
 * @param bitsPerRow bits of one row of a segment, given its width in pixels.
 */
export function tiffLayout(
  directory: TiffDirectory,
  file: Uint8Array,
  { planes, maxPixels, rowBytes }: { planes: number; maxPixels: number; rowBytes: (width: number) => number },
  refuse: Refuse,
): TiffLayout {
  const width = directory.number(TAG.width, 0);
  const height = directory.number(TAG.height, 0);
  const tiled = directory.numbers(TAG.tileWidth) !== undefined;
  const what = tiled ? 'tile' : 'strip';
  const segmentWidth = tiled ? directory.number(TAG.tileWidth, 0) : width;
  const rowsPerStrip = Math.min(directory.number(TAG.rowsPerStrip, height), height);
  const segmentHeight = tiled ? directory.number(TAG.tileLength, 0) : rowsPerStrip;
  if (segmentWidth < 1 || segmentHeight < 1) return refuse.damaged(`its ${what}s have no size`);
  const across = Math.ceil(width / segmentWidth);
  const down = Math.ceil(height / segmentHeight);
  // The largest pictures in tiles of a usual size stay below twice the limit.
  if (across * segmentWidth * down * segmentHeight > 2 * maxPixels) {
    return refuse.tooMuch(`has ${what}s of ${segmentWidth} x ${segmentHeight} pixels`);
  }
  const needed = across * down * planes;
  if (needed > MAX_SEGMENTS) return refuse.tooMuch(`has ${needed} ${what}s`);
  const offsets = directory.numbers(tiled ? TAG.tileOffsets : TAG.stripOffsets) ?? [];
  const given = directory.numbers(tiled ? TAG.tileByteCounts : TAG.stripByteCounts);
  const plain = directory.number(TAG.compression, 1) === 1;
  if (offsets.length < needed) {
    return refuse.damaged(`it names ${offsets.length} of its ${needed} ${what}s`);
  }
  const segments = Array.from({ length: needed }, (_, i): Segment => {
    const place = i % (across * down);
    const top = Math.floor(place / across) * segmentHeight;
    const rows = tiled ? segmentHeight : Math.min(segmentHeight, height - top);
    const offset = offsets[i] ?? 0;
    // Old writers left the lengths out where they follow from the size.
    const least = plain ? rows * rowBytes(segmentWidth) : 1;
    const byteCount = given === undefined && plain ? least : (given?.[i] ?? 0);
    if (
      offset === 0 ||
      byteCount < least ||
      offset + Math.min(byteCount, plain ? least : byteCount) > file.length
    ) {
      return refuse.damaged(`${what} ${i + 1} of ${needed} is missing or lies outside of the file`);
    }
    return {
      offset,
      byteCount,
      left: (place % across) * segmentWidth,
      top,
      rows,
      plane: Math.floor(i / (across * down)),
    };
  });
  return { tiled, width, height, segmentWidth, segmentHeight, segments };
}
