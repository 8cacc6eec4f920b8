import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { strewWords } from './noise.js';
import { samplePolicy } from './policy.js';

/** Whether `words` stand in `text` in this order. */
function inOrder(words: readonly string[], text: readonly string[]): boolean {
  let next = 0;
  for (const word of text) if (word === words[next]) next++;
  return next === words.length;
}

const lower = (text: string): string[] => text.toLowerCase().split(' ');

describe('strewWords', () => {
  const sentence = 'Pictures of weapons may not be shown outside a museum.';

  it('keeps every word in its order, the capital and the full stop', () => {
    const random = new Random('strew');
    const all = Array.from({ length: 300 }, () => strewWords(random, sentence));
    for (const text of all) {
      expect(inOrder(lower(sentence), lower(text))).toBe(true);
      expect(text).toMatch(/^[A-Z][^.]*\.$/);
      expect(text.split(' ').length - sentence.split(' ').length).toBeLessThanOrEqual(2);
    }
    expect(new Set(all).size).toBeGreaterThan(150);
    expect(all).toContain(sentence);
  });

  it('is the same for the same seed', () => {
    const say = (seed: string): string[] => {
      const random = new Random(seed);
      return Array.from({ length: 20 }, () => strewWords(random, sentence));
    };
    expect(say('a')).toEqual(say('a'));
    expect(say('a')).not.toEqual(say('b'));
  });

  it('changes what policies say and nothing of what they rule', () => {
    const rules = (noise?: number) =>
      Array.from({ length: 50 }, (_, i) =>
        samplePolicy(new Random(`policy/${i}`), { split: 'train', rules: [4, 4], noise }),
      );
    const clear = rules();
    expect(rules(0)).toEqual(clear);
    const noisy = rules(1);
    const texts = noisy.flatMap(({ statements }) => statements.map(({ text }) => text));
    const clearTexts = new Set(clear.flatMap(({ statements }) => statements.map(({ text }) => text)));
    expect(texts.filter((text) => clearTexts.has(text)).length).toBeLessThan(texts.length);
    for (const { statements } of noisy) {
      expect(statements.filter(({ rule }) => rule.kind === 'default')).toHaveLength(1);
    }
  });
});
