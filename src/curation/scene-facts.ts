/** @module IconWorld's own rewriter and judge: no model, but what the scene really holds. */
import { ICONS } from '../iconworld/icons.js';
import { PLACE_WORDS } from '../iconworld/phrasing-words.js';
import { PLACE_NAMES } from '../iconworld/answer.js';
import { type SceneFacts, SETTINGS, type Setting } from '../iconworld/types.js';

const CATEGORY_OF = new Map(ICONS.map(({ name, category }) => [name, category]));

/** Any thing's name as a word of its own, and the category behind it in brackets where there is one. */
const THING = new RegExp(
  // Longer names first, or a part of one could be taken for another.
  `\\b(${[...CATEGORY_OF.keys()].sort((a, b) => b.length - a.length).join('|')})\\b(?: \\((\\w+)\\))?`,
  'giu',
);

const categoryOf = (name: string): string | null => CATEGORY_OF.get(name.toLowerCase()) ?? null;

/** Each sensitive thing with the kind it is of: `pistol (weapons)`. Harmless ones stay as they are. */
export function makeExplicit(caption: string): string {
  return caption.replace(THING, (_, name: string) => {
    const category = categoryOf(name);
    return category === null ? name : `${name} (${category})`;
  });
}

const PLACES = SETTINGS.map((setting): readonly [Setting, RegExp] => {
  const { one, more } = PLACE_WORDS[setting];
  return [setting, new RegExp(`\\b(?:${[PLACE_NAMES[setting], one, ...more].join('|')})\\b`, 'iu')];
});

/**
 * Whether a text names exactly what the scene holds: its place, each of its things as often as it is there, nothing else,
 * and no sensitive thing as of another kind. @returns null where it does, else the reason why it does not
 */
export function contradiction(text: string, { setting, things }: SceneFacts): string | null {
  const places = PLACES.filter(([, words]) => words.test(text)).map(([place]) => place);
  const wrong = places.find((place) => place !== setting);
  if (wrong !== undefined) return `it names the place ${wrong}, and the scene has ${setting ?? 'no place'}`;
  if (setting !== null && places.length === 0) return `it does not name the place, ${setting}`;
  const said = [...text.matchAll(THING)].map(([, name, category]) => ({
    name: name.toLowerCase(),
    category,
  }));
  const miscalled = said.find(
    ({ name, category }) => category !== undefined && category.toLowerCase() !== categoryOf(name),
  );
  if (miscalled !== undefined) return `${miscalled.name} is no ${miscalled.category}`;
  const left = things.map(({ name }) => name);
  for (const { name } of said) {
    const at = left.indexOf(name);
    if (at < 0)
      return `it names ${name}, which the scene does not hold${things.some((t) => t.name === name) ? ' so often' : ''}`;
    left.splice(at, 1);
  }
  return left.length === 0 ? null : `it leaves out ${left.join(', ')}`;
}
