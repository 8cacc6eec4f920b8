/** Where a scene's things are, in one word each: what a tower that learns to see is shown. */
import { HARMLESS_ICONS, ICONS_BY_CATEGORY } from './icons.js';
import { signPlace } from './settings.js';
import { CATEGORIES, type Scene, SETTINGS } from './types.js';

/** A word for what has its centre here; `x` and `y` are shares of the picture's width and height, in [0, 1). */
export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly word: string;
}

/** The first word of a name that has two tells it apart from all others, too. */
const firstWord = (name: string): string => name.split(' ')[0];

/** Every word that a scene may be marked with: first words of names, and settings. */
export const MARK_WORDS: readonly string[] = [
  ...SETTINGS,
  ...[...HARMLESS_ICONS, ...CATEGORIES.flatMap((category) => ICONS_BY_CATEGORY[category])].map(({ name }) =>
    firstWord(name),
  ),
];

/** The setting's sign, then the things: where centres share a cell the thing counts. */
export function marksOf(scene: Scene): Mark[] {
  const share = ({ x, y }: { readonly x: number; readonly y: number }) => ({
    x: x / scene.width,
    y: y / scene.height,
  });
  const sign = scene.setting === null ? [] : [{ ...share(signPlace(scene)), word: scene.setting }];
  return [...sign, ...scene.things.map((thing) => ({ ...share(thing), word: firstWord(thing.icon.name) }))];
}
