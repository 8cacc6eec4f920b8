import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { loadImage } from './image-arguments.js';

const FILE = 'test/goldens/images/rgb-20x11.png';
const stream = (...parts: Buffer[]): AsyncIterable<Buffer> => Readable.from(parts) as AsyncIterable<Buffer>;

describe('images of a command line', () => {
  it('are files and URLs by their names, and standard input by its bytes', async () => {
    const bytes = readFileSync(FILE);
    expect(await loadImage(FILE)).toBe(FILE);
    expect(await loadImage('-', stream(bytes.subarray(0, 50), bytes.subarray(50)))).toEqual(bytes);
  });

  it('are refused where nobody pipes them in', async () => {
    const terminal = Object.assign(stream(), { isTTY: true });
    await expect(loadImage('-', terminal)).rejects.toThrow(/pipe a file into it/);
  });
});
