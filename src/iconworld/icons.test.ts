import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HARMLESS_ICONS, ICONS, ICONS_BY_CATEGORY, iconNamed } from './icons.js';
import { iconIds, iconRaster, loadIcons } from './raster.js';
import { SETTING_LOOKS } from './settings.js';
import { CATEGORIES } from './types.js';

const PACKAGES = { fluent: '@iconify-json/fluent-emoji-flat', noto: '@iconify-json/noto' } as const;
const STYLES = ['fluent', 'noto'] as const;

describe('the table of icons', () => {
  it('has at least four icons a category and thirty harmless ones', () => {
    for (const category of CATEGORIES) {
      expect(ICONS_BY_CATEGORY[category].length).toBeGreaterThanOrEqual(4);
      expect(ICONS_BY_CATEGORY[category].every((icon) => icon.category === category)).toBe(true);
    }
    expect(HARMLESS_ICONS.length).toBeGreaterThanOrEqual(30);
    expect(HARMLESS_ICONS.every((icon) => icon.category === null)).toBe(true);
    expect(ICONS).toHaveLength(HARMLESS_ICONS.length + Object.values(ICONS_BY_CATEGORY).flat().length);
  });

  it('gives each icon one plain name of its own, of one or two words', () => {
    const names = ICONS.map((icon) => icon.name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+( [a-z]+)?$/);
    expect(iconNamed('beer')?.category).toBe('alcohol');
    expect(iconNamed('unicorn')).toBeUndefined();
  });

  it('draws no two things alike and none like the sign of a setting', () => {
    for (const style of STYLES) {
      const ids = iconIds(style);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { sign } of Object.values(SETTING_LOOKS))
        expect(ICONS.some((icon) => icon[style] === sign[style])).toBe(false);
    }
  });

  it.each(STYLES)('has every icon in the %s package', (style) => {
    const path = createRequire(import.meta.url).resolve(`${PACKAGES[style]}/icons.json`);
    const set = z
      .object({ icons: z.record(z.string(), z.unknown()) })
      .parse(JSON.parse(readFileSync(path, 'utf8')));
    expect(iconIds(style).filter((id) => !(id in set.icons))).toEqual([]);
  });
});

describe('rasters', () => {
  beforeAll(async () => loadIcons());

  it.each(STYLES)('fill their square and keep colour within alpha (%s)', (style) => {
    for (const id of iconIds(style)) {
      for (const { side, data } of iconRaster(style, id)) {
        expect(data).toHaveLength(4 * side * side);
        let [covered, glowing] = [0, 0];
        for (let i = 0; i < data.length; i += 4) {
          if (Math.max(data[i], data[i + 1], data[i + 2]) > data[i + 3]) glowing++;
          if (data[i + 3] > 127) covered++;
        }
        expect(glowing).toBe(0);
        // The thinnest drawing (a bow, a pair of scissors) still covers an eighth of its square.
        expect(covered / side ** 2).toBeGreaterThan(0.12);
      }
    }
  });

  it('says what to do when icons were not loaded', () => {
    expect(() => iconRaster('fluent', 'no-such-icon')).toThrow('await loadIcons() first');
  });
});
