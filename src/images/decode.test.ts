import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { decodeImage } from './decode.js';
import { encodePng } from './png.js';

const GOLDENS = 'test/goldens/images';
const golden = (file: string): Buffer => readFileSync(`${GOLDENS}/${file}`);
const folder = mkdtempSync(join(tmpdir(), 'decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const bytes = Buffer.alloc(body.length + 8);
  bytes.writeUInt32BE(data.length);
  body.copy(bytes, 4);
  bytes.writeUInt32BE(crc32(body), body.length + 4);
  return bytes;
}

/** A PNG with this header and these rows (each begins with its filter byte, 0). */
function png(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  rows: readonly number[],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Uint8Array.from(rows))),
    chunk('IEND', new Uint8Array()),
  ]);
}

const isoMedia = (...names: string[]): Buffer =>
  Buffer.from(
    `\0\0\0${String.fromCharCode(12 + 4 * names.length)}ftyp${names[0]}\0\0\0\0${names.slice(1).join('')}`,
    'latin1',
  );

/** Compared through a digest: deep equality of megabytes is slow. */
const digest = async (source: string | Uint8Array): Promise<string> => {
  const { width, height, data } = await decodeImage(source);
  return `${width} x ${height} ${createHash('sha256').update(data).digest('hex')}`;
};

describe('decodeImage', () => {
  it('reads 16 bits as their high byte', async () => {
    const gray = await decodeImage(png(2, 1, 16, 0, [0, 0x12, 0xff, 0xfe, 0x80]));
    expect([...gray.data]).toEqual([0x12, 0x12, 0x12, 0xfe, 0xfe, 0xfe]);
    const rgba = await decodeImage(png(1, 1, 16, 6, [0, 0, 255, 100, 255, 200, 255, 128, 255]));
    expect([...rgba.data]).toEqual([127, 177, 227]);
  });

  it('reads bytes and a path alike, by the bytes and not by the name', async () => {
    const path = join(folder, 'photo.png');
    writeFileSync(path, golden('ycbcr.jpg'));
    expect(await digest(path)).toBe(await digest(golden('ycbcr.jpg')));
  });

  it('shows the first frame of an animation', async () => {
    expect(await digest(golden('animated.gif'))).toBe(await digest(golden('still.gif')));
  });

  it('reads a CMYK JPEG without its Adobe marker as inverted too', async () => {
    const bytes = golden('cmyk.jpg');
    const marker = bytes.indexOf(Buffer.of(0xff, 0xee));
    const without = Buffer.concat([
      bytes.subarray(0, marker),
      bytes.subarray(marker + 2 + bytes.readUInt16BE(marker + 2)),
    ]);
    expect(await digest(without)).toBe(await digest(bytes));
  });

  it('reads a progressive JPEG with zeros before its end, and not with other bytes there', async () => {
    const bytes = golden('progressive.jpg');
    const end = bytes.length - 2;
    const padded = (byte: number): Buffer =>
      Buffer.concat([bytes.subarray(0, end), Buffer.alloc(5, byte), bytes.subarray(end)]);
    expect(await digest(padded(0))).toBe(await digest(bytes));
    await expect(decodeImage(padded(1))).rejects.toThrow(/extraneous bytes before marker 0xd9/);
  });

  it('gives back what encodePng wrote', async () => {
    const image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i * 14) };
    const again = await decodeImage(await encodePng(image));
    expect([again.width, again.height, ...again.data]).toEqual([3, 2, ...image.data]);
  });

  it('keeps to a limit of pixels of its caller', async () => {
    const limited = decodeImage(golden('rgb-28x28.png'), { maxPixels: 783 });
    await expect(limited).rejects.toThrow(/28 x 28 pixels \(0.0 million\)/);
    await expect(decodeImage(golden('rgb-28x28.png'), { maxPixels: 784 })).resolves.toMatchObject({
      width: 28,
    });
  });
});

describe('decodeImage refuses', () => {
  const given = 'the image in the given bytes';
  const bomb = png(20_000, 15_000, 8, 2, [0]);
  const wideJpeg = golden('ycbcr.jpg');
  // The size in the start-of-frame segment: marker, length, precision, height, width.
  const frame = wideJpeg.indexOf(Buffer.of(0xff, 0xc0));
  wideJpeg.writeUInt16BE(15_000, frame + 5);
  wideJpeg.writeUInt16BE(20_000, frame + 7);
  const declares =
    'declares 20000 x 15000 pixels (300.0 million), more than the limit of 50.0 million; scale it down first';

  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';
  const isSvg = 'is an SVG drawing, which has no pixels of its own; render it to PNG first';
  const isHeic = 'is a HEIC photo, whose pixels cannot be decoded here; convert it to PNG or JPEG first';
  const isNone = 'is not an image that can be read here; give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file';
  it.each([
    { name: 'nothing', bytes: '', message: 'is empty (0 bytes); give a complete image' },
    { name: 'text', bytes: 'BMW: a car, not a picture', message: isNone },
    { name: 'zeros', bytes: Buffer.alloc(1000), message: isNone },
    { name: 'an SVG', bytes: svg, message: isSvg },
    {
      name: 'an SVG behind a declaration',
      bytes: `\uFEFF<?xml version="1.0"?>\n<!-- x -->\n${svg}`,
      message: isSvg,
    },
    {
      name: 'a web page',
      bytes: `<!DOCTYPE html><p>404${svg}`,
      message: 'is a web page, not an image; download the image itself',
    },
    {
      name: 'gzip',
      bytes: gzipSync(svg),
      message: 'is a gzip file, not an image; give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file',
    },
    {
      name: 'a PDF',
      bytes: '%PDF-1.7',
      message: 'is a PDF document, not an image; render its page to PNG first',
    },
    { name: 'HEIC', bytes: isoMedia('heic', 'mif1', 'heic'), message: isHeic },
    { name: 'HEIC under a general brand', bytes: isoMedia('mif1', 'heix'), message: isHeic },
    { name: 'a pixel bomb', bytes: bomb, message: declares },
    { name: 'the header of a pixel bomb alone', bytes: bomb.subarray(0, 33), message: declares },
    { name: 'a JPEG pixel bomb', bytes: wideJpeg, message: declares },
    {
      name: 'a PNG without pixels',
      bytes: png(0, 5, 8, 2, []),
      message: 'declares a size of 0 x 5, no pixel at all; give a complete image',
    },
    {
      name: 'a PNG of eight bytes',
      bytes: bomb.subarray(0, 8),
      message: '(PNG) is truncated or damaged (its header is cut off); get a complete copy',
    },
  ])('$name', async ({ bytes, message }) => {
    const refused = decodeImage(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    await expect(refused).rejects.toBeInstanceOf(UserError);
    await expect(refused).rejects.toHaveProperty('message', `${given} ${message}`);
  });

  const truncated = [
    'rgb-280x420.png',
    'ycbcr.jpg',
    'progressive.jpg',
    'cmyk.jpg',
    'lossy.webp',
    'lossless.webp',
    'still.gif',
    'animated.gif',
    'image.tiff',
    'image.bmp',
  ];
  it.each(truncated.flatMap((file) => [0.1, 0.5].map((share) => ({ file, share }))))(
    'the first $share of $file',
    async ({ file, share }) => {
      const bytes = golden(file);
      const cut = decodeImage(bytes.subarray(0, Math.floor(bytes.length * share)));
      await expect(cut).rejects.toThrow(
        /^the image in the given bytes \(\w+\) is truncated[^\n]+; get a complete copy$/,
      );
      await expect(cut).rejects.toBeInstanceOf(UserError);
    },
  );

  it.each(['rgb-280x420.png', 'lossless.webp', 'still.gif', 'progressive.jpg'])(
    '%s with 200 bytes overwritten',
    async (file) => {
      const bytes = golden(file).fill(0xff, 5000, 5200);
      await expect(decodeImage(bytes)).rejects.toThrow(
        /is truncated or damaged \(.+\); get a complete copy$/,
      );
    },
  );

  it('an AVIF that holds nothing', async () => {
    await expect(decodeImage(isoMedia('avif', 'mif1'))).rejects.toThrow(/\(AVIF\) is truncated or damaged/);
  });

  it('a missing file', async () => {
    const path = join(folder, 'missing.png');
    await expect(decodeImage(path)).rejects.toHaveProperty(
      'message',
      `the image ${path} does not exist; check the path`,
    );
  });

  it('a path through a file', async () => {
    const path = `${GOLDENS}/gray.png/x.png`;
    await expect(decodeImage(path)).rejects.toHaveProperty(
      'message',
      `the image ${path} does not exist; check the path`,
    );
  });

  it('a folder', async () => {
    await expect(decodeImage(folder)).rejects.toHaveProperty(
      'message',
      `the image ${folder} is a folder; name an image file in it`,
    );
  });

  it('a device', async () => {
    await expect(decodeImage('/dev/null')).rejects.toThrow(/^the image \/dev\/null is not a regular file/);
  });

  it('a path with a zero byte', async () => {
    await expect(decodeImage('a\0b.png')).rejects.toThrow(
      /cannot be opened \(.*null bytes.*\); check the path/,
    );
  });

  it('a damaged file by its path', async () => {
    const path = join(folder, 'cut.jpg');
    writeFileSync(path, golden('ycbcr.jpg').subarray(0, 4000));
    await expect(decodeImage(path)).rejects.toHaveProperty(
      'message',
      `the image ${path} (JPEG) is truncated or damaged (VipsJpeg: premature end of JPEG image); get a complete copy`,
    );
  });
});
