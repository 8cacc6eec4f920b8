/**
 * The order in which answers name things: as one reads, row by row. A row is one of the cells in which a model with the
 * embedded model's image settings sees the scene, so that what is named next comes next among the image's tokens:
 * a causal model can then find it from the last one (docs/decisions/0016).
 */
import { smartResize } from '../models/qwen2_5_vl/smart-resize.js';
import type { Random } from '../util/random.js';
import type { PlacedThing, Scene } from './types.js';

/** Side of a cell in pixels: two patches of 14. */
const CELL = 28;
/** Pixels of a picture, from runs/tiny/preprocessor.json. */
const LIMITS = { factor: CELL, minPixels: 12_544, maxPixels: 19_600 } as const;

/** So far, in cells, a loose order may take a thing from where it is: one that lies across two rows may come in either. */
const LOOSENESS = 0.3;

/** The things by rows of cells from the top, in each from the left. */
export function inReadingOrder<Thing extends Spot>(scene: Laid<Thing>): Thing[] {
  return byRows(scene, scene.things);
}

/**
 * Another order in which one may read them, where two orders are about as good. Who learns from such answers looks for what
 * is not yet named, and passes over nothing because it would have come earlier.
 */
export function inLooseReadingOrder<Thing extends Spot>(random: Random, scene: Laid<Thing>): Thing[] {
  const [height, width] = seenSides(scene);
  const shift = (side: number, pixels: number): number =>
    random.uniform(-LOOSENESS, LOOSENESS) * (CELL / side) * pixels;
  const moved = scene.things.map((thing) => ({
    thing,
    x: thing.x + shift(width, scene.width),
    y: thing.y + shift(height, scene.height),
  }));
  return byRows(scene, moved).map(({ thing }) => thing);
}

type Spot = Pick<PlacedThing, 'x' | 'y'>;
type Laid<Thing> = Pick<Scene, 'width' | 'height'> & { readonly things: readonly Thing[] };

/** Height and width as the model sees them. */
const seenSides = ({
  width,
  height,
}: Pick<Scene, 'width' | 'height'>): readonly [height: number, width: number] =>
  smartResize(height, width, LIMITS);

function byRows<Thing extends Spot>(scene: Laid<unknown>, things: readonly Thing[]): Thing[] {
  const rows = seenSides(scene)[0] / CELL;
  const row = ({ y }: Thing): number => Math.floor((y / scene.height) * rows);
  return things.toSorted((a, b) => row(a) - row(b) || a.x - b.x);
}
