import { describe, expect, it } from 'vitest';
import { decodeImage } from './decode.js';

interface BmpParts {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly pixels: readonly number[];
  readonly palette?: readonly number[];
  readonly compression?: number;
  readonly masks?: readonly number[];
  readonly colours?: number;
}

/** A BMP with the 40-byte header; masks and palette follow it. */
function bmp(parts: BmpParts): Buffer {
  const { palette = [], masks = [], compression = 0, colours = 0 } = parts;
  const offset = 54 + masks.length * 4 + palette.length;
  const bytes = Buffer.alloc(offset + parts.pixels.length);
  bytes.write('BM', 'latin1');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(offset, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(parts.width, 18);
  bytes.writeInt32LE(parts.height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(parts.bits, 28);
  bytes.writeUInt32LE(compression, 30);
  bytes.writeUInt32LE(colours, 46);
  masks.forEach((mask, i) => bytes.writeUInt32LE(mask, 54 + i * 4));
  bytes.set(palette, 54 + masks.length * 4);
  bytes.set(parts.pixels, offset);
  return bytes;
}

// Blue, green, red, unused.
const RED_AND_GREEN = [0, 0, 255, 0, 0, 255, 0, 0];
const two = { width: 1, height: 2, bits: 24, pixels: [1, 2, 3, 0, 4, 5, 6, 0] };

/** Two red, end of line; one green, the rest of the line skipped. */
const runs = {
  width: 3,
  height: 2,
  bits: 8,
  compression: 1,
  colours: 2,
  palette: RED_AND_GREEN,
  pixels: [2, 0, 1, 1, 0, 0, 0, 2, 1, 0, 2, 1, 0, 1],
};
const [RED, GREEN] = [
  [255, 0, 0],
  [0, 255, 0],
];

describe('BMP', () => {
  it.each([
    { name: '24 bits, bottom row first', parts: two, rgb: [6, 5, 4, 3, 2, 1] },
    { name: 'top row first', parts: { ...two, height: -2 }, rgb: [3, 2, 1, 6, 5, 4] },
    {
      name: 'a last row without its padding',
      parts: { ...two, pixels: [1, 2, 3, 0, 4, 5, 6] },
      rgb: [6, 5, 4, 3, 2, 1],
    },
    {
      name: '1 bit with a palette',
      parts: { width: 3, height: 1, bits: 1, palette: RED_AND_GREEN, pixels: [0b01000000, 0, 0, 0] },
      rgb: [255, 0, 0, 0, 255, 0, 255, 0, 0],
    },
    {
      name: '4 bits, an odd width, two rows',
      parts: {
        width: 3,
        height: 2,
        bits: 4,
        colours: 2,
        palette: RED_AND_GREEN,
        pixels: [0x01, 0x00, 0, 0, 0x10, 0x10, 0, 0],
      },
      rgb: [0, 255, 0, 255, 0, 0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 255, 0, 0],
    },
    {
      name: '16 bits, 5 each',
      parts: { width: 2, height: 1, bits: 16, pixels: [0x00, 0x7c, 0x10, 0x00] },
      rgb: [255, 0, 0, 0, 0, 131],
    },
    {
      name: '16 bits with masks',
      parts: {
        width: 1,
        height: 1,
        bits: 16,
        compression: 3,
        masks: [0xf800, 0x07e0, 0x1f],
        pixels: [0xe0, 0x07, 0, 0],
      },
      rgb: [0, 255, 0],
    },
    {
      name: 'run lengths of 8 bits, with a step to the right',
      parts: runs,
      rgb: [RED, GREEN, GREEN, RED, RED, GREEN].flat(),
    },
    {
      name: 'run lengths of 4 bits, plain pixels among them',
      parts: {
        ...runs,
        bits: 4,
        compression: 2,
        pixels: [3, 0x01, 0, 0, 0, 3, 0x10, 0x10, 0, 1],
      },
      rgb: [GREEN, RED, GREEN, RED, GREEN, RED].flat(),
    },
    {
      name: '2 bits with a palette',
      parts: {
        width: 3,
        height: 1,
        bits: 2,
        colours: 2,
        palette: RED_AND_GREEN,
        pixels: [0b00010000, 0, 0, 0],
      },
      rgb: [RED, GREEN, RED].flat(),
    },
    {
      name: '32 bits, the fourth byte unused',
      parts: { width: 1, height: 1, bits: 32, pixels: [1, 2, 3, 0] },
      rgb: [3, 2, 1],
    },
    {
      name: '32 bits with masks that include alpha',
      parts: {
        width: 1,
        height: 1,
        bits: 32,
        compression: 6,
        masks: [0xff0000, 0xff00, 0xff, 0xff000000],
        pixels: [200, 100, 0, 128],
      },
      rgb: [127, 177, 227],
    },
  ])('reads $name', async ({ parts, rgb }) => {
    const image = await decodeImage(bmp(parts));
    expect([image.width, image.height]).toEqual([parts.width, Math.abs(parts.height)]);
    expect([...image.data]).toEqual(rgb);
  });

  const promise = /^the image in the given bytes \(BMP\) is truncated: its header promises more pixels/;
  it.each([
    { name: 'too few pixels', bytes: bmp(two).subarray(0, 58), message: promise },
    { name: 'an offset behind the end', bytes: bmp(two).fill(0xff, 10, 14), message: promise },
    { name: 'a cut header', bytes: bmp(two).subarray(0, 40), message: /is truncated inside its header/ },
    { name: 'a cut palette', bytes: bmp({ ...two, bits: 8 }), message: /is truncated inside its header/ },
    {
      name: 'a header of 16 bytes',
      bytes: bmp(two).fill(16, 14, 15),
      message: /no BMP header is 16 bytes long/,
    },
    { name: '7 bits a pixel', bytes: bmp({ ...two, bits: 7 }), message: /it claims 7 bits a pixel/ },
    {
      name: 'a colour outside the palette',
      bytes: bmp({ width: 1, height: 1, bits: 8, colours: 2, palette: RED_AND_GREEN, pixels: [2, 0, 0, 0] }),
      message: /a pixel names a colour that its palette lacks/,
    },
    {
      name: 'run lengths that end early',
      bytes: bmp({ ...runs, pixels: [2, 1, 0, 1] }),
      message: /its run lengths end before its pixels do/,
    },
    {
      name: 'run lengths of the wrong kind',
      bytes: bmp({ ...runs, bits: 4 }),
      message: /is compressed \(method 1\), which is not read here; convert it to PNG first/,
    },
    {
      name: 'a PNG inside',
      bytes: bmp({ ...runs, bits: 24, compression: 5 }),
      message: /is compressed \(method 5\), which is not read here; convert it to PNG first/,
    },
    {
      name: 'no width',
      bytes: bmp({ ...two, width: 0 }),
      message: /declares a size of 0 x 2, no pixel at all/,
    },
    { name: 'a negative width', bytes: bmp({ ...two, width: -4 }), message: /declares a size of -4 x 2/ },
    {
      name: 'a huge size',
      bytes: bmp({ ...two, width: 2 ** 31 - 1, height: -(2 ** 31) }),
      message: /declares 2147483647 x 2147483648 pixels \(.*\), more than the limit of 50.0 million/,
    },
  ])('refuses $name', async ({ bytes, message }) => {
    await expect(decodeImage(bytes)).rejects.toThrow(message);
  });
});
