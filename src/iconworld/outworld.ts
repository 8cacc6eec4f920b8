import type { RgbImage } from '../images/image.js';
import type { Random } from '../util/random.js';
import {
  colorField,
  emptyScene,
  geometry,
  gradient,
  hugeShape,
  lineDrawing,
  oneColor,
  pattern,
  plasma,
  staticNoise,
} from './outworld-drawings.js';
import { chart, screenshot, textPage } from './outworld-pages.js';
import { blur, type Painting, toImage } from './outworld-paint.js';
import { boxes, deadLeaves, landscape, pinkField, portrait, stillLife, strokes } from './outworld-photos.js';
import { SCENE_SIDES } from './scene.js';

type Painter = (random: Random, width: number, height: number) => Painting;

/** Kinds of pictures and how often each is drawn; what is like a photograph more often, since photographs are what people bring. */
const PAINTERS: readonly (readonly [Painter, number])[] = [
  [deadLeaves, 3],
  [pinkField, 2],
  [landscape, 3],
  [portrait, 3],
  [strokes, 1],
  [boxes, 3],
  [stillLife, 3],
  [staticNoise, 1.5],
  [gradient, 1],
  [colorField, 1],
  [plasma, 1.5],
  [geometry, 1.5],
  [hugeShape, 1],
  [lineDrawing, 1.5],
  [textPage, 1.5],
  [pattern, 1],
  [screenshot, 1.5],
  [chart, 1],
  [emptyScene, 2],
  [oneColor, 0.3],
];

/** Wider or taller than any scene, now and then. */
const MAX_OUTWORLD_RATIO = 2;

/**
 * Samples a picture that is no IconWorld scene: noise, drawings, pages, and what has the statistics of photographs; sides are
 * multiples of 28 px out of `sides`.
 */
export function sampleOutOfWorld(random: Random, sides: readonly number[] = SCENE_SIDES): RgbImage {
  const width = random.pick(sides);
  const fitting = sides.filter((side) => Math.max(side, width) / Math.min(side, width) <= MAX_OUTWORLD_RATIO);
  const painting = random.weighted(PAINTERS)(random, width, random.pick(fitting));
  if (random.chance(0.6)) develop(random, painting);
  return toImage(painting);
}

/** What a camera and a dark room do: focus, exposure, colour cast or none, vignette, grain, coarse tones. */
function develop(random: Random, painting: Painting): void {
  if (random.chance(0.3)) blur(painting, random.int(1, 4));
  const { width, height, data } = painting;
  const gamma = random.uniform(0.6, 1.6);
  const contrast = random.uniform(0.6, 1.3);
  const cast = [random.uniform(0.85, 1.15), random.uniform(0.9, 1.1), random.uniform(0.85, 1.15)];
  const gray = random.chance(0.15);
  const vignette = random.chance(0.3) ? random.uniform(0.2, 0.8) : 0;
  const grain = random.chance(0.5) ? random.uniform(2, 25) : 0;
  const tones = random.chance(0.05) ? random.int(2, 6) : 0;
  for (let i = 0; i < width * height; i++) {
    const [u, v] = [(i % width) / width - 0.5, Math.floor(i / width) / height - 0.5];
    const shade = 1 - vignette * 2 * (u * u + v * v);
    const speck = grain === 0 ? 0 : grain * (random.next() + random.next() - 1);
    const mean = (data[3 * i] + data[3 * i + 1] + data[3 * i + 2]) / 3;
    for (let c = 0; c < 3; c++) {
      const level = Math.min(1, Math.max(0, (gray ? mean : data[3 * i + c]) / 255)) ** gamma;
      const value = 255 * shade * (gray ? 1 : cast[c]) * (0.5 + contrast * (level - 0.5)) + speck;
      data[3 * i + c] = tones === 0 ? value : (Math.round((value / 255) * tones) * 255) / tones;
    }
  }
}
