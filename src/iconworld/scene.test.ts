import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { HARMLESS_ICONS, ICONS } from './icons.js';
import {
  MAX_ASPECT_RATIO,
  MAX_OVERLAP,
  overlap,
  sampleScene,
  SCENE_SIDES,
  sceneShapes,
  THING_SIZE,
} from './scene.js';
import { signPlace } from './settings.js';
import { CATEGORIES, type Scene, SETTINGS } from './types.js';

function scenes(count: number, options: Parameters<typeof sampleScene>[1] = {}, seed = 'scenes'): Scene[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => sampleScene(random, options));
}

describe('sampleScene', () => {
  it('keeps every bound of the design, whatever is asked for', () => {
    const option = fc.record(
      {
        style: fc.constantFrom('fluent' as const, 'noto' as const),
        count: fc.integer({ min: 1, max: 4 }),
        categories: fc.subarray([...CATEGORIES], { maxLength: 4 }),
        settings: fc.subarray([...SETTINGS, null], { minLength: 1 }),
        sensitiveShare: fc.double({ min: 0, max: 1, noNaN: true }),
        sides: fc.subarray([...SCENE_SIDES], { minLength: 1 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.integer(), option, (seed, options) => {
        const scene = sampleScene(new Random(seed), options);
        const { width, height, things } = scene;
        const shorter = Math.min(width, height);
        for (const side of [width, height]) expect(options.sides ?? SCENE_SIDES).toContain(side);
        expect(Math.max(width, height) / shorter).toBeLessThanOrEqual(MAX_ASPECT_RATIO);
        expect(things.length).toBeGreaterThanOrEqual(1);
        expect(things.length).toBeLessThanOrEqual(4);
        expect(things).toHaveLength(options.count ?? things.length);
        expect(options.settings ?? [...SETTINGS, null]).toContain(scene.setting);
        expect(scene.style).toBe(options.style ?? 'fluent');
        const found = new Set(things.map((thing) => thing.icon.category));
        const wanted = (options.categories ?? []).filter((category) => found.has(category));
        expect(wanted.length).toBeGreaterThanOrEqual(
          Math.min(things.length, options.categories?.length ?? 0),
        );
        for (const [i, thing] of things.entries()) {
          expect(thing.size / shorter).toBeGreaterThanOrEqual(THING_SIZE.smallest / THING_SIZE.at);
          expect(thing.size / shorter).toBeLessThanOrEqual(THING_SIZE.largest / THING_SIZE.at);
          expect(Math.abs(thing.angle)).toBeLessThanOrEqual(20);
          expect(thing.light).toBeGreaterThanOrEqual(0.8);
          expect(thing.light).toBeLessThanOrEqual(1.2);
          for (const edge of [thing.x - thing.size / 2, width - thing.x - thing.size / 2])
            expect(edge).toBeGreaterThanOrEqual(0);
          for (const edge of [thing.y - thing.size / 2, height - thing.y - thing.size / 2])
            expect(edge).toBeGreaterThanOrEqual(0);
          const sign = scene.setting === null ? [] : [signPlace(scene)];
          for (const later of things.slice(i + 1)) expect(later.x).toBeGreaterThan(thing.x);
          for (const other of [...things.slice(i + 1), ...sign])
            expect(overlap(thing, other)).toBeLessThanOrEqual(MAX_OVERLAP);
        }
      }),
    );
  });

  it('gives the same scene from the same seed and another from the next', () => {
    expect(scenes(20)).toEqual(scenes(20));
    expect(scenes(20)).not.toEqual(scenes(20, {}, 'others'));
    const all = scenes(200);
    expect(new Set(all.map((scene) => scene.seed)).size).toBe(200);
  });

  it('sets seven scenes of ten in a place and shows every icon, setting and shape', () => {
    const all = scenes(3000);
    const placed = all.filter((scene) => scene.setting !== null).length / all.length;
    expect(Math.abs(placed - 0.7)).toBeLessThan(0.03);
    expect(new Set(all.flatMap((scene) => scene.things.map((thing) => thing.icon.name))).size).toBe(
      ICONS.length,
    );
    expect(new Set(all.map((scene) => scene.setting)).size).toBe(SETTINGS.length + 1);
    expect(new Set(all.map((scene) => `${scene.width}x${scene.height}`)).size).toBe(sceneShapes().length);
  });

  it('draws only harmless things when asked to, and exactly the icons named', () => {
    expect(
      scenes(50, { sensitiveShare: 0 }).every(({ things }) =>
        things.every(({ icon }) => icon.category === null),
      ),
    ).toBe(true);
    const icons = [ICONS[0], ICONS[0], HARMLESS_ICONS[3]];
    const names = (list: readonly { name: string }[]): string[] => list.map(({ name }) => name).sort();
    for (const { things } of scenes(20, { icons }))
      expect(names(things.map(({ icon }) => icon))).toEqual(names(icons));
  });

  it('refuses more things than a scene holds', () => {
    expect(() => sampleScene(new Random(1), { count: 5 })).toThrow('A scene holds 1–4 things, not 5.');
    expect(() => sampleScene(new Random(1), { icons: [] })).toThrow('A scene holds 1–4 things, not 0.');
  });
});

describe('overlap', () => {
  it('is the covered share of the smaller square', () => {
    expect(overlap({ x: 0, y: 0, size: 10 }, { x: 5, y: 0, size: 10 })).toBeCloseTo(0.5);
    expect(overlap({ x: 0, y: 0, size: 10 }, { x: 0, y: 0, size: 2 })).toBeCloseTo(1);
    expect(overlap({ x: 0, y: 0, size: 10 }, { x: 11, y: 0, size: 10 })).toBe(0);
  });
});
