import { citableStatements } from '../guard/profiles/iconworld-prompt.js';
import { describe, expect, it } from 'vitest';
import { Policy } from '../policy/policy.js';
import { InternalError } from '../util/errors.js';
import { Random } from '../util/random.js';
import { factsOf } from './captions.js';
import { judgeScene, namedBy } from './label.js';
import { estimateTokens, layOut, MAX_POLICY_TOKENS, numberedText, sampleLayout } from './page.js';
import { boundaryPair, samplePolicy } from './policy.js';
import { changeRule, presentCategories, rulesKey, sampleRules } from './rules.js';
import { sampleScene } from './scene.js';
import { SPLITS } from './splits.js';
import { factsWith } from './test-facts.test-util.js';
import type { IconPolicy, Rule } from './types.js';

const rulesOf = ({ statements }: IconPolicy): Rule[] => statements.map(({ rule }) => rule);

describe('samplePolicy', () => {
  it.each(SPLITS)('writes pages of %s that split into exactly their statements', (split) => {
    const random = new Random(`pages/${split}`);
    for (let i = 0; i < 200; i++) {
      const policy = samplePolicy(random, { split });
      const read = Policy.fromMarkdown(policy.text);
      expect(read.statements).toEqual(policy.statements.map(({ text }) => text));
      expect(citableStatements(read.statements)).toBe(numberedText(policy.statements));
      expect(estimateTokens(policy.statements)).toBeLessThanOrEqual(MAX_POLICY_TOKENS);
    }
  });

  it('keeps to its counts, with exactly one default and no category named twice', () => {
    const random = new Random('counts');
    for (let i = 0; i < 300; i++) {
      const rules = rulesOf(samplePolicy(random, { split: 'train', rules: [2, 8], voice: [1, 4] }));
      const count = (kind: Rule['kind']): number => rules.filter((rule) => rule.kind === kind).length;
      expect(count('default')).toBe(1);
      expect(count('voice')).toBeGreaterThanOrEqual(1);
      expect(count('voice')).toBeLessThanOrEqual(4);
      const own = rules.length - count('voice') - 1;
      expect(own).toBeGreaterThanOrEqual(2);
      expect(own).toBeLessThanOrEqual(8);
      const named = rules.flatMap(namedBy);
      expect(new Set(named).size).toBe(named.length);
    }
  });

  it('names three quarters of what a scene holds, and half of its things are banned', () => {
    const random = new Random('dense');
    let [things, named, banned] = [0, 0, 0];
    for (let i = 0; i < 1500; i++) {
      const facts = factsOf(sampleScene(random));
      const policy = samplePolicy(random, { split: 'train', rules: [4, 8], facts });
      for (const thing of judgeScene(facts, policy).things) {
        if (thing.number === null) continue;
        things++;
        named += Number(policy.statements[thing.number - 1].rule.kind !== 'default');
        banned += Number(thing.banned);
      }
    }
    expect(named / things).toBeGreaterThan(0.68);
    expect(named / things).toBeLessThan(0.82);
    expect(Math.abs(banned / things - 0.5)).toBeLessThan(0.06);
  });

  it('gives the label that is wanted, and refuses what cannot be', () => {
    const random = new Random('wanted');
    for (const want of ['safe', 'unsafe'] as const) {
      for (let i = 0; i < 50; i++) {
        const facts = factsWith('school', 'weapons', 'alcohol', 'harmless', 'weapons');
        expect(judgeScene(facts, samplePolicy(random, { split: 'test', facts, want })).label).toBe(want);
      }
    }
    expect(() =>
      samplePolicy(random, { split: 'train', facts: factsWith(null, 'harmless'), want: 'unsafe' }),
    ).toThrow(InternalError);
  });
});

describe('boundaryPair', () => {
  it('differs in one statement and in the label, the safe policy first', () => {
    const random = new Random('pairs');
    for (let i = 0; i < 200; i++) {
      const facts = factsOf(sampleScene(random, { categories: ['weapons'] }));
      const [safe, unsafe] = boundaryPair(random, facts, { split: 'train' });
      expect([safe, unsafe].map((policy) => judgeScene(facts, policy).label)).toEqual(['safe', 'unsafe']);
      expect(safe.statements.length).toBe(unsafe.statements.length);
      const different = safe.statements.filter(({ text }, at) => text !== unsafe.statements[at].text);
      expect(different).toHaveLength(1);
      expect(safe.text.length > 0 && safe.title === unsafe.title).toBe(true);
    }
  });

  it('refuses a scene without anything sensitive', () => {
    expect(() => boundaryPair(new Random(1), factsWith(null, 'harmless'), { split: 'train' })).toThrow(
      /nothing sensitive/,
    );
  });
});

describe('rules', () => {
  it('have a key that ignores order, words and voice', () => {
    const rules: Rule[] = [
      { kind: 'ban', categories: ['weapons', 'gore'] },
      { kind: 'onlyIn', categories: ['money'], settings: ['home', 'beach'] },
      { kind: 'default', banned: true },
    ];
    const same: Rule[] = [
      { kind: 'default', banned: true },
      { kind: 'voice' },
      { kind: 'onlyIn', categories: ['money'], settings: ['beach', 'home'] },
      { kind: 'ban', categories: ['gore', 'weapons'] },
    ];
    expect(rulesKey(same)).toBe(rulesKey(rules));
    expect(rulesKey(rules.with(2, { kind: 'default', banned: false }))).not.toBe(rulesKey(rules));
  });

  it('are changed in place: the same categories, or another pair, count or default', () => {
    const random = new Random('changes');
    for (const rule of sampleRules(random, 9)) {
      const changed = changeRule(random, rule, factsWith('school', 'weapons'));
      expect(namedBy(changed)).toEqual(namedBy(rule));
      expect(changed).not.toEqual(rule.kind === 'default' || rule.kind === 'atMost' ? rule : null);
    }
    expect(changeRule(random, { kind: 'default', banned: true }, factsWith(null))).toEqual({
      kind: 'default',
      banned: false,
    });
  });

  it('list what a scene holds once each', () => {
    expect(presentCategories(factsWith(null, 'gore', 'harmless', 'gore', 'money'))).toEqual([
      'gore',
      'money',
    ]);
  });
});

it('lays the same statements out as prose, bullets and sections', () => {
  const random = new Random('layouts');
  const policy = samplePolicy(random, { split: 'train', rules: [6, 6], voice: [3, 3] });
  const pages = Array.from(
    { length: 40 },
    () => layOut(sampleLayout(random, policy.statements.length), policy.statements).text,
  );
  for (const page of pages)
    expect(Policy.fromMarkdown(page).statements).toEqual(policy.statements.map(({ text }) => text));
  expect(pages.some((page) => page.includes('\n## '))).toBe(true);
  expect(pages.some((page) => !/^[-#]/m.test(page))).toBe(true);
  expect(pages.some((page) => page.startsWith('- '))).toBe(true);
});
