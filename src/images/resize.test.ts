import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InternalError } from '../util/errors.js';
import { decodeImage } from './decode.js';
import type { RgbImage } from './image.js';
import { resizeBicubic } from './resize.js';

const GOLDENS = 'test/goldens/images';
const goldens: { file: string }[] = JSON.parse(readFileSync(`${GOLDENS}/images.json`, 'utf8'));

const image = (width: number, height: number, hex: string): RgbImage => ({
  width,
  height,
  data: Uint8Array.from(Buffer.from(hex, 'hex')),
});
const hexOf = (result: RgbImage): string => Buffer.from(result.data).toString('hex');

describe('resizeBicubic', () => {
  it.each(goldens)('gives the bytes of Pillow for $file', async ({ file }) => {
    const golden = await decodeImage(`${GOLDENS}/resized/${file}.png`);
    const source = await decodeImage(`${GOLDENS}/${file}`);
    expect(Buffer.compare(resizeBicubic(source, golden.width, golden.height).data, golden.data)).toBe(0);
  });

  // Made with Pillow 13.0.0; in the first and the second the two orders of the passes give different bytes.
  it.each([
    {
      order: 'vertical first where the height shrinks by more than twice as much',
      source: image(
        3,
        8,
        'f8c2becf931aed15f5d3ef2d059d9f3c36ec6d2ec75220cd240786de399208950e0f160a90d0181807290b553b68e16ee2c9089f1a1ba37a2129c94346a6e42832b300b1893f0dbc',
      ),
      size: [2, 3],
      result: 'a099825f3cb27d7957293a2f5f9c5253787f',
    },
    {
      order: 'horizontal first where it does not',
      source: image(
        4,
        6,
        'ff405e08089c191d9d92be73db872764ed7f48e3a815498410998c6b50a33d6e2fe594aa616e38964ac13e2ceeefe2bc0ecdb9c149eecdf4a06e44c94f68c14858c5ea51943007a6',
      ),
      size: [2, 3],
      result: '7f716f40818b5d758a8e87a76c78c29962b5',
    },
    {
      order: 'horizontal first where both sides grow',
      source: image(2, 3, '95287ea628363bb20d9987de3bbfef4ac19a'),
      size: [4, 5],
      result:
        '9a1d8e9f1e73a4203da9212271594b7f54549b4a6ca9457833b6004ea9388690b3a183f033c29a40bda15cb4b369afbc3bc0ff3dc1e942c5ab45c68b',
    },
  ] as const)('filters $order', ({ source, size, result }) => {
    expect(hexOf(resizeBicubic(source, size[0], size[1]))).toBe(result);
  });

  it('keeps a plain colour plain at any size', () => {
    const side = fc.integer({ min: 1, max: 40 });
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(side, side, side, side, fc.tuple(byte, byte, byte), (w0, h0, w, h, colour) => {
        const source = {
          width: w0,
          height: h0,
          data: new Uint8Array(3 * w0 * h0).map((_, i) => colour[i % 3] ?? 0),
        };
        const resized = resizeBicubic(source, w, h);
        expect(resized.data.length).toBe(3 * w * h);
        expect(resized.data.every((value, i) => value === colour[i % 3])).toBe(true);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('refuses a size without pixels', () => {
    expect(() => resizeBicubic(image(1, 1, '010203'), 0, 4)).toThrow(InternalError);
  });
});
