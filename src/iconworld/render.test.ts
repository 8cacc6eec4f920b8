import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RgbImage } from '../images/image.js';
import { Random } from '../util/random.js';
import { drawBackground } from './background.js';
import { drawnBox } from './draw.js';
import { editScene } from './edit.js';
import { HARMLESS_ICONS, iconNamed } from './icons.js';
import { loadIcons } from './raster.js';
import { renderScene } from './render.js';
import { sampleScene } from './scene.js';
import type { Scene, Style } from './types.js';

beforeAll(async () => loadIcons());

function differs(a: RgbImage, b: RgbImage, x: number, y: number): boolean {
  const at = 3 * (y * a.width + x);
  return [0, 1, 2].some((c) => a.data[at + c] !== b.data[at + c]);
}

describe('renderScene', () => {
  it('gives equal pixels for equal scenes', () => {
    const draw = (): string[] => {
      const random = new Random('render');
      return Array.from({ length: 10 }, (_, i) =>
        renderScene(sampleScene(random, { style: i % 2 ? 'noto' : 'fluent' })),
      ).map(({ data }) => createHash('sha256').update(data).digest('hex'));
    };
    expect(draw()).toEqual(draw());
    expect(new Set(draw()).size).toBe(10);
  });

  it('draws the style asked for', () => {
    const scene = sampleScene(new Random('style'), { count: 2 });
    const [fluent, noto] = (['fluent', 'noto'] satisfies Style[]).map((style) =>
      renderScene({ ...scene, style }),
    );
    expect(fluent.data).not.toEqual(noto.data);
  });

  it('puts a thing where the scene says, in its colour, mirrored and lit as it says', () => {
    const blood = iconNamed('blood');
    if (blood === undefined) throw new Error('blood is in the table');
    const background = { kind: 'plain', from: '#ffffff', to: '#ffffff', angle: 0 } as const;
    const thing = { icon: blood, x: 30, y: 40, size: 30, angle: 0, flip: false, light: 1 };
    const scene: Scene = {
      seed: 's',
      width: 112,
      height: 112,
      style: 'fluent',
      setting: null,
      background,
      things: [thing],
    };
    const pixel = (one: Scene, x: number, y: number): number[] =>
      Array.from(renderScene(one).data.subarray(3 * (112 * y + x), 3 * (112 * y + x) + 3));
    const [red, green, blue] = pixel(scene, 30, 44);
    expect(red).toBeGreaterThan(180);
    expect(Math.max(green, blue)).toBeLessThan(80);
    expect(pixel(scene, 80, 80)).toEqual([255, 255, 255]);
    const dark = pixel({ ...scene, things: [{ ...thing, light: 0.5 }] }, 30, 44);
    expect(Math.abs(dark[0] - red / 2)).toBeLessThanOrEqual(1);
    const bow = iconNamed('bow');
    if (bow === undefined) throw new Error('bow is in the table');
    const square = {
      ...scene,
      width: 60,
      height: 60,
      things: [{ ...thing, icon: bow, x: 30, y: 30, size: 50 }],
    };
    const plain = renderScene(square);
    const mirrored = renderScene({ ...square, things: [{ ...square.things[0], flip: true }] });
    let worst = 0;
    for (let y = 0; y < 60; y++)
      for (let x = 0; x < 60; x++)
        for (let c = 0; c < 3; c++)
          worst = Math.max(
            worst,
            Math.abs(plain.data[3 * (60 * y + x) + c] - mirrored.data[3 * (60 * y + 59 - x) + c]),
          );
    expect(worst).toBeLessThanOrEqual(1);
  });

  it('shows a setting by what no setting shows not: its sign and ground', () => {
    const scene = sampleScene(new Random('setting'), { settings: ['school'] });
    const bare = renderScene({ ...scene, setting: null });
    const home = renderScene({ ...scene, setting: 'home' });
    const school = renderScene(scene);
    expect(school.data).not.toEqual(bare.data);
    expect(school.data).not.toEqual(home.data);
  });

  it('draws every kind of background within its two colours', () => {
    for (const kind of ['plain', 'gradient', 'texture'] as const) {
      for (let seed = 0; seed < 20; seed++) {
        const canvas = { width: 56, height: 84, data: new Uint8Array(3 * 56 * 84) };
        drawBackground(canvas, { kind, from: '#204060', to: '#6080a0', angle: 40 }, String(seed));
        for (let c = 0; c < 3; c++) {
          const values = canvas.data.filter((_, i) => i % 3 === c);
          expect(Math.min(...values)).toBeGreaterThanOrEqual(0x20 * (c + 1));
          expect(Math.max(...values)).toBeLessThanOrEqual(0x40 + 0x20 * (c + 1));
          expect(new Set(values).size === 1).toBe(kind === 'plain');
        }
      }
    }
  });
});

describe('editScene', () => {
  it('replaces one thing by a harmless one and leaves every pixel outside its box', () => {
    const random = new Random('edit');
    for (let i = 0; i < 150; i++) {
      const scene = sampleScene(random, { style: i % 3 ? 'fluent' : 'noto', sensitiveShare: 0.9 });
      const index = random.int(0, scene.things.length - 1);
      const edited = editScene(scene, index, random);
      expect(edited.things[index].icon.category).toBeNull();
      expect(edited.things[index].icon.name).not.toBe(scene.things[index].icon.name);
      expect(edited.things.filter((_, k) => k !== index)).toEqual(scene.things.filter((_, k) => k !== index));
      const [before, after] = [renderScene(scene), renderScene(edited)];
      const box = drawnBox(scene, scene.things[index]);
      let [inside, outside] = [0, 0];
      for (let y = 0; y < scene.height; y++) {
        for (let x = 0; x < scene.width; x++) {
          if (!differs(before, after, x, y)) continue;
          if (x >= box.left && x < box.right && y >= box.top && y < box.bottom) inside++;
          else outside++;
        }
      }
      expect(outside).toBe(0);
      expect(inside).toBeGreaterThan(0);
    }
  });

  it('is decided by the scene, the index and the seed', () => {
    const scene = sampleScene(new Random('x'), { count: 4 });
    expect(editScene(scene, 1, new Random(5))).toEqual(editScene(scene, 1, new Random(5)));
    const chosen = new Set(
      Array.from({ length: 300 }, (_, seed) => editScene(scene, 1, new Random(seed)).things[1].icon.name),
    );
    expect(chosen.size).toBeGreaterThan(HARMLESS_ICONS.length / 2);
  });

  it('refuses a thing that is not there', () => {
    const scene = sampleScene(new Random('x'), { count: 2 });
    for (const index of [-1, 2, 0.5])
      expect(() => editScene(scene, index, new Random(1))).toThrow('The scene has 2 things');
  });
});
