import { existsSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makePipe, scratchFolder } from './files.test-util.js';
import { readJsonObject } from './json.js';
import { readRegularFile, sizeLimit } from './read-file.js';
import { SafetensorsFile } from './safetensors.js';

const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7031645\n';

describe('only regular files of a believable size are read', () => {
  it('refuses a folder', () => {
    expect(() => readRegularFile(scratchFolder())).toThrow(/is no regular file/);
  });

  it.skipIf(!existsSync('/dev/zero')).each(['config.json', 'tokenizer.json', 'model.safetensors'])(
    'refuses %s that is a link to an endless device',
    (name) => {
      const path = join(scratchFolder(), name);
      symlinkSync('/dev/zero', path);
      const read = (): unknown =>
        name.endsWith('.safetensors') ? SafetensorsFile.open(path) : readJsonObject(path);
      expect(read).toThrow(
        expect.objectContaining({ name: 'UserError', message: expect.stringContaining(name) }),
      );
    },
  );

  it.skipIf(process.platform === 'win32')('refuses a pipe that nobody writes to, without waiting', () => {
    const path = join(scratchFolder(), 'config.json');
    makePipe(path);
    expect(() => readJsonObject(path)).toThrow(/config.json is no regular file/);
    expect(() => SafetensorsFile.open(path)).toThrow(/config.json is not a file/);
  });

  it.each(['config.json', 'tokenizer.json', 'chat_template.jinja'])(
    'refuses a %s beyond the limit of its kind',
    (name) => {
      const path = join(scratchFolder(), name);
      writeFileSync(path, '');
      truncateSync(path, sizeLimit(path) + 1);
      expect(() => readRegularFile(path)).toThrow(
        expect.objectContaining({ code: 'too_large', message: expect.stringContaining(name) }),
      );
      truncateSync(path, sizeLimit(path));
      expect(readRegularFile(path)).toHaveLength(sizeLimit(path));
    },
  );

  it('reads files whose size the system gives as 0', { skip: !existsSync('/proc/self/status') }, () => {
    expect(readRegularFile('/proc/self/status').toString()).toContain('Pid:');
  });
});

it.each(['config.json', 'tokenizer.json', 'model.safetensors'])(
  'a Git LFS pointer in place of %s is told by one sentence',
  (name) => {
    const path = join(scratchFolder(), name);
    writeFileSync(path, LFS);
    const read = (): unknown =>
      name.endsWith('.safetensors') ? SafetensorsFile.open(path) : readJsonObject(path);
    expect(read).toThrow(
      `${path} is a Git LFS pointer, not the file itself: run \`git lfs pull\` in its folder.`,
    );
  },
);
