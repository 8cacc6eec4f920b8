import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import sharp from 'sharp';
import { z } from 'zod';
import { assert, InternalError } from '../util/errors.js';
import { ICONS } from './icons.js';
import { SETTING_LOOKS } from './settings.js';
import type { Style } from './types.js';

/** An icon as pixels of one size: RGBA with colour premultiplied by alpha, 4·side² bytes. */
interface IconLevel {
  readonly side: number;
  readonly data: Uint8ClampedArray;
}

/** An icon at several sizes, largest first, trimmed to what is drawn and centred in a square. */
export type IconRaster = readonly IconLevel[];

/** Close enough together that a scene always finds a size within ×1.4 of what it draws, where bilinear sampling is clean. */
const LEVEL_SIDES = [128, 96, 64, 48, 32, 24];
/** Icons are drawn from SVG at this side once; every level is an area average of it. */
const SOURCE_SIDE = 256;
/** Room around the drawn part, so that edges fade within the square. */
const MARGIN = 1.04;

const PACKAGES: Readonly<Record<Style, string>> = {
  fluent: '@iconify-json/fluent-emoji-flat/icons.json',
  noto: '@iconify-json/noto/icons.json',
};

const IconSet = z.object({
  width: z.number().default(16),
  height: z.number().default(16),
  icons: z.record(
    z.string(),
    z.object({ body: z.string(), width: z.number().optional(), height: z.number().optional() }),
  ),
});

const loading = new Map<Style, Promise<void>>();
const rasters: Readonly<Record<Style, Map<string, IconRaster>>> = { fluent: new Map(), noto: new Map() };

/** Rasterizes the icons of the styles given, once per process; `renderScene` needs it before its first scene. */
export async function loadIcons(styles: readonly Style[] = ['fluent', 'noto']): Promise<void> {
  for (const style of styles) {
    let load = loading.get(style);
    if (load === undefined) {
      load = loadStyle(style);
      loading.set(style, load);
    }
    await load;
  }
}

/** The pixels of an icon of a loaded style. */
export function iconRaster(style: Style, id: string): IconRaster {
  const raster = rasters[style].get(id);
  if (raster === undefined)
    throw new InternalError(`Icon ${id} of ${style} is not loaded: await loadIcons() first.`);
  return raster;
}

/** Ids a style must hold: things and the signs of settings. */
export function iconIds(style: Style): string[] {
  return [
    ...ICONS.map((icon) => icon[style]),
    ...Object.values(SETTING_LOOKS).map((setting) => setting.sign[style]),
  ];
}

/** An icon set's SVG documents by id, for the ids asked for; refuses one that is missing. */
async function readSvgs(style: Style, ids: readonly string[]): Promise<Map<string, string>> {
  const path = createRequire(import.meta.url).resolve(PACKAGES[style]);
  const set = IconSet.parse(JSON.parse(await readFile(path, 'utf8')));
  return new Map(
    ids.map((id) => {
      const icon = set.icons[id];
      assert(icon !== undefined, `Icon ${id} is not in ${PACKAGES[style]}.`);
      const viewBox = `0 0 ${icon.width ?? set.width} ${icon.height ?? set.height}`;
      const size = `width="${SOURCE_SIDE}" height="${SOURCE_SIDE}"`;
      return [id, `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="${viewBox}">${icon.body}</svg>`];
    }),
  );
}

async function loadStyle(style: Style): Promise<void> {
  for (const [id, svg] of await readSvgs(style, iconIds(style))) {
    const { data, info } = await sharp(Buffer.from(svg))
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert(
      info.width === SOURCE_SIDE && info.height === SOURCE_SIDE && info.channels === 4,
      `Icon ${id} has an odd size.`,
    );
    const window = drawnSquare(data);
    rasters[style].set(
      id,
      LEVEL_SIDES.map((side) => areaLevel(data, window, side)),
    );
  }
}

interface Window {
  readonly left: number;
  readonly top: number;
  readonly side: number;
}

/** The square around all pixels of a source that are not transparent. */
function drawnSquare(data: Uint8Array): Window {
  let [left, top, right, bottom] = [SOURCE_SIDE, SOURCE_SIDE, 0, 0];
  for (let y = 0; y < SOURCE_SIDE; y++) {
    for (let x = 0; x < SOURCE_SIDE; x++) {
      if (data[4 * (y * SOURCE_SIDE + x) + 3] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = y + 1;
    }
  }
  const side = MARGIN * Math.max(right - left, bottom - top);
  return { left: (left + right - side) / 2, top: (top + bottom - side) / 2, side };
}

/** The window of a straight-alpha source, each target pixel the average over its area, premultiplied. */
function areaLevel(source: Uint8Array, window: Window, side: number): IconLevel {
  const data = new Uint8ClampedArray(4 * side * side);
  const step = window.side / side;
  const rows = Array.from({ length: side }, (_, i) => spans(window.top + i * step, step));
  const columns = Array.from({ length: side }, (_, i) => spans(window.left + i * step, step));
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let [r, g, b, a] = [0, 0, 0, 0];
      for (const [sy, rowShare] of rows[y]) {
        for (const [sx, columnShare] of columns[x]) {
          const at = 4 * (sy * SOURCE_SIDE + sx);
          const alpha = rowShare * columnShare * source[at + 3];
          r += alpha * source[at];
          g += alpha * source[at + 1];
          b += alpha * source[at + 2];
          a += alpha;
        }
      }
      data.set([r / 255, g / 255, b / 255, a], 4 * (y * side + x));
    }
  }
  return { side, data };
}

/** The source pixels that [start, start + length) covers, each with its share of the length; what lies outside is left out. */
function spans(start: number, length: number): (readonly [index: number, share: number])[] {
  const out: (readonly [number, number])[] = [];
  for (let i = Math.max(0, Math.floor(start)); i < Math.min(SOURCE_SIDE, start + length); i++) {
    const share = (Math.min(i + 1, start + length) - Math.max(i, start)) / length;
    if (share > 0) out.push([i, share]);
  }
  return out;
}
