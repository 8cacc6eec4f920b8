import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../util/errors.js';
import { smartResize, smartResizeQwenVlUtils } from './smart-resize.js';

type Size = readonly [height: number, width: number];

const table = (name: string): string[][] =>
  readFileSync(`test/goldens/${name}`, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));

/** The rows of a golden table where `resize` gives something else than its last two cells. */
const wrongRows = (rows: string[][], resize: (...cells: number[]) => Size): string[][] =>
  rows.filter((row) => {
    let result = 'error,error';
    try {
      result = resize(...row.slice(0, -2).map(Number)).join();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
    return result !== row.slice(-2).join();
  });

const limits = { factor: 28, minPixels: 3136, maxPixels: 12845056 };

describe('smartResize', () => {
  it('agrees with transformers on every golden size, refusals included', () => {
    const rows = table('smart-resize.tsv');
    expect(rows).toHaveLength(4070);
    const resize = (height = 0, width = 0, minPixels = 0, maxPixels = 0): Size =>
      smartResize(height, width, { factor: 28, minPixels, maxPixels });
    expect(wrongRows(rows, resize)).toEqual([]);
  });

  it('rounds halves to the even multiple, as Python does', () => {
    expect(smartResize(28 * 4.5, 28 * 5.5, limits)).toEqual([28 * 4, 28 * 6]);
  });

  it('lets a side grow that would have rounded to nothing', () => {
    expect(smartResize(1, 1, limits)).toEqual([56, 56]);
    expect(smartResize(10, 2000, limits)).toEqual([28, 812]);
  });

  it('refuses an aspect ratio above 200', () => {
    expect(() => smartResize(10, 20_000, limits)).toThrow(
      new UserError(
        'an image of 20000 x 10 pixels is too long and thin: one side is 2000 times the other, ' +
          'the model takes at most 200; crop it or cut it into pieces',
      ),
    );
  });
});

describe('smartResizeQwenVlUtils', () => {
  it('agrees with qwen_vl_utils on every golden size, refusals included', () => {
    const rows = table('smart-resize-qwen-vl-utils.tsv');
    expect(rows.length).toBeGreaterThan(1000);
    expect(wrongRows(rows, (height = 0, width = 0) => smartResizeQwenVlUtils(height, width))).toEqual([]);
  });

  it('keeps a small side at one block where transformers grows both', () => {
    expect(smartResizeQwenVlUtils(10, 2000)).toEqual([28, 1988]);
    expect(smartResize(10, 2000, limits)).not.toEqual([28, 1988]);
  });
});
