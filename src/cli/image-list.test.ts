import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageList, type ImageListOptions } from './image-list.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'images-'));
  await mkdir(join(folder, 'b/deep'), { recursive: true });
  await mkdir(join(folder, '.hidden'));
  const files = ['z.png', 'a.JPG', 'notes.txt', 'b/m.webp', 'b/deep/thumb-1.png', '.hidden/x.png', '[1].png'];
  for (const file of files) await writeFile(join(folder, file), 'x');
  await symlink(folder, join(folder, 'b/loop'));
  await symlink(join(folder, 'z.png'), join(folder, 'b/link.png'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const listed = async (given: readonly string[], options?: ImageListOptions): Promise<string[]> =>
  (await imageList(given, options)).names.map((name) => relative(folder, name));

describe('images of a command line', () => {
  it('are all images below a folder, sorted', async () => {
    const { names, skipped } = await imageList([folder]);
    expect(names.map((name) => relative(folder, name))).toEqual([
      '[1].png',
      'a.JPG',
      'b/deep/thumb-1.png',
      'b/link.png',
      'b/m.webp',
      'z.png',
    ]);
    expect(skipped).toBe(1);
  });

  it('are filtered by globs', async () => {
    expect(await listed([folder], { include: ['*.png'], exclude: ['thumb-*', 'b/link*'] })).toEqual([
      '[1].png',
      'z.png',
    ]);
    expect(await listed([folder], { include: ['notes.txt'] })).toEqual(['notes.txt']);
  });

  it('are what a glob matches, unless a file has that very name', async () => {
    expect(await listed([`${folder}/**/*.png`])).toEqual([
      '[1].png',
      'b/deep/thumb-1.png',
      'b/link.png',
      'z.png',
    ]);
    expect(await listed([`${folder}/[1].png`])).toEqual(['[1].png']);
    await expect(imageList([`${folder}/*.tiff`])).rejects.toThrow(/no file matches .*put it in quotes/);
  });

  it('are names, addresses and lists in their order; what overlaps is taken once', async () => {
    const list = join(folder, 'notes.txt');
    await writeFile(list, 'one.png\r\n\nhttps://host/two.png\n');
    const { names } = await imageList(['-', folder, folder, 'missing.png'], { from: list });
    expect(names).toHaveLength(10);
    expect(names.slice(-3)).toEqual(['missing.png', 'one.png', 'https://host/two.png']);
    const piped = await imageList([], { from: '-' }, async () => Buffer.from('x.png\ny.png'));
    expect(piped.names).toEqual(['x.png', 'y.png']);
    await expect(imageList([], { from: join(folder, 'none') })).rejects.toThrow(/the list .* cannot be read/);
  });
});
