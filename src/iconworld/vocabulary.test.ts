import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDED_MODEL } from '../checkpoint/embedded.js';
import { Vocabulary } from '../guard/vocabulary.js';
import { Policy } from '../policy/policy.js';
import { Random } from '../util/random.js';
import { namedBy } from './label.js';
import { phraseRule, voiceSentence } from './phrasing.js';
import { sampleRules } from './rules.js';
import type { Split } from './splits.js';
import type { Category, Rule } from './types.js';
import { trainingVocabulary, vocabularyFile } from './vocabulary.js';

interface Sentence {
  readonly rule: Rule;
  readonly text: string;
}

function sentences(split: Split, count: number): Sentence[] {
  const random = new Random(`vocabulary/${split}`);
  const all: Sentence[] = [];
  while (all.length < count) {
    for (const rule of sampleRules(random, 8)) all.push({ rule, text: phraseRule(random, rule, split) });
    all.push({ rule: { kind: 'voice' }, text: voiceSentence(random, split) });
  }
  return all;
}

/** All categories that a rule speaks of. */
function spokenOf(rule: Rule): readonly Category[] {
  if (rule.kind === 'neverTogether') return rule.categories;
  return rule.kind === 'atMost' ? [rule.category] : namedBy(rule);
}

const isSame = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((one) => b.has(one));

describe('the vocabulary of training', () => {
  const vocabulary = new Vocabulary(trainingVocabulary());
  let trained: Sentence[];
  beforeAll(() => {
    trained = sentences('train', 20_000);
  });

  it('is what stands beside the weights', () => {
    expect(readFileSync(join(EMBEDDED_MODEL, 'vocabulary.json'), 'utf8')).toBe(vocabularyFile());
  });

  it('has every word of every sentence of training', () => {
    expect(vocabulary.unknownWords(trained.map(({ text }) => text))).toEqual([]);
  });

  it('has only words that training says', () => {
    const said = new Set(trained.flatMap(({ text }) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []));
    const { ruling, subjects } = trainingVocabulary();
    expect(ruling.filter((word) => !said.has(word))).toEqual([]);
    const names = Object.values(subjects).flat();
    expect(names.filter((name) => !name.split(' ').every((word) => said.has(word)))).toEqual([]);
  });

  it('knows what every sentence names, so that none is taken for one about everything else', () => {
    const known = vocabulary.statements(trained.map(({ text }) => text));
    const wrong = trained.filter(({ rule }, i) => {
      const spoken = new Set(spokenOf(rule));
      return rule.kind !== 'voice' && !isSame(known[i].subjects, spoken);
    });
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });

  it('takes every ruling sentence for one, and of voice what has a ruling word', () => {
    const known = vocabulary.statements(trained.map(({ text }) => text));
    const wrong = trained.filter(
      ({ rule, text }, i) =>
        known[i].rules !== (rule.kind !== 'voice' || /\b(?:most|not|show)\b/i.test(text)),
    );
    expect(wrong.map(({ text }) => text).slice(0, 5)).toEqual([]);
  });

  it("has every word of README's own policy", async () => {
    const { statements } = await Policy.load('policies/school-newsletter.md');
    expect(vocabulary.unknownWords(statements)).toEqual([]);
  });

  it('has the words of the test, and misses words in every sentence of new words', () => {
    const test = sentences('test', 5000).filter(({ rule }) => rule.kind !== 'voice');
    expect(vocabulary.unknownWords(test.map(({ text }) => text))).toEqual([]);
    const fresh = sentences('newWords', 2000).filter(({ rule }) => rule.kind !== 'voice');
    const read = vocabulary.statements(fresh.map(({ text }) => text));
    expect(fresh.filter((_, i) => read[i].unknown.length === 0)).toEqual([]);
  });
});
