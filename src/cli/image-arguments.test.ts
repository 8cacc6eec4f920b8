import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readStdin } from './image-arguments.js';

const FILE = 'test/goldens/images/rgb-20x11.png';
const stream = (...parts: Buffer[]): AsyncIterable<Buffer> => Readable.from(parts) as AsyncIterable<Buffer>;

describe('standard input', () => {
  it('is read to its end', async () => {
    const bytes = readFileSync(FILE);
    expect(await readStdin(stream(bytes.subarray(0, 50), bytes.subarray(50)))).toEqual(bytes);
  });

  it('is refused where nobody pipes anything in', async () => {
    const terminal = Object.assign(stream(), { isTTY: true });
    await expect(readStdin(terminal)).rejects.toThrow(/pipe a file into it/);
  });
});
