import { describe, expect, it } from 'vitest';
import { answerText, UNKNOWN_PICTURE } from '../iconworld/answer.js';
import { HARMLESS_ICONS, ICONS_BY_CATEGORY } from '../iconworld/icons.js';
import type { Rule, SceneFacts, Statement } from '../iconworld/types.js';
import { scoreAnswer, scoreSeen } from './score.js';

const [weapon, otherWeapon] = ICONS_BY_CATEGORY.weapons;
const [drink] = ICONS_BY_CATEGORY.alcohol;
const [harmless] = HARMLESS_ICONS;

const say = (text: string, rule: Rule): Statement => ({ text, rule });
const policy = {
  statements: [
    say('Alcohol may be shown.', { kind: 'allow', categories: ['alcohol'] }),
    say('Be kind.', { kind: 'voice' }),
    say('No weapons of any kind.', { kind: 'ban', categories: ['weapons'] }),
    say('Never weapons with alcohol.', { kind: 'neverTogether', categories: ['weapons', 'alcohol'] }),
    say('At most two weapons.', { kind: 'atMost', category: 'weapons', count: 2 }),
    say('Any other sensitive subject is fine.', { kind: 'default', banned: false }),
  ],
};
const facts: SceneFacts = { setting: 'school', things: [weapon, drink, weapon, harmless] };
const gold = answerText(facts, policy);

const score = (answer: string) => scoreAnswer(answer, facts, policy);

describe('scoreAnswer', () => {
  it('finds everything right in the gold answer', () => {
    expect(score(gold)).toEqual({
      label: 'unsafe',
      verdict: 'unsafe',
      saidUnsafe: true,
      named: { right: 4, of: 4 },
      setting: true,
      status: { right: 4, of: 4 },
      quoted: { right: 3, of: 3 },
      together: { right: 1, of: 1 },
      atMost: { right: 1, of: 1 },
      spurious: 0,
      refused: false,
    });
  });

  it('counts a wrong number, and a wrong word of a quotation, against quoted alone', () => {
    const wrongNumber = gold.replace(`${drink.name}: alcohol [1]`, `${drink.name}: alcohol [2]`);
    expect(score(wrongNumber)).toEqual({ ...score(gold), quoted: { right: 2, of: 3 }, refused: true });
    const wrongWord = gold.replaceAll('No weapons of any kind.', 'No weapons of that kind.');
    expect(score(wrongWord)).toEqual({ ...score(gold), quoted: { right: 1, of: 3 }, refused: true });
  });

  it('counts a wrong status without the quotation', () => {
    const wrong = gold.replace('shown." allowed', 'shown." banned');
    expect(score(wrong)).toEqual({ ...score(gold), status: { right: 3, of: 4 } });
  });

  it('takes names as a multiset: a thing misnamed is one wrong, wherever it stands', () => {
    const misnamed = gold
      .replace(weapon.name, otherWeapon.name)
      .replace(`\n${weapon.name}:`, `\n${otherWeapon.name}:`);
    expect(score(misnamed)).toMatchObject({ named: { right: 3, of: 4 }, quoted: { right: 2, of: 3 } });
    const swapped = answerText({ ...facts, things: [harmless, weapon, drink, weapon] }, policy);
    expect(score(swapped)).toEqual(score(gold));
  });

  it('sees a wrong place', () => {
    expect(score(gold.replace('In a school:', 'In a church:'))).toEqual({ ...score(gold), setting: false });
    expect(score(gold.replace('In a school:', 'No place:'))).toMatchObject({
      setting: false,
      verdict: 'unsafe',
    });
  });

  it('wants group lines right in number, words, count and status, and no others', () => {
    const wrongCount = gold.replace('weapons: 2 [5]', 'weapons: 1 [5]');
    expect(score(wrongCount)).toEqual({ ...score(gold), atMost: { right: 0, of: 1 }, refused: true });
    const none = answerText({ setting: null, things: [harmless] }, policy);
    const extra = none.replace('</think>', '\nweapons: 1 [5] "At most two weapons." kept</think>');
    const alone = scoreAnswer(extra, { setting: null, things: [harmless] }, policy);
    expect(alone).toMatchObject({ atMost: { right: 0, of: 0 }, spurious: 1, verdict: 'safe', label: 'safe' });
  });

  it.each([['garbage'], [''], [UNKNOWN_PICTURE], [gold.replace('</answer>', '')]])(
    'counts a broken answer (%#) as the opposite of the label',
    (answer) => {
      expect(score(answer)).toMatchObject({
        verdict: 'invalid',
        saidUnsafe: false,
        quoted: { right: 0, of: 3 },
      });
      const safe = { setting: null, things: [harmless] };
      expect(scoreAnswer(answer, safe, policy)).toMatchObject({ verdict: 'invalid', saidUnsafe: true });
    },
  );

  it('reads the first line of an answer that breaks off', () => {
    expect(score(gold.slice(0, gold.indexOf('\n')))).toMatchObject({
      named: { right: 4, of: 4 },
      setting: true,
    });
  });
});

describe('scoreSeen', () => {
  it('reads captions', () => {
    const { named, setting } = scoreSeen(`In a school: ${weapon.name}, ${harmless.name}.`, facts);
    expect(named).toEqual({ right: 2, of: 4 });
    expect(setting).toBe(true);
    expect(scoreSeen('A school.', facts)).toEqual({ named: { right: 0, of: 4 }, setting: false });
  });
});
