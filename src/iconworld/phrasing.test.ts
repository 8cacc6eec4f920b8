import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { type Form, formsOf, MAX_WORDS, phraseRule, type RulingRule, voiceSentence } from './phrasing.js';
import { FRESH_PREDICATES } from './phrasing-predicates.js';
import { VOICE_SENTENCES } from './phrasing-voice.js';
import { CATEGORY_WORDS, FRESH_OTHERS } from './phrasing-words.js';
import { sampleRules } from './rules.js';
import { CATEGORIES } from './types.js';

/** One of each kind, with all that a kind can have. */
const RULES: readonly RulingRule[] = [
  { kind: 'ban', categories: ['weapons'] },
  { kind: 'allow', categories: ['religion'] },
  { kind: 'onlyIn', categories: ['politics'], settings: ['museum'] },
  { kind: 'neverIn', categories: ['insects'], settings: ['beach', 'school'] },
  { kind: 'neverTogether', categories: ['money', 'alcohol'] },
  { kind: 'atMost', category: 'gambling', count: 1 },
  { kind: 'default', banned: true },
  { kind: 'default', banned: false },
];
const nameOf = (rule: RulingRule): string => JSON.stringify(rule);

const words = (text: string): string[] => text.match(/[A-Za-z]+/g) ?? [];

/** Sentences of free policies. */
function sentences(split: Parameters<typeof phraseRule>[2], count: number): string[] {
  const random = new Random(`phrasing/${split}`);
  const all: string[] = [];
  while (all.length < count) {
    for (const rule of sampleRules(random, 8)) all.push(phraseRule(random, rule, split));
  }
  return all;
}

/** Capitals count: a model that reads letters has not met "Users" where it met "users". */
const trainWords = new Set([...sentences('train', 150_000), ...VOICE_SENTENCES.train].flatMap(words));

describe.each(RULES.map((rule) => [nameOf(rule), rule] as const))('the grammar of %s', (_, rule) => {
  const forms = [...formsOf(rule)];
  const texts = (split: Form['split']): Set<string> =>
    new Set(forms.filter((form) => form.split === split).map(({ text }) => text));
  const [train, validation, test] = [texts('train'), texts('validation'), texts('test')];

  it('says it in hundreds of ways', () => {
    expect(train.size).toBeGreaterThanOrEqual(200);
    expect(validation.size).toBeGreaterThanOrEqual(100);
    expect(test.size).toBeGreaterThanOrEqual(100);
  });

  it('never lets training see a sentence of validation or test', () => {
    expect([...test, ...validation].filter((text) => train.has(text))).toEqual([]);
    expect([...validation].filter((text) => test.has(text))).toEqual([]);
  });

  it('uses in training every predicate that the test uses', () => {
    const known = new Set(
      forms.filter(({ split }) => split === 'train').flatMap(({ predicates }) => predicates),
    );
    expect(
      forms
        .filter(({ split }) => split !== 'train')
        .flatMap(({ predicates }) => predicates)
        .filter((one) => !known.has(one)),
    ).toEqual([]);
  });

  it('samples what its split allows, frames of its own among them', () => {
    const random = new Random(nameOf(rule));
    const held = new Set(forms.filter(({ split }) => split === 'test').map(({ text }) => text));
    for (let i = 0; i < 100; i++) {
      expect(train.has(phraseRule(random, rule, 'train'))).toBe(true);
      expect(validation.has(phraseRule(random, rule, 'validation'))).toBe(true);
      expect(held.has(phraseRule(random, rule, 'test'))).toBe(true);
    }
    const knownFrames = new Set(forms.filter(({ split }) => split === 'train').map(({ frame }) => frame));
    const testFrames = new Set(forms.filter(({ split }) => split === 'test').map(({ frame }) => frame));
    expect([...testFrames].some((frame) => knownFrames.has(frame))).toBe(true);
    expect([...testFrames].some((frame) => !knownFrames.has(frame))).toBe(true);
  });
});

describe('every sentence', () => {
  it.each(['train', 'validation', 'test', 'newWords'] as const)(
    'of %s is one short line that splits nowhere',
    (split) => {
      const random = new Random(split);
      const all = [
        ...sentences(split, 5000),
        ...Array.from({ length: 300 }, () => voiceSentence(random, split)),
      ];
      expect(all.filter((text) => !/^[A-Z0-9][A-Za-z0-9 ,:]*\.$/.test(text))).toEqual([]);
      const lengths = all.map((text) => text.split(' ').length);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_WORDS);
      expect(lengths.reduce((sum, length) => sum + length, 0) / lengths.length).toBeLessThan(9.5);
    },
  );

  it.each(['validation', 'test'] as const)('of %s is made of words that training knows', (split) => {
    const unknown = [...sentences(split, 20_000), ...VOICE_SENTENCES[split]]
      .flatMap(words)
      .filter((word) => !trainWords.has(word));
    expect([...new Set(unknown)]).toEqual([]);
  });

  it('of newWords has subjects and predicates that each hold a word training never saw', () => {
    const fresh = [
      ...Object.values(FRESH_PREDICATES).flat(),
      ...FRESH_OTHERS.map(({ text }) => text),
      ...CATEGORIES.flatMap((category) => [
        ...CATEGORY_WORDS[category].fresh.map(({ text }) => text),
        ...CATEGORY_WORDS[category].freshCounted.flat(),
      ]),
    ];
    expect(
      fresh.filter((text) => words(text.replaceAll(/\{\w+\}/g, '')).every((word) => trainWords.has(word))),
    ).toEqual([]);
  });
});

describe('voice', () => {
  it('is divided between the splits', () => {
    const { train, validation, test } = VOICE_SENTENCES;
    expect(new Set([...train, ...validation, ...test]).size).toBe(
      train.length + validation.length + test.length,
    );
    expect(train.length).toBeGreaterThan(300);
    expect(Math.min(validation.length, test.length)).toBeGreaterThan(30);
  });

  it('names no category', () => {
    const names = CATEGORIES.flatMap((category) => CATEGORY_WORDS[category].known.map(({ text }) => text));
    const all = Object.values(VOICE_SENTENCES).flat();
    expect(all.filter((text) => names.some((name) => new RegExp(`\\b${name}\\b`, 'i').test(text)))).toEqual(
      [],
    );
  });
});

it('is the same for the same seed', () => {
  const twice = [1, 2].map(() => RULES.map((rule) => phraseRule(new Random('same'), rule, 'test')));
  expect(twice[0]).toEqual(twice[1]);
});
