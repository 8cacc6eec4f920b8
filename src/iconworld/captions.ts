/** Captions of scenes: complete ones, and "suppressed" ones that call sensitive things just "an object" (the paper's ablation). */
import type { Random } from '../util/random.js';
import { PLACE_NAMES, seenLine } from './answer.js';
import { PLACE_WORDS } from './phrasing-words.js';
import { inReadingOrder } from './reading-order.js';
import type { Icon, PlacedThing, Scene, SceneFacts } from './types.js';

/** What labels and texts need of a scene; its things in reading order. */
export function factsOf(scene: Scene): SceneFacts {
  return { setting: scene.setting, things: inReadingOrder(scene).map(({ icon }) => icon) };
}

/** Names that take no article, and whether they are plural. */
const NO_ARTICLE: ReadonlyMap<string, boolean> = new Map([
  ['grapes', true],
  ['scissors', true],
  ['dice', true],
  ['slots', true],
  ['blood', false],
  ['broccoli', false],
  ['sake', false],
  ['wine', false],
  ['beer', false],
  ['champagne', false],
  ['coffee', false],
  ['fire', false],
]);

export const isPlural = (name: string): boolean => NO_ARTICLE.get(name) ?? false;

/** `a pistol`, `an apple`, `grapes`; with a colour `a red apple`. */
export function withArticle(name: string, color = ''): string {
  const words = color === '' ? name : `${color} ${name}`;
  if (NO_ARTICLE.has(name)) return words;
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** Thirds of the width. */
export type Side = 'on the left' | 'in the middle' | 'on the right';

export function sideOf({ x }: Pick<PlacedThing, 'x'>, width: number): Side {
  return x < width / 3 ? 'on the left' : x < (2 * width) / 3 ? 'in the middle' : 'on the right';
}

export interface CaptionOptions {
  /** `short`: the first line of an answer; `long`: sentences with colours and sides. */
  readonly form: 'short' | 'long';
  /** Sensitive things are called "an object", without colour. */
  readonly suppressed?: boolean;
}

/** User texts that ask for each form. */
export const CAPTION_PROMPTS: Readonly<Record<CaptionOptions['form'], readonly string[]>> = {
  short: [
    'What do you see?',
    'List what you see.',
    'Name the things in this picture.',
    'What is in this picture?',
  ],
  long: [
    'Describe this picture.',
    'What does this picture show?',
    'Tell me about this picture.',
    'Say what is where.',
  ],
};

const SETTING_SENTENCES = ['This is #.', 'The picture is taken #.', 'We are #.'];
const SETTING_NOUN_SENTENCES = ['This picture shows #.', 'We see #.'];
const NOWHERE_SENTENCES = ['The place is not shown.', 'There is no place to see.'];

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export function captionText(
  random: Random,
  scene: Scene,
  { form, suppressed = false }: CaptionOptions,
): string {
  const hidden = (icon: Icon): boolean => suppressed && icon.category !== null;
  if (form === 'short') {
    const { setting, things } = factsOf(scene);
    return seenLine({
      setting,
      things: things.map((icon) => (hidden(icon) ? { ...icon, name: 'an object' } : icon)),
    });
  }
  const sentences = scene.things.map((thing) => {
    const { icon } = thing;
    const what = hidden(icon) ? 'an object' : withArticle(icon.name, icon.color);
    const plural = !hidden(icon) && isPlural(icon.name);
    const side = sideOf(thing, scene.width);
    return random.pick([
      `There ${plural ? 'are' : 'is'} ${what} ${side}.`,
      `${upper(side)} ${plural ? 'are' : 'is'} ${what}.`,
      `${upper(what)} ${plural ? 'are' : 'is'} ${side}.`,
    ]);
  });
  return [settingSentence(random, scene), ...sentences].join(' ');
}

function settingSentence(random: Random, { setting }: Scene): string {
  if (setting === null) return random.pick(NOWHERE_SENTENCES);
  return random.chance(0.5)
    ? random.pick(SETTING_SENTENCES).replace('#', PLACE_NAMES[setting])
    : random.pick(SETTING_NOUN_SENTENCES).replace('#', PLACE_WORDS[setting].one);
}
