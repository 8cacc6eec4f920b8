import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeImage, measureImage } from './decode.js';

const FOLDER = 'test/cases/images';

/** What Pillow makes of a file; see the list of cases in `test/cases/images/expected.json`. */
interface Expected {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly mean: readonly number[];
  readonly corner: readonly number[];
  readonly error?: string;
  readonly either?: boolean;
}

const cases = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Expected[];
/** Levels of 8 bits: decoders of JPEG and AVIF may round in different ways. */
const LOSSLESS = 1.5;
const LOSSY = 4;

describe('pictures that were read wrongly', () => {
  const refused = cases.filter(({ error, either }) => error !== undefined || either);
  it.each(refused)('$file is refused by its reason', async ({ file, error }) => {
    const reason =
      error === 'incomplete'
        ? /is truncated or damaged \(.+\); get a complete copy$/
        : /holds inks with alpha, which is not read here; convert it to PNG first$/;
    await expect(decodeImage(`${FOLDER}/${file}`)).rejects.toThrow(reason);
  });

  const read = cases.filter((one) => !refused.includes(one));
  it.each(read)('$file', async ({ file, width, height, mean, corner }) => {
    const image = await decodeImage(`${FOLDER}/${file}`);
    expect([image.width, image.height]).toEqual([width, height]);
    expect(await measureImage(`${FOLDER}/${file}`)).toEqual({ width, height });
    const sums = [0, 0, 0];
    image.data.forEach((value, i) => {
      sums[i % 3] = (sums[i % 3] ?? 0) + value;
    });
    const levels = /\.(?:jpg|avif)$/.test(file) ? LOSSY : LOSSLESS;
    const error = [...sums.map((sum) => sum / (width * height)), ...image.data.subarray(0, 3)].map(
      (value, i) => Math.abs(value - ([...mean, ...corner][i] ?? NaN)),
    );
    expect(Math.max(...error)).toBeLessThanOrEqual(levels);
  });
});
