/**
 * The order in which answers name things: as one reads, row by row. A row is one of the cells in which a model with the
 * embedded model's image settings sees the scene, so that what is named next comes next among the image's tokens:
 * a causal model can then find it from the last one (docs/decisions/0016).
 */
import { smartResize } from '../models/qwen2_5_vl/smart-resize.js';
import type { PlacedThing, Scene } from './types.js';

/** Side of a cell in pixels: two patches of 14. */
const CELL = 28;
/** Pixels of a picture, from runs/tiny/preprocessor.json. */
const LIMITS = { factor: CELL, minPixels: 12_544, maxPixels: 19_600 } as const;

/** The things by rows of cells from the top, in each from the left. */
export function inReadingOrder({
  width,
  height,
  things,
}: Pick<Scene, 'width' | 'height' | 'things'>): PlacedThing[] {
  const rows = smartResize(height, width, LIMITS)[0] / CELL;
  const row = ({ y }: PlacedThing): number => Math.floor((y / height) * rows);
  return things.toSorted((a, b) => row(a) - row(b) || a.x - b.x);
}
