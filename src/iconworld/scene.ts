import { assert } from '../util/errors.js';
import { Random } from '../util/random.js';
import { sampleBackground } from './background.js';
import { HARMLESS_ICONS, ICONS_BY_CATEGORY } from './icons.js';
import { type Square, signPlace } from './settings.js';
import {
  CATEGORIES,
  type Category,
  type Icon,
  type PlacedThing,
  type Scene,
  SETTINGS,
  type Setting,
  type Style,
} from './types.js';

/** What a caller may ask of a scene; everything left out is sampled. */
export interface SceneOptions {
  readonly style?: Style;
  /** How many things, 1–4. */
  readonly count?: number;
  /** Each of these categories gets one thing (as many as there is room for). */
  readonly categories?: readonly Category[];
  /** Exactly these things, in any order; rules out `count` and `categories`. */
  readonly icons?: readonly Icon[];
  /** The place is one of these; null is no place. */
  readonly settings?: readonly (Setting | null)[];
  /** Probability that a thing not asked for is sensitive. */
  readonly sensitiveShare?: number;
  /** Sides to choose width and height from: multiples of 28. */
  readonly sides?: readonly number[];
}

const MAX_THINGS = 4;
/** Multiples of the patch merger's 28 px, so that the processor never rescales a scene. */
export const SCENE_SIDES: readonly number[] = [112, 140, 168, 196, 224];
export const MAX_ASPECT_RATIO = 1.34;
/** No two things overlap by more than this share of the smaller one. */
export const MAX_OVERLAP = 0.15;
/** Sides of things in a scene whose shorter side is 112 px; they grow with it. */
export const THING_SIZE = { smallest: 26, largest: 48, at: 112 } as const;
const MAX_ANGLE = 20;
const LIGHT = { darkest: 0.8, brightest: 1.2 } as const;
const SETTING_PROBABILITY = 0.7;
const SENSITIVE_SHARE = 0.6;
/** A share of the things not asked for joins the category of one already there, or "at most n" and repeated bans would hardly occur. */
const SAME_CATEGORY_SHARE = 0.3;
const COUNTS = [
  [1, 2],
  [2, 3],
  [3, 3],
  [4, 2],
] as const;
/** Centres differ by this share of the width at least, so that "left to right" is plain to see. */
const MIN_STEP = 0.06;

/** The pairs of sides that make a scene's shape. */
export function sceneShapes(
  sides: readonly number[] = SCENE_SIDES,
): (readonly [width: number, height: number])[] {
  return sides.flatMap((width) =>
    sides
      .filter((height) => Math.max(width, height) / Math.min(width, height) <= MAX_ASPECT_RATIO)
      .map((height) => [width, height] as const),
  );
}

/** Samples a scene; the same state of `random` and the same options give the same scene. */
export function sampleScene(random: Random, options: SceneOptions = {}): Scene {
  const seed = `${random.u32().toString(16)}-${random.u32().toString(16)}`;
  const own = new Random(seed);
  const [width, height] = own.pick(sceneShapes(options.sides));
  const setting =
    options.settings === undefined
      ? own.chance(SETTING_PROBABILITY)
        ? own.pick(SETTINGS)
        : null
      : own.pick(options.settings);
  const icons = options.icons ?? sampleIcons(own, options);
  assert(
    icons.length >= 1 && icons.length <= MAX_THINGS,
    `A scene holds 1–${MAX_THINGS} things, not ${icons.length}.`,
  );
  const background = sampleBackground(own);
  const things = placeThings(own, own.shuffle(icons), { seed, width, height, setting });
  return { seed, width, height, style: options.style ?? 'fluent', setting, background, things };
}

function sampleIcons(random: Random, options: SceneOptions): Icon[] {
  const wanted = options.categories ?? [];
  const count = options.count ?? Math.max(random.weighted(COUNTS), Math.min(MAX_THINGS, wanted.length));
  const icons = random.sample(wanted, count).map((category) => random.pick(ICONS_BY_CATEGORY[category]));
  while (icons.length < count) {
    const present = icons.flatMap((icon) => (icon.category === null ? [] : [icon.category]));
    if (!random.chance(options.sensitiveShare ?? SENSITIVE_SHARE)) icons.push(random.pick(HARMLESS_ICONS));
    else if (present.length > 0 && random.chance(SAME_CATEGORY_SHARE))
      icons.push(random.pick(ICONS_BY_CATEGORY[random.pick(present)]));
    else icons.push(random.pick(ICONS_BY_CATEGORY[random.pick(CATEGORIES)]));
  }
  return icons;
}

/** Share of the smaller of two squares that the other one covers. */
export function overlap(a: Square, b: Square): number {
  const across = Math.min(a.x + a.size / 2, b.x + b.size / 2) - Math.max(a.x - a.size / 2, b.x - b.size / 2);
  const down = Math.min(a.y + a.size / 2, b.y + b.size / 2) - Math.max(a.y - a.size / 2, b.y - b.size / 2);
  return (Math.max(0, across) * Math.max(0, down)) / Math.min(a.size, b.size) ** 2;
}

type Frame = Pick<Scene, 'seed' | 'width' | 'height' | 'setting'>;

/** Enough: with all things at their smallest nearly every layout is found within a few dozen tries. */
const MAX_LAYOUTS = 2000;
const TRIES_PER_THING = 20;

/** Rejection sampling of a layout; the largest size allowed sinks with every failed one, so that crowded scenes still fit. */
function placeThings(random: Random, icons: readonly Icon[], frame: Frame): PlacedThing[] {
  const scale = Math.min(frame.width, frame.height) / THING_SIZE.at;
  const sign = frame.setting === null ? [] : [signPlace(frame)];
  for (let layout = 0; layout < MAX_LAYOUTS; layout++) {
    const largest = Math.max(THING_SIZE.smallest, THING_SIZE.largest - layout);
    const squares: Square[] = [];
    for (let tries = 0; squares.length < icons.length && tries < TRIES_PER_THING * icons.length; tries++) {
      const size = scale * random.uniform(THING_SIZE.smallest, largest);
      const x = random.uniform(size / 2, frame.width - size / 2);
      const y = random.uniform(size / 2, frame.height - size / 2);
      const square = { x, y, size };
      const clear = [...sign, ...squares].every((other) => overlap(square, other) <= MAX_OVERLAP);
      const apart = squares.every((other) => Math.abs(other.x - x) >= MIN_STEP * frame.width);
      if (clear && apart) squares.push(square);
    }
    if (squares.length < icons.length) continue;
    return squares
      .map((square, i) => ({
        icon: icons[i],
        ...square,
        angle: random.uniform(-MAX_ANGLE, MAX_ANGLE),
        flip: random.chance(0.5),
        light: random.uniform(LIGHT.darkest, LIGHT.brightest),
      }))
      .sort((a, b) => a.x - b.x);
  }
  assert(false, `No room for ${icons.length} things in ${frame.width}×${frame.height}.`);
}
