import { describe, expect, it } from 'vitest';
import { citableStatements } from '../guard/profiles/iconworld-prompt.js';
import { Policy } from '../policy/policy.js';
import { Random } from '../util/random.js';
import { factsOf } from './captions.js';
import { judgeScene, namedBy } from './label.js';
import { LEVEL_RULES, LEVELS } from './levels.js';
import { estimateTokens, MAX_POLICY_TOKENS, numberedText } from './page.js';
import { formsOf } from './phrasing.js';
import { VOICE_SENTENCES } from './phrasing-voice.js';
import { samplePolicy } from './policy.js';
import { rulesKey } from './rules.js';
import { sampleScene } from './scene.js';
import type { Statement } from './types.js';

describe.each(LEVELS.map((level) => [level.title, level] as const))('%s', (title, level) => {
  const ruling = level.statements.filter(({ rule }) => rule.kind !== 'voice');

  it('has 6–10 ruling statements, about as many of voice, one default, and no category named twice', () => {
    expect(ruling.length).toBeGreaterThanOrEqual(6);
    expect(ruling.length).toBeLessThanOrEqual(10);
    expect(Math.abs(level.statements.length - 2 * ruling.length)).toBeLessThanOrEqual(4);
    expect(ruling.filter(({ rule }) => rule.kind === 'default')).toHaveLength(1);
    const named = ruling.flatMap(({ rule }) => namedBy(rule));
    expect(new Set(named).size).toBe(named.length);
  });

  it('splits into its statements and fits the prompt', () => {
    const policy = Policy.fromMarkdown(level.text);
    expect(policy.statements).toEqual(level.statements.map(({ text }) => text));
    expect(policy.title).toBe(title);
    expect(citableStatements(policy.statements)).toBe(numberedText(level.statements));
    expect(estimateTokens(level.statements)).toBeLessThanOrEqual(MAX_POLICY_TOKENS);
  });

  it('says every rule in a phrasing of the test, its voice too', () => {
    const splitsOf = ({ rule, text }: Statement): string[] => {
      if (rule.kind === 'voice') return VOICE_SENTENCES.test.includes(text) ? ['test'] : [];
      return [...formsOf(rule, text)].filter((form) => form.text === text).map(({ split }) => split);
    };
    const said = level.statements.map((statement) => [statement.text, ...new Set(splitsOf(statement))]);
    expect(said).toEqual(level.statements.map(({ text }) => [text, 'test']));
  });
});

describe('the levels', () => {
  it('label random scenes from mostly safe to mostly unsafe, and often differently', () => {
    const random = new Random('levels');
    const labels = Array.from({ length: 1000 }, () => {
      const facts = factsOf(sampleScene(random));
      return LEVELS.map((level) => judgeScene(facts, level).label === 'unsafe');
    });
    const shares = LEVELS.map((_, k) => labels.filter((row) => row[k]).length / labels.length);
    expect(Math.min(...shares)).toBeGreaterThan(0.15);
    expect(Math.max(...shares)).toBeLessThan(0.8);
    for (let a = 0; a < LEVELS.length; a++) {
      for (let b = 0; b < a; b++) {
        expect(labels.filter((row) => row[a] !== row[b]).length / labels.length).toBeGreaterThan(0.2);
      }
    }
  });

  it('are never sampled, neither as pages nor as lists of rules', () => {
    expect(LEVEL_RULES.size).toBe(LEVELS.length);
    const random = new Random('never');
    for (let i = 0; i < 500; i++) {
      const { statements } = samplePolicy(random, { split: 'train', rules: [5, 9] });
      expect(LEVEL_RULES.has(rulesKey(statements.map(({ rule }) => rule)))).toBe(false);
    }
  });
});
