/** Who may see what: disjoint ranges of seeds for scenes, policies and pairs, and the hash that divides phrasings. */
import { assert } from '../util/errors.js';
import { Random } from '../util/random.js';

/** `newWords` is a second test in words that training never uses. */
export const SPLITS = ['train', 'validation', 'test', 'newWords'] as const;
export type Split = (typeof SPLITS)[number];

/** What is drawn from a seed of its own. */
export type Drawn = 'scene' | 'policy' | 'pair';

/** Seeds of a split: `SPLIT_START[split]` … `+ SPLIT_SIZE − 1`. */
export const SPLIT_SIZE = 2 ** 40;
export const SPLIT_START: Readonly<Record<Split, number>> = {
  train: 0,
  validation: SPLIT_SIZE,
  test: 2 * SPLIT_SIZE,
  newWords: 3 * SPLIT_SIZE,
};

/** The seed of the `index`-th scene, policy or pair of a split; no two splits share one. */
export function splitSeed(drawn: Drawn, split: Split, index: number): string {
  assert(Number.isSafeInteger(index) && index >= 0 && index < SPLIT_SIZE, `no ${index}-th seed in a split`);
  return `iconworld-v1/${drawn}/${SPLIT_START[split] + index}`;
}

/** A generator seeded from anywhere in a split's range, as `random` decides. */
export function splitRandom(random: Random, drawn: Drawn, split: Split): Random {
  return new Random(splitSeed(drawn, split, random.int(0, SPLIT_SIZE - 1)));
}

/** A fixed number in [0, 1) for a text: FNV-1a, then murmur3's finalizer so that near texts fall far apart. */
export function hashShare(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
