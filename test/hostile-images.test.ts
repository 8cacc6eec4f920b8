import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../src/images/decode.js';
import { plainWebp } from '../src/images/webp.js';
import { refusals } from '../src/images/plain.js';
import { imageCampaign } from './fuzz/image-campaign.js';
import { animatedWebp, brandsFile, imageSeeds, tiledTiff } from './fuzz/seeds.js';

describe('pictures that cost more than they weigh', () => {
  it('of 100,000 frames the first one is read, and the others are not walked', async () => {
    const film = await animatedWebp(100_000, '#c80a1e');
    const { width, height, data } = await decodeImage(film);
    expect([width, height, ...data]).toEqual([1, 1, 200, 10, 30]);
    // What the decoder is given is one picture, however long the film is.
    const given = plainWebp(film, refusals('the image', 'WebP')).bytes.length;
    expect(given).toBe(
      plainWebp(await animatedWebp(1, '#c80a1e'), refusals('the image', 'WebP')).bytes.length,
    );
  });

  it.each([
    { name: 'an unknown one', first: 'xxxx', message: /is not an image that can be read here/ },
    { name: 'AVIF', first: 'avif', message: /\(AVIF\) names more than 64 brands/ },
    { name: 'HEIC', first: 'heic', message: /is a HEIC photo/ },
  ])('60 MB of brands, the first of them $name', async ({ first, message }) => {
    await expect(decodeImage(brandsFile(60_000_000, first))).rejects.toThrow(message);
  });

  it('files beyond the limit of bytes', async () => {
    await expect(decodeImage(new Uint8Array(512 * 1024 * 1024 + 1))).rejects.toThrow(
      /more than the limit of 512 MiB; scale it down first/,
    );
  });

  it('a line of 50 million pixels', async () => {
    const header = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\x01\x08\x02\0\0\0', 'latin1');
    header.writeUInt32BE(50_000_000, 16);
    await expect(decodeImage(header)).rejects.toThrow(
      /declares 50000000 x 1 pixels, and no side may have more than 65535; scale it down first/,
    );
  });

  it('a progressive JPEG of many scans', async () => {
    const photo = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#345678' } })
      .jpeg({ progressive: true })
      .toBuffer();
    const scan = photo.lastIndexOf(Buffer.of(0xff, 0xda));
    const scans = Array.from({ length: 200 }, () => photo.subarray(scan, photo.length - 2));
    const many = Buffer.concat([photo.subarray(0, scan), ...scans, photo.subarray(photo.length - 2)]);
    await expect(decodeImage(many)).rejects.toThrow(/has more than 100 scans/);
  });
});

describe('damaged TIFFs are refused', () => {
  const [TILE_OFFSETS, TILE_COUNTS] = [324, 325];
  const valuesAt = (file: Buffer, tag: number): number => {
    const entries = Array.from({ length: file.readUInt16LE(8) }, (_, i) => 10 + i * 12);
    return file.readUInt32LE((entries.find((at) => file.readUInt16LE(at) === tag) ?? 0) + 8);
  };

  it('none of this was done to the sound one', async () => {
    expect(await decodeImage(tiledTiff())).toMatchObject({ width: 40, height: 24 });
  });

  it.each([
    { name: 'a tile without a place', tag: TILE_OFFSETS, value: 0 },
    { name: 'a tile behind the file', tag: TILE_OFFSETS, value: 0x7fffffff },
    { name: 'a tile without bytes', tag: TILE_COUNTS, value: 0 },
    { name: 'a tile that ends behind the file', tag: TILE_COUNTS, value: 0x7fffffff },
  ])('$name', async ({ tag, value }) => {
    const file = tiledTiff();
    file.writeUInt32LE(value, valuesAt(file, tag) + 8);
    await expect(decodeImage(file)).rejects.toThrow(
      /\(TIFF\) is truncated or damaged \(tile 3 of 6 is missing or lies outside of the file\); get a complete copy$/,
    );
  });

  it('a tile of zeros', async () => {
    const file = tiledTiff();
    const offset = file.readUInt32LE(valuesAt(file, TILE_OFFSETS) + 8);
    file.fill(0, offset, offset + file.readUInt32LE(valuesAt(file, TILE_COUNTS) + 8));
    await expect(decodeImage(file)).rejects.toThrow(/a strip or tile cannot be inflated/);
  });

  it('a tile with too few rows', async () => {
    const file = tiledTiff();
    const short = deflateSync(Buffer.alloc(300));
    const offset = file.length;
    file.writeUInt32LE(offset, valuesAt(file, TILE_OFFSETS) + 8);
    file.writeUInt32LE(short.length, valuesAt(file, TILE_COUNTS) + 8);
    await expect(decodeImage(Buffer.concat([file, short]))).rejects.toThrow(
      /a strip or tile has fewer pixels than it should/,
    );
  });

  it('a tile that becomes more than it should', async () => {
    const file = tiledTiff();
    const bomb = deflateSync(Buffer.alloc(50_000_000));
    file.writeUInt32LE(file.length, valuesAt(file, TILE_OFFSETS) + 8);
    file.writeUInt32LE(bomb.length, valuesAt(file, TILE_COUNTS) + 8);
    await expect(decodeImage(Buffer.concat([file, bomb]))).rejects.toThrow(
      /a strip or tile cannot be inflated/,
    );
  });

  it.each(['none', 'lzw', 'deflate', 'packbits', 'jpeg'] as const)(
    'a strip that is missing, packed with %s',
    async (compression) => {
      const file = await sharp({ create: { width: 40, height: 300, channels: 3, background: '#345678' } })
        .tiff({ compression, predictor: 'none' })
        .toBuffer();
      expect(await decodeImage(file)).toMatchObject({ width: 40, height: 300 });
      const directory = file.readUInt32LE(4);
      for (let i = 0; i < file.readUInt16LE(directory); i++) {
        const at = directory + 2 + i * 12;
        if (file.readUInt16LE(at) !== 273) continue;
        // One strip has its place in the entry itself.
        file.writeUInt32LE(0, file.readUInt32LE(at + 4) === 1 ? at + 8 : file.readUInt32LE(at + 8));
      }
      await expect(decodeImage(file)).rejects.toThrow(/strip 1 of \d+ is missing/);
    },
  );
});

describe('damaged pictures', () => {
  it('are read whole or refused in one sentence: a short campaign of the fuzzer', async () => {
    const { accepted, refused, findings } = await imageCampaign({ seed: 1, count: 1500 });
    expect(findings).toEqual([]);
    expect(accepted + refused).toBe(1500);
    // Neither everything nor nothing: the damage is neither harmless nor beyond all formats.
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(500);
  });
});

describe('a TIFF cut anywhere', async () => {
  const tiffs = (await imageSeeds()).filter(({ name }) => name.endsWith('.tiff'));

  it.each(tiffs)('is refused, or its pixels are all there: $name', async ({ bytes }) => {
    const whole = (await decodeImage(bytes)).data;
    const end = bytes.length;
    // Directories and their values stand at the end.
    const lengths = Array.from({ length: 300 }, (_, i) => end - 1 - i).filter((length) => length > 0);
    for (const length of [...lengths, Math.floor(end / 2), Math.floor(end / 3)]) {
      const outcome = await decodeImage(bytes.subarray(0, length)).catch((error: unknown) => error);
      const isSame =
        outcome instanceof Error || Buffer.from(whole).equals((outcome as { data: Uint8Array }).data);
      expect(isSame, `${length} of ${end} bytes`).toBe(true);
      expect((outcome as Error).name ?? 'UserError').toBe('UserError');
    }
  });
});

describe('an animation', () => {
  it('whose frame is larger than the animation says is refused', async () => {
    const film = await animatedWebp(2, '#c80a1e');
    const large = await sharp({ create: { width: 9, height: 9, channels: 3, background: '#345678' } })
      .webp({ lossless: true })
      .toBuffer();
    // The bitstream of another picture stands in the place of the first frame's.
    const frame = film.indexOf('ANMF');
    const [was, stream] = [film.readUInt32LE(frame + 4), large.subarray(12)];
    const grown = 16 + stream.length;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(grown);
    const bytes = Buffer.concat([
      film.subarray(0, frame + 4),
      length,
      film.subarray(frame + 8, frame + 24),
      stream,
      film.subarray(frame + 8 + was + (was % 2)),
    ]);
    bytes.writeUInt32LE(bytes.length - 8, 4);
    await expect(decodeImage(bytes)).rejects.toThrow(/its first frame lies outside of its canvas/);
  });
});
