import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeAtomically } from './files.js';
import { makePipe, scratchFolder } from './files.test-util.js';

const write = (path: string, text: string): void => writeAtomically(path, [Buffer.from(text)]);

describe('writing puts files in the place of files only', () => {
  it('makes new files and replaces old ones', () => {
    const path = join(scratchFolder(), 'a.txt');
    for (const text of ['one', 'two']) {
      write(path, text);
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });

  it('follows links, also to files that are not there yet, and leaves them links', () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'deep'));
    symlinkSync('deep/b.txt', join(folder, 'second'));
    symlinkSync('second', join(folder, 'first'));
    for (const text of ['one', 'two']) {
      write(join(folder, 'first'), text);
      expect(readFileSync(join(folder, 'deep', 'b.txt'), 'utf8')).toBe(text);
    }
    expect(readlinkSync(join(folder, 'first'))).toBe('second');
    expect(readlinkSync(join(folder, 'second'))).toBe('deep/b.txt');
    expect(readdirSync(join(folder, 'deep'))).toEqual(['b.txt']);
  });

  it.skipIf(!existsSync('/dev/null'))('refuses devices, also behind a link', () => {
    const link = join(scratchFolder(), 'link');
    symlinkSync('/dev/null', link);
    for (const path of ['/dev/null', link]) {
      expect(() => write(path, 'x')).toThrow(
        expect.objectContaining({ name: 'UserError', message: expect.stringContaining('is a device') }),
      );
    }
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('refuses folders, pipes and links in a circle', () => {
    const folder = scratchFolder();
    expect(() => write(folder, 'x')).toThrow(/is a folder, not a file/);
    makePipe(join(folder, 'pipe'));
    expect(() => write(join(folder, 'pipe'), 'x')).toThrow(/is a pipe, not a file/);
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    expect(() => write(join(folder, 'a'), 'x')).toThrow(/leads through more than 40 links/);
    expect(readdirSync(folder)).toEqual(['a', 'b', 'pipe']);
  });

  it('does not write through a link that stands in the place of the partial file', () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'precious'), 'mine');
    symlinkSync('precious', join(folder, '.out.partial'));
    write(join(folder, 'out'), 'x');
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('mine');
    expect(lstatSync(join(folder, 'out')).isFile()).toBe(true);
  });
});
