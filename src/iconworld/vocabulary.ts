/** @module The words of training's policies, read off the grammar: what a checkpoint trained on IconWorld tells of itself. */
import type { VocabularyData } from '../guard/vocabulary.js';
import { NEUTRAL_WORDS } from './noise.js';
import {
  ALLOW_FRAMES,
  AT_MOST_FRAMES,
  BAN_FRAMES,
  type Frame,
  NEVER_IN_FRAMES,
  ONLY_IN_FRAMES,
  TOGETHER_FRAMES,
} from './phrasing-frames.js';
import { AGREEMENT } from './phrasing.js';
import { FILLERS, PREDICATES } from './phrasing-predicates.js';
import { VOICE_SENTENCES } from './phrasing-voice.js';
import {
  BARE_MODIFIERS,
  CATEGORY_WORDS,
  insidePhrases,
  NUMBERS,
  OPENING_MODIFIERS,
  OPENING_OTHERS,
  outsidePhrases,
  placePhrases,
} from './phrasing-words.js';
import { CATEGORIES, type Category, SETTINGS } from './types.js';

const FRAMES: readonly Frame[] = [
  ...BAN_FRAMES,
  ...ALLOW_FRAMES,
  ...NEVER_IN_FRAMES,
  ...ONLY_IN_FRAMES,
  ...TOGETHER_FRAMES,
  ...AT_MOST_FRAMES,
];

const wordsOf = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.toLowerCase().match(/[\p{L}\p{N}'’]+/gu) ?? []);

/** Without its slots. */
const bare = (template: string): string => template.replace(/\{[^}]*\}|#/g, ' ');

const places = (): string[] => {
  const pairs = SETTINGS.flatMap((a) => SETTINGS.filter((b) => b !== a).map((b) => [a, b]));
  return [...SETTINGS.map((one) => [one]), ...pairs].flatMap((settings) => [
    ...insidePhrases(settings),
    ...outsidePhrases(settings),
    ...placePhrases(settings),
  ]);
};

/** What makes a sentence of training a ruling one: its frame, its predicate, the verbs that go with it. */
const rulings = (): string[] => [
  ...FRAMES.filter(({ held }) => held === null).map(({ template }) => bare(template)),
  ...Object.values(PREDICATES)
    .flat()
    .map((text) => bare(text)),
  ...Object.values(FILLERS).flat(),
  ...Object.values(AGREEMENT).flat(),
];

/** They rule, though a sentence of voice has them too. */
const RULING_ANYWAY: readonly string[] = ['most', 'not', 'show'];

/** What training calls a category: its plain name and its synonyms, counted ones too. */
function namesOf(category: Category): string[] {
  const { known, counted } = CATEGORY_WORDS[category];
  return [...new Set([...known.map(({ text }) => text), ...counted.flat()])];
}

const sorted = (words: readonly string[]): string[] => [...new Set(words)].toSorted();

/**
 * Every word that training's policies are written in; those of them that tell a ruling, since hardly a sentence of voice has them;
 * and what they call each category. A combination of words may be withheld from training, a word is not.
 */
export function trainingVocabulary(): VocabularyData {
  const voice = Object.values(VOICE_SENTENCES).flat();
  const spoken = new Set(wordsOf(voice));
  const ruling = wordsOf(rulings());
  return {
    words: sorted([
      ...ruling,
      ...wordsOf([
        ...CATEGORIES.flatMap(namesOf),
        ...[...OPENING_MODIFIERS, ...BARE_MODIFIERS].map(([pattern]) => bare(pattern)),
        ...OPENING_OTHERS.map(({ text }) => text),
        ...places(),
        ...NUMBERS.flat(),
        ...VOICE_SENTENCES.train,
        ...NEUTRAL_WORDS,
      ]),
    ]),
    ruling: sorted(ruling.filter((word) => RULING_ANYWAY.includes(word) || !spoken.has(word))),
    subjects: Object.fromEntries(CATEGORIES.map((category) => [category, namesOf(category)])),
  };
}

/** The file that stands beside the weights. */
export const vocabularyFile = (): string => `${JSON.stringify(trainingVocabulary(), null, 2)}\n`;
