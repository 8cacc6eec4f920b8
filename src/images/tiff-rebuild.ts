/** @module A TIFF that holds one picture and the tags that its decoder needs: odd tags are nothing that it could warn of. */
import { TAG, type TiffDirectory, type TiffLayout } from './tiff-directory.js';

const [SHORT, LONG, UNDEFINED] = [3, 4, 7] as const;
const COPIED = [
  TAG.width,
  TAG.height,
  TAG.bitsPerSample,
  TAG.compression,
  TAG.photometric,
  TAG.fillOrder,
  TAG.samplesPerPixel,
  TAG.t4Options,
  TAG.t6Options,
  TAG.ycbcrSubSampling,
  TAG.ycbcrPositioning,
] as const;
/** Those of them that may not fit into 16 bits. */
const LONGS: ReadonlySet<number> = new Set([TAG.width, TAG.height, TAG.t4Options, TAG.t6Options]);

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly value: Buffer;
}

/** The strips or tiles of `file` as they are, in a little-endian TIFF of their own. */
export function rebuiltTiff(file: Uint8Array, directory: TiffDirectory, layout: TiffLayout): Uint8Array {
  const entries: Entry[] = [];
  for (const tag of COPIED) {
    const values = directory.numbers(tag);
    if (values !== undefined) entries.push(entry(tag, LONGS.has(tag) ? LONG : SHORT, values));
  }
  const tables = directory.bytes(TAG.jpegTables);
  if (tables !== undefined) {
    entries.push({ tag: TAG.jpegTables, type: UNDEFINED, count: tables.length, value: Buffer.from(tables) });
  }
  const { tiled, segments, segmentWidth, segmentHeight } = layout;
  if (tiled) {
    entries.push(entry(TAG.tileWidth, LONG, [segmentWidth]), entry(TAG.tileLength, LONG, [segmentHeight]));
  } else {
    entries.push(entry(TAG.rowsPerStrip, LONG, [segmentHeight]));
  }
  const counts = segments.map(({ byteCount }) => byteCount);
  entries.push(entry(tiled ? TAG.tileByteCounts : TAG.stripByteCounts, LONG, counts));
  const offsetsTag = tiled ? TAG.tileOffsets : TAG.stripOffsets;
  const placeholder = entry(offsetsTag, LONG, counts);

  const header = 8;
  const all = [...entries, placeholder].toSorted((a, b) => a.tag - b.tag);
  const directoryBytes = 2 + all.length * 12 + 4;
  const valuesBytes = all.reduce(
    (sum, { value }) => sum + (value.length > 4 ? value.length + (value.length & 1) : 0),
    0,
  );
  let place = header + directoryBytes + valuesBytes;
  const offsets = counts.map((count) => {
    const offset = place;
    place += count;
    return offset;
  });
  const head = Buffer.alloc(header + directoryBytes + valuesBytes);
  head.write('II*\0', 'latin1');
  head.writeUInt32LE(header, 4);
  head.writeUInt16LE(all.length, header);
  let at = header + 2;
  let valueAt = header + directoryBytes;
  for (const { tag, type, count, value: given } of all) {
    const value = tag === offsetsTag ? entry(tag, LONG, offsets).value : given;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(count, at + 4);
    if (value.length <= 4) head.set(value, at + 8);
    else {
      head.writeUInt32LE(valueAt, at + 8);
      head.set(value, valueAt);
      valueAt += value.length + (value.length & 1);
    }
    at += 12;
  }
  return Buffer.concat([
    head,
    ...segments.map(({ offset, byteCount }) => file.subarray(offset, offset + byteCount)),
  ]);
}

function entry(tag: number, type: typeof SHORT | typeof LONG, values: readonly number[]): Entry {
  const value = Buffer.alloc(values.length * (type === SHORT ? 2 : 4));
  values.forEach((one, i) => {
    if (type === SHORT) value.writeUInt16LE(one & 0xffff, i * 2);
    else value.writeUInt32LE(one % 2 ** 32, i * 4);
  });
  return { tag, type, count: values.length, value };
}
