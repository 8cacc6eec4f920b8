/**
 * Words strewn into the sentences of training policies. They rule nothing, but no sentence can be told from its first
 * words any more: a model that quotes what such sentences mostly say, instead of reading on, quotes them wrong.
 */
import type { Random } from '../util/random.js';

/** Neither a polarity, a condition, a count, a category nor a place. */
export const NEUTRAL_WORDS: readonly string[] = (
  'users people please remember clear rule team today really our we to be is may can will should everyone nobody it as for ' +
  'about this that these page site picture image show post share moderators editors readers visitors family friends words ' +
  'bread river window yellow quiet early long short new old open simple honest careful kindly gladly often soon again ' +
  'still also then now here there each every many most some such very quite rather just even maybe perhaps together by ' +
  'from of the a an any all treat say want keep think know see look read write answer question reason idea story day week'
).split(' ');

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const VOWELS = 'aeiou';
/** Words that nobody has seen: they can only be copied piece by piece. */
const MADE_UP_SHARE = 0.25;
/** Letters of a made-up word. */
const MADE_UP = { shortest: 3, longest: 6 } as const;
/** Of a noisy page's sentences. */
const SENTENCE_SHARE = 0.6;
const MOST_WORDS = 2;

function madeUp(random: Random): string {
  const length = random.int(MADE_UP.shortest, MADE_UP.longest);
  return Array.from({ length }, (_, i) => random.pick(Array.from(i % 2 === 1 ? VOWELS : LETTERS))).join('');
}

/** The sentence with one or two words more, or as it is. */
export function strewWords(random: Random, sentence: string): string {
  if (!random.chance(SENTENCE_SHARE)) return sentence;
  const words = sentence.split(' ');
  for (let left = random.int(1, MOST_WORDS); left > 0; left--) {
    const word = random.chance(MADE_UP_SHARE) ? madeUp(random) : random.pick(NEUTRAL_WORDS);
    const at = random.int(0, words.length - 1);
    if (at === 0) words[0] = words[0].charAt(0).toLowerCase() + words[0].slice(1);
    words.splice(at, 0, word);
  }
  const text = words.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
