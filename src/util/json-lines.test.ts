import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { delayBefore } from './backoff.js';
import { jsonLines, readJsonLines } from './json-lines.js';

describe('JSON lines', () => {
  const folder = mkdtempSync(join(tmpdir(), 'json-lines-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const written = (text: string): string => {
    const path = join(folder, 'a.jsonl');
    writeFileSync(path, text);
    return path;
  };

  it('come back as they were written, with their lines', () => {
    const rows = [{ a: 1 }, { b: 'ü\n"' }];
    expect(readJsonLines(written(jsonLines(rows))).map(({ value }) => value)).toEqual(rows);
    expect(readJsonLines(written('\u{FEFF}{"a":1}\r\n\n[2]'))).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 3, value: [2] },
    ]);
  });

  it('refuse other encodings than UTF-8', () => {
    const path = written('');
    writeFileSync(path, Buffer.from('{"a":1}\n{"b":"ü"}', 'latin1'));
    expect(() => readJsonLines(path)).toThrow(
      /a\.jsonl is not UTF-8 text \(line 2, byte 15 of the file is 0xFC/,
    );
    writeFileSync(path, Buffer.from('{"a":1}', 'utf16le'));
    expect(() => readJsonLines(path)).toThrow(/a\.jsonl is written in UTF-16; save it as UTF-8/);
  });

  it('name the file and the line that is none', () => {
    expect(() => readJsonLines(written('{}\n{"a":'))).toThrow(/a\.jsonl, line 2 is not valid JSON: /);
    expect(() => readJsonLines(join(folder, 'gone.jsonl'), 'the data')).toThrow(
      /^Cannot read the data .*gone\.jsonl: .*check the path/,
    );
  });
});

describe('delayBefore', () => {
  it('doubles up to half a minute, and does as the server asks within that', () => {
    for (let failures = 0; failures < 12; failures++) {
      const whole = Math.min(500 * 2 ** failures, 30_000);
      for (let i = 0; i < 20; i++) {
        const delay = delayBefore(failures);
        expect(delay).toBeGreaterThanOrEqual(Math.min(250 * 2 ** failures, 30_000));
        expect(delay).toBeLessThanOrEqual(whole);
      }
    }
    expect(delayBefore(0, 7000)).toBe(7000);
    expect(delayBefore(0, 600_000)).toBe(30_000);
  });
});
