import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { process_vision_info } from './vision-info.js';

const image = 'test/goldens/images/rgb-20x11.png';
const ask = (source: unknown) =>
  process_vision_info([{ role: 'user', content: [{ type: 'image', image: source }] }]);

// Sizes: checkpoints/head128/cases/from-file.json of the goldens.
it.each([
  ['rgb-1000x60.png', 1008, 56],
  ['rgb-20x11.png', 84, 56],
  ['rgb-280x420.png', 280, 420],
  ['rgb-28x28.png', 56, 56],
  ['rgb-448x336.png', 448, 336],
])('resizes %s as qwen_vl_utils does', async (name, width, height) => {
  const [images] = await ask(`test/goldens/images/${name}`);
  expect(images).toMatchObject([{ width, height }]);
});

it('reads bytes and data URIs as it reads files, and refuses what it cannot read', async () => {
  const bytes = readFileSync(image);
  const file = await ask(image);
  expect(await ask(bytes)).toEqual(file);
  expect(await ask(`data:image/png;base64,${bytes.toString('base64')}`)).toEqual(file);
  await expect(ask('data:image/png;base64,*')).rejects.toThrow(/broken/);
  await expect(ask('http://127.0.0.1/b.png')).rejects.toThrow(/private or special network/);
  await expect(ask('file://elsewhere/b.png')).rejects.toThrow(/no file URL of this machine/);
  await expect(ask(7)).rejects.toThrow(/cannot be a number/);
});
