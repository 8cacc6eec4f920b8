import { describe, expect, it } from 'vitest';
import { judgeScene, namedBy } from './label.js';
import { factsWith, policyOf } from './test-facts.test-util.js';
import type { Rule, SceneFacts } from './types.js';

const DEFAULT_ALLOWED: Rule = { kind: 'default', banned: false };
const DEFAULT_BANNED: Rule = { kind: 'default', banned: true };
const ban: Rule = { kind: 'ban', categories: ['weapons', 'gore'] };
const allow: Rule = { kind: 'allow', categories: ['weapons'] };
const onlyMuseum: Rule = { kind: 'onlyIn', categories: ['weapons'], settings: ['museum', 'beach'] };
const neverSchool: Rule = { kind: 'neverIn', categories: ['weapons'], settings: ['school', 'home'] };
const apart: Rule = { kind: 'neverTogether', categories: ['weapons', 'alcohol'] };
const atMostOne: Rule = { kind: 'atMost', category: 'alcohol', count: 1 };
const voice: Rule = { kind: 'voice' };

const CASES: readonly (readonly [
  what: string,
  facts: SceneFacts,
  rules: readonly Rule[],
  deciding: number | null,
])[] = [
  ['ban', factsWith('school', 'weapons'), [DEFAULT_ALLOWED, ban], 2],
  ['ban of the second category', factsWith(null, 'gore'), [ban, DEFAULT_ALLOWED], 1],
  ['ban of something else', factsWith(null, 'money'), [ban, DEFAULT_ALLOWED], null],
  ['allow against the default', factsWith(null, 'weapons'), [DEFAULT_BANNED, allow], null],
  ['default banned', factsWith(null, 'money'), [allow, DEFAULT_BANNED], 2],
  ['default and a harmless thing', factsWith(null, 'harmless'), [DEFAULT_BANNED], null],
  ['only in, there', factsWith('beach', 'weapons'), [onlyMuseum, DEFAULT_BANNED], null],
  ['only in, elsewhere', factsWith('school', 'weapons'), [onlyMuseum, DEFAULT_ALLOWED], 1],
  ['only in, no place', factsWith(null, 'weapons'), [onlyMuseum, DEFAULT_ALLOWED], 1],
  ['never in, there', factsWith('home', 'weapons'), [voice, neverSchool, DEFAULT_ALLOWED], 2],
  ['never in, elsewhere', factsWith('museum', 'weapons'), [neverSchool, DEFAULT_BANNED], null],
  ['never in, no place', factsWith(null, 'weapons'), [neverSchool, DEFAULT_BANNED], null],
  ['together', factsWith(null, 'weapons', 'alcohol'), [apart, DEFAULT_ALLOWED], 1],
  ['together, one alone', factsWith(null, 'weapons', 'weapons'), [apart, DEFAULT_ALLOWED], null],
  ['at most, kept', factsWith(null, 'alcohol'), [atMostOne, DEFAULT_ALLOWED], null],
  [
    'at most, broken',
    factsWith(null, 'alcohol', 'harmless', 'alcohol'),
    [voice, atMostOne, DEFAULT_ALLOWED],
    2,
  ],
  ['at most does not name its category', factsWith(null, 'alcohol'), [atMostOne, DEFAULT_BANNED], 2],
  ['the lowest-numbered of several', factsWith(null, 'weapons', 'alcohol'), [DEFAULT_BANNED, apart, ban], 1],
];

describe('judgeScene', () => {
  it.each(CASES)('%s', (_, facts, rules, deciding) => {
    const judged = judgeScene(facts, policyOf(...rules));
    expect(judged.deciding).toBe(deciding);
    expect(judged.label).toBe(deciding === null ? 'safe' : 'unsafe');
  });

  it('cites for each thing the statement that names it, else the default, and none for harmless ones', () => {
    const judged = judgeScene(
      factsWith('school', 'weapons', 'money', 'harmless'),
      policyOf(voice, DEFAULT_BANNED, neverSchool),
    );
    expect(judged.things.map(({ number, banned }) => [number, banned])).toEqual([
      [3, true],
      [2, true],
      [null, false],
    ]);
  });

  it('lists pairs and counts whose categories are there, in order, kept or broken', () => {
    const judged = judgeScene(
      factsWith(null, 'weapons', 'alcohol'),
      policyOf(atMostOne, apart, DEFAULT_ALLOWED),
    );
    expect(judged.groups.map(({ number, count, broken }) => [number, count, broken])).toEqual([
      [1, 1, false],
      [2, null, true],
    ]);
    expect(
      judgeScene(factsWith(null, 'weapons'), policyOf(atMostOne, apart, DEFAULT_ALLOWED)).groups,
    ).toEqual([]);
  });
});

it('says which rules decide a category alone', () => {
  expect(
    [ban, onlyMuseum, apart, atMostOne, DEFAULT_BANNED, voice].map((rule) => namedBy(rule).length),
  ).toEqual([2, 1, 0, 0, 0, 0]);
});
