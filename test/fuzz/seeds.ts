/** @module Small pictures of every format that is read, to be damaged. */
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const [WIDTH, HEIGHT] = [40, 24];

/** Gradients and an edge: every codec has something to store, and none much. */
function pixels(channels: 3 | 4): Buffer {
  const data = Buffer.alloc(WIDTH * HEIGHT * channels);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const values = [x * 6, y * 10, x > y ? 220 : 30, (x * 5 + y * 3) % 256];
      data.set(values.slice(0, channels), (y * WIDTH + x) * channels);
    }
  }
  return data;
}

/** A chunk of a RIFF file, padded to an even length. */
function chunked(type: string, data: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.write(type, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}

/** An animated WebP of `count` frames of 1 × 1 that are all `colour`. */
export async function animatedWebp(count: number, colour: string): Promise<Buffer> {
  const one = await sharp({ create: { width: 1, height: 1, channels: 3, background: colour } })
    .webp({ lossless: true })
    .toBuffer();
  const frame = chunked('ANMF', Buffer.concat([Buffer.alloc(16), one.subarray(12)]));
  const extended = Buffer.alloc(10);
  // Animated, without alpha; a canvas of 1 × 1.
  extended[0] = 0x02;
  const chunks = [chunked('VP8X', extended), chunked('ANIM', Buffer.alloc(6))];
  return chunked(
    'RIFF',
    Buffer.concat([Buffer.from('WEBP'), ...chunks, Buffer.alloc(frame.length * count, frame)]),
  );
}

/** An ISO media file of `bytes` bytes that is one box of brands, `first` before all others. */
export function brandsFile(bytes: number, first: string): Buffer {
  const file = Buffer.alloc(bytes, 'xxxx');
  file.writeUInt32BE(bytes);
  file.write(`ftyp${first}`, 4, 'latin1');
  return file;
}

/** A palette of 16 grays in 4 bits. */
function bmp(): Uint8Array {
  const offset = 54 + 64;
  const stride = Math.ceil((WIDTH * 4) / 32) * 4;
  const bytes = Buffer.alloc(offset + stride * HEIGHT);
  bytes.write('BM', 'latin1');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(offset, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(WIDTH, 18);
  bytes.writeInt32LE(HEIGHT, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(4, 28);
  for (let i = 0; i < 16; i++) bytes.fill(i * 17, 54 + i * 4, 57 + i * 4);
  for (let i = offset; i < bytes.length; i++) bytes[i] = i * 37;
  return bytes;
}

/** Tiles of 16 × 16, deflated, in the order that TIFF wants them; sharp writes no smaller ones. */
export function tiledTiff(): Buffer {
  const [across, down] = [Math.ceil(WIDTH / 16), Math.ceil(HEIGHT / 16)];
  const tiles = Array.from({ length: across * down }, (_, i) =>
    deflateSync(Buffer.alloc(16 * 16 * 3, i * 40 + 10).fill(i, 0, 100)),
  );
  const entries: [tag: number, type: number, values: number[]][] = [
    [256, 3, [WIDTH]],
    [257, 3, [HEIGHT]],
    [258, 3, [8, 8, 8]],
    [259, 3, [8]],
    [262, 3, [2]],
    [277, 3, [3]],
    [322, 3, [16]],
    [323, 3, [16]],
    [324, 4, tiles.map(() => 0)],
    [325, 4, tiles.map(({ length }) => length)],
  ];
  const size = (type: number): number => (type === 3 ? 2 : 4);
  const directory = 8 + 2 + entries.length * 12 + 4;
  const extra = entries.reduce((sum, [, type, values]) => {
    const length = size(type) * values.length;
    return sum + (length > 4 ? length : 0);
  }, 0);
  let place = directory + extra;
  const offsets = entries.find(([tag]) => tag === 324)?.[2] ?? [];
  tiles.forEach(({ length }, i) => {
    offsets[i] = place;
    place += length;
  });
  const head = Buffer.alloc(directory + extra);
  head.write('II*\0', 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(entries.length, 8);
  let valueAt = directory;
  entries.forEach(([tag, type, values], i) => {
    const at = 10 + i * 12;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(values.length, at + 4);
    const length = size(type) * values.length;
    let to = at + 8;
    if (length > 4) {
      head.writeUInt32LE(valueAt, to);
      to = valueAt;
      valueAt += length;
    }
    for (const [j, value] of values.entries()) {
      if (type === 3) head.writeUInt16LE(value, to + j * 2);
      else head.writeUInt32LE(value, to + j * 4);
    }
  });
  return Buffer.concat([head, ...tiles]);
}

/** Every format, and of each what its readers treat apart. */
export async function imageSeeds(): Promise<Seed[]> {
  const raw = (channels: 3 | 4): Sharp =>
    sharp(pixels(channels), { raw: { width: WIDTH, height: HEIGHT, channels } });
  // Two frames of half the height.
  const film = (): Sharp =>
    sharp(pixels(3), { raw: { width: WIDTH, height: HEIGHT, channels: 3, pageHeight: HEIGHT / 2 } });
  const turned = (): Sharp => raw(3).withMetadata({ orientation: 6 });
  const made: Readonly<Record<string, Promise<Uint8Array> | Uint8Array>> = {
    'rgb.png': raw(3).png().toBuffer(),
    'rgba.png': raw(4).png().toBuffer(),
    'interlaced.png': raw(3).png({ progressive: true }).toBuffer(),
    'palette.png': raw(4).png({ palette: true }).toBuffer(),
    'turned.png': turned().png().toBuffer(),
    'baseline.jpg': raw(3).jpeg().toBuffer(),
    'progressive.jpg': raw(3).jpeg({ progressive: true }).toBuffer(),
    'turned.jpg': turned().jpeg().toBuffer(),
    'lossy.webp': raw(3).webp().toBuffer(),
    'alpha.webp': raw(4).webp().toBuffer(),
    'lossless.webp': raw(4).webp({ lossless: true }).toBuffer(),
    'animated.webp': film().webp().toBuffer(),
    'still.gif': raw(4).gif().toBuffer(),
    'animated.gif': film().gif().toBuffer(),
    'none.tiff': raw(3).tiff({ compression: 'none' }).toBuffer(),
    'lzw.tiff': raw(4).tiff({ compression: 'lzw', predictor: 'horizontal' }).toBuffer(),
    'deflate.tiff': raw(3).tiff({ compression: 'deflate' }).toBuffer(),
    'packbits.tiff': raw(3).tiff({ compression: 'packbits' }).toBuffer(),
    'jpeg.tiff': raw(3).tiff({ compression: 'jpeg' }).toBuffer(),
    'fax.tiff': raw(3).toColourspace('b-w').tiff({ compression: 'ccittfax4', bitdepth: 1 }).toBuffer(),
    'tiled.tiff': tiledTiff(),
    'photo.avif': raw(3).avif({ effort: 0 }).toBuffer(),
    'alpha.avif': raw(4).avif({ effort: 0 }).toBuffer(),
    'gray.bmp': bmp(),
  };
  return await Promise.all(
    Object.entries(made).map(async ([name, bytes]) => ({ name, bytes: Uint8Array.from(await bytes) })),
  );
}
