import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { balancedScenes, parsePages, ruledPage, SHIPPED_RULES, testScene } from './ruled-pages.js';

describe('the rules of the shipped policies', () => {
  it('are those of the files in policies/', () => {
    const names = readdirSync('policies').map((name) => name.replace(/\.md$/, ''));
    expect(Object.keys(SHIPPED_RULES).toSorted()).toEqual(names.toSorted());
  });

  it.each(Object.entries(SHIPPED_RULES))(
    'are one for each statement of %s, and one default',
    async (name, rules) => {
      const page = ruledPage(name, await Policy.load(`policies/${name}.md`), rules);
      expect(page.rules.filter(({ kind }) => kind === 'default')).toHaveLength(1);
      // The category's plain word stands in the statement: no rule is one line too high.
      page.rules.forEach((rule, i) => {
        const spoken = 'categories' in rule ? rule.categories : rule.kind === 'atMost' ? [rule.category] : [];
        const text = page.policy.statements[i].toLowerCase();
        expect(spoken.filter((category) => !text.includes(category.slice(0, 5)))).toEqual([]);
      });
    },
  );
});

describe('pages with rules', () => {
  const line = (rules: readonly unknown[]): string =>
    JSON.stringify({
      id: 'p',
      text: 'No weapons. The rest is fine.',
      statements: rules.map((rule) => ({ rule })),
    });
  const ban = { kind: 'ban', categories: ['weapons'] };
  const rest = { kind: 'default', banned: false };

  it('are read from JSON lines', () => {
    const [page, ...more] = parsePages(`${line([ban, rest])}\n\n`, 'pages');
    expect(more).toEqual([]);
    expect(page).toMatchObject({ id: 'p', rules: [ban, rest] });
    expect(page.policy.statements).toEqual(['No weapons.', 'The rest is fine.']);
  });

  it.each([
    ['{', /pages, line 1 is no page/],
    [line([{ kind: 'ban', categories: ['cats'] }, rest]), /statements\.0\.rule/],
    [line([ban]), /p has 2 statements and 1 rules/],
  ])('are refused where they are none: %s', (text, reason) => {
    expect(() => parsePages(text, 'pages')).toThrow(UserError);
    expect(() => parsePages(text, 'pages')).toThrow(reason);
  });

  it('get as many safe as unsafe scenes with a sensitive thing, always the same', () => {
    const [page] = parsePages(line([ban, rest]), 'pages');
    const scenes = balancedScenes(page, 8, 'x');
    expect(scenes.filter(({ label }) => label === 'safe')).toHaveLength(4);
    const weapons = scenes.map(({ scene }) => scene.things.some(({ icon }) => icon.category === 'weapons'));
    expect(weapons).toEqual(scenes.map(({ label }) => label === 'unsafe'));
    expect(scenes.every(({ scene }) => scene.things.some(({ icon }) => icon.category !== null))).toBe(true);
    expect(balancedScenes(page, 8, 'x')).toEqual(scenes);
    expect(testScene('a')).toEqual(testScene('a'));
  });
});
