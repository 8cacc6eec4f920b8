import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { answerText, parseAnswer, PLACE_NAMES, seenLine, UNKNOWN_PICTURE } from './answer.js';
import { judgeScene } from './label.js';
import { judgementSample, readingSample } from './samples.js';
import { SPLITS } from './splits.js';
import { factsNamed, factsWith } from './test-facts.test-util.js';
import { SETTINGS, type Statement } from './types.js';

const statements: readonly Statement[] = [
  { rule: { kind: 'voice' }, text: 'We care about every visitor.' },
  { rule: { kind: 'allow', categories: ['alcohol'] }, text: 'Alcohol may be shown.' },
  { rule: { kind: 'default', banned: true }, text: 'No other sensitive subjects.' },
  { rule: { kind: 'ban', categories: ['weapons'] }, text: 'No weapons of any kind.' },
  { rule: { kind: 'atMost', category: 'alcohol', count: 1 }, text: 'At most one alcoholic drink.' },
  {
    rule: { kind: 'neverTogether', categories: ['weapons', 'alcohol'] },
    text: 'Keep weapons and alcohol apart.',
  },
];

describe('answerText', () => {
  it('names, cites, quotes and decides', () => {
    expect(
      answerText(factsNamed('school', 'pistol', 'beer', 'apple'), { statements: statements.slice(0, 4) }),
    ).toBe(
      '<think>In a school: pistol, beer, apple.\npistol: weapons [4] "No weapons of any kind." banned\n' +
        'beer: alcohol [2] "Alcohol may be shown." allowed\napple: harmless</think><answer>no</answer>',
    );
  });

  it('lists counts and pairs after the things, in the order of their statements', () => {
    expect(answerText(factsNamed(null, 'beer', 'pistol'), { statements })).toContain(
      'banned\nalcohol: 1 [5] "At most one alcoholic drink." kept\nweapons + alcohol [6] "Keep weapons and alcohol apart." broken</think>',
    );
    expect(answerText(factsNamed('home', 'apple'), { statements })).toBe(
      '<think>At home: apple.\napple: harmless</think><answer>yes</answer>',
    );
  });

  it('says where the scene is', () => {
    const firsts = [null, ...SETTINGS].map(
      (setting) => seenLine(factsWith(setting, 'weapons')).split(':')[0],
    );
    expect(firsts).toContain('No place');
    expect(firsts).toContain('In an office');
    expect(new Set(firsts).size).toBe(SETTINGS.length + 1);
  });
});

describe('parseAnswer', () => {
  it.each(SPLITS)('reads every answer of %s back', (split) => {
    const random = new Random(`answers/${split}`);
    const streams = [judgementSample({ split, render: false }), readingSample({ split })];
    for (let i = 0; i < 300; i++) {
      const { answer, meta } = streams[i % 2].next(random);
      if (!meta.facts || !meta.policy) throw new Error('a judgement has facts and a policy');
      const judged = judgeScene(meta.facts, meta.policy);
      const read = parseAnswer(answer);
      const said = meta.policy.statements;
      expect(read.kind).toBe('judged');
      expect(read.verdict).toBe(judged.label);
      expect(read.violatedRule).toBe(judged.deciding);
      expect(read.setting).toBe(meta.facts.setting);
      expect(read.things).toEqual(
        judged.things.map(({ icon, number, banned }) => ({
          name: icon.name,
          category: icon.category,
          citation:
            number === null
              ? null
              : { number, quote: said[number - 1].text, status: banned ? 'banned' : 'allowed' },
        })),
      );
      expect(
        read.groups.map(({ count, citation }) => [count, citation.number, citation.quote, citation.status]),
      ).toEqual(
        judged.groups.map(({ count, number, broken }) => [
          count,
          number,
          said[number - 1].text,
          broken ? 'broken' : 'kept',
        ]),
      );
    }
  });

  it('reads quotation marks inside a quotation', () => {
    const read = parseAnswer(
      '<think>No place: pistol.\npistol: weapons [12] "No "toy" guns." banned</think><answer>no</answer>',
    );
    expect(read.things[0].citation).toEqual({ number: 12, quote: 'No "toy" guns.', status: 'banned' });
  });

  it('reads the answer to an unknown picture as invalid', () => {
    expect(parseAnswer(UNKNOWN_PICTURE)).toMatchObject({
      kind: 'unknown',
      verdict: 'invalid',
      things: [],
    });
  });

  const whole =
    '<think>In a school: pistol, apple.\npistol: weapons [1] "No weapons." banned\napple: harmless</think><answer>no</answer>';
  it.each([
    ['cut off', whole.slice(0, -3)],
    ['no verdict', whole.replace(/<answer>.*/, '')],
    ['another verdict', whole.replace('>no<', '>unsafe<')],
    ['text before it', `Well. ${whole}`],
    ['a thing that is never judged', whole.replace('\napple: harmless', '')],
    ['a thing that was not named', whole.replace('apple: harmless', 'pear: harmless')],
    ['no quotation', whole.replace(' "No weapons."', '')],
    ['no number', whole.replace(' [1]', '')],
    ['an unknown status', whole.replace('banned', 'fine')],
    ['an unreadable line', whole.replace('harmless</', 'harmless\nand so on</')],
    ['no first line', whole.replace('In a school: pistol, apple.\n', '')],
    ['nothing', ''],
  ])('takes %s as malformed', (_, text) => {
    expect(parseAnswer(whole).verdict).toBe('unsafe');
    expect(parseAnswer(text)).toMatchObject({ kind: 'malformed', verdict: 'invalid', violatedRule: null });
  });
});

it('has a name for every place', () => {
  expect(Object.keys(PLACE_NAMES).toSorted()).toEqual([...SETTINGS].toSorted());
});
