import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { scratchFolder, smallDisk } from '../checkpoint/files.test-util.js';
import { Journal } from './journal.js';

const entry = z.object({ image: z.string(), text: z.string() });
const open = (path: string, header: object = { model: 'm' }) => Journal.open(path, { ...header }, entry);

const ENTRIES = ['one', 'zwei äöü', '三\n"quoted"'].map((text, i) => ({ image: `${i}.png`, text }));

function written(): string {
  const path = join(scratchFolder(), 'folder/journal.jsonl');
  const journal = open(path);
  for (const one of ENTRIES) journal.append(one);
  journal.close();
  return path;
}

describe('Journal', () => {
  it('gives back what was appended, and goes on behind it', () => {
    const path = written();
    const again = open(path);
    expect(again.entries).toEqual(ENTRIES);
    again.append({ image: '3.png', text: 'more' });
    again.close();
    expect(open(path).entries).toHaveLength(4);
  });

  it('loses the line that a kill cut, and no other, wherever it cut', () => {
    const path = written();
    const whole = readFileSync(path);
    const ends = [...whole.entries()].flatMap(([at, byte]) => (byte === 0x0a ? [at + 1] : []));
    for (let size = 0; size <= whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size));
      const journal = open(path);
      const kept = ends.filter((end) => end <= size).length;
      expect(journal.entries).toEqual(ENTRIES.slice(0, Math.max(0, kept - 1)));
      for (const one of ENTRIES.slice(journal.entries.length)) journal.append(one);
      journal.close();
      expect(readFileSync(path).equals(whole)).toBe(true);
    }
  });

  it('is as it was where the disk is full in the middle of a line, and takes the next one', () => {
    const path = written();
    const before = readFileSync(path, 'utf8');
    const journal = Journal.open(path, { model: 'm' }, entry, smallDisk(20, 8));
    expect(() => journal.append({ image: 'a.png', text: 'far more than twenty bytes' })).toThrow(
      /journal\.jsonl cannot be written; the disk is full/,
    );
    journal.close();
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('says which settings differ from those it was begun with', () => {
    const path = written();
    expect(() => open(path, { model: 'other', seed: 1 })).toThrow(
      /was begun with another model, seed; give another folder, or the same settings/,
    );
    expect(open(path, { model: 'm', limit: undefined }).entries).toHaveLength(3);
  });

  it.each(['{"image": 1}', 'no json', '[]'])('names a damaged line: %s', (line) => {
    const path = written();
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, lines.with(2, line).join('\n'));
    expect(() => open(path)).toThrow(/journal\.jsonl, line 3 is damaged; remove the line/);
  });

  it('says that it cannot be read', () => {
    expect(() => open(scratchFolder())).toThrow(/cannot read .*EISDIR/);
  });
});
