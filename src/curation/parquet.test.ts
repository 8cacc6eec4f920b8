import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { readParquet } from './parquet.js';

type Codec = 'GZIP' | 'BROTLI' | 'SNAPPY' | 'UNCOMPRESSED';
/** Bytes of the definition levels of one value. */
const LEVELS = 2;
const COMPRESSORS = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
};

/** One column of one text. */
function written(text: string, codec: Codec = 'UNCOMPRESSED', rows = 1): string {
  const buffer = parquetWriteBuffer({
    columnData: [{ name: 'policy', data: Array<string>(rows).fill(text), type: 'STRING' }],
    codec,
    compressors: COMPRESSORS,
  });
  return file(new Uint8Array(buffer));
}

function file(bytes: Uint8Array): string {
  const path = join(scratchFolder(), 'table.parquet');
  writeFileSync(path, bytes);
  return path;
}

describe('readParquet', () => {
  it.each<Codec>(['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI'])('reads a table in %s', async (codec) => {
    const table = await readParquet(written('No weapons.', codec, 3));
    expect(table.columns).toEqual(['policy']);
    expect(table.rows).toEqual(Array(3).fill({ policy: 'No weapons.' }));
  });

  it.each<Codec>(['SNAPPY', 'GZIP', 'BROTLI'])(
    'refuses a page in %s that would become too large',
    async (codec) => {
      const path = written('a'.repeat(3_000_000), codec);
      await expect(readParquet(path, { pageBytes: 1_000_000 })).rejects.toMatchObject({
        name: 'UserError',
        code: 'too_large',
        message: expect.stringMatching(/a page would become 30000\d\d bytes, and 1000000 are the most/u),
      });
      await expect(readParquet(path, { tableBytes: 1_000_000 })).rejects.toMatchObject({ code: 'too_large' });
    },
  );

  it.each<Codec>(['GZIP', 'BROTLI'])('ends a page in %s that becomes more than it says', async (codec) => {
    // The same page under a header that says little: a number is written over where it stands.
    const honest = parquetWriteBuffer({
      columnData: [{ name: 'policy', data: ['a'.repeat(3_000_000)], type: 'STRING' }],
      codec,
      compressors: COMPRESSORS,
      statistics: false,
    });
    const bytes = new Uint8Array(honest);
    const { message } = (await readParquet(file(bytes), { pageBytes: 1 }).catch(
      (error: unknown) => error,
    )) as Error;
    // The header counts the levels too, which are not compressed.
    const length = Number(/become (\d+) bytes/u.exec(message)?.[1]) + LEVELS;
    const at = Buffer.from(bytes).indexOf(zigZag(length));
    expect(at).toBeGreaterThan(0);
    bytes.set(zigZag(1_500_000), at);
    await expect(readParquet(file(bytes))).rejects.toMatchObject({ name: 'UserError', code: 'too_large' });
  });

  it('refuses one long text that a dictionary gives to many rows', async () => {
    const path = written('a'.repeat(10_000), 'SNAPPY', 1_000);
    await expect(readParquet(path, { cellBytes: 1_000_000 })).rejects.toMatchObject({
      name: 'UserError',
      code: 'too_large',
      message: expect.stringContaining('its cells become more than 1000000 bytes'),
    });
    await expect(readParquet(path)).resolves.toMatchObject({ columns: ['policy'] });
  });

  it('stops at more rows and at a longer description than a table has', async () => {
    await expect(readParquet(written('a', 'SNAPPY', 20), { rows: 10 })).rejects.toThrow('more than 10 rows');
    await expect(readParquet(written('a'), { metadataBytes: 10 })).rejects.toThrow('more than 10 bytes');
  });

  it('ends with its time and with its memory', async () => {
    const path = written('a', 'SNAPPY', 500_000);
    await expect(readParquet(path, { milliseconds: 1 })).rejects.toMatchObject({ code: 'too_large' });
    await expect(readParquet(path, { heapMiB: 8 })).rejects.toMatchObject({ code: 'too_large' });
  });

  it('says of whatever is damaged that it is, wherever it is', async () => {
    const whole = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'policy', data: ['No weapons.', 'No money.', 'No weapons.'], type: 'STRING' },
          { name: 'count', data: [1, 2, 3], type: 'INT32' },
        ],
      }),
    );
    for (let at = 4; at < whole.length; at += 17) {
      const bytes = whole.slice();
      bytes[at] ^= 0xff;
      const outcome = await readParquet(file(bytes), { heapMiB: 64, milliseconds: 20_000 }).catch(
        (error: unknown) => error,
      );
      const isKnown =
        (outcome as Error).name === 'UserError' || Array.isArray((outcome as { rows?: unknown }).rows);
      expect(isKnown, `byte ${at}: ${String(outcome)}`).toBe(true);
    }
  });
});

/** An integer of Thrift's compact protocol. */
function zigZag(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}
