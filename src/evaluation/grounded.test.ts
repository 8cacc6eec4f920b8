import { describe, expect, it } from 'vitest';
import type { EngineToken } from '../engines/engine.js';
import { iconworld } from '../guard/profiles/iconworld.js';
import { Policy } from '../policy/policy.js';
import {
  countReadings,
  type GroundedReading,
  groundedTable,
  readBothWays,
  type Reading,
} from './grounded.js';

const policy = Policy.fromMarkdown('No weapons. The rest is fine.');

/** One token a character; the verdict word is `sure` of itself. */
function completion(text: string, sure: number): { text: string; tokens: EngineToken[] } {
  const at = text.lastIndexOf('<answer>') + '<answer>'.length;
  const word = text.slice(at, text.indexOf('<', at));
  const other = word === 'no' ? 'yes' : 'no';
  const token = (piece: string, top: EngineToken['top']): EngineToken => ({
    text: piece,
    bytes: new TextEncoder().encode(piece),
    logprob: 0,
    top,
  });
  return {
    text,
    tokens: [
      token(text.slice(0, at), []),
      token(word, [
        { text: word, logprob: Math.log(sure) },
        { text: other, logprob: Math.log(1 - sure) },
      ]),
      token(text.slice(at + word.length), []),
    ],
  };
}

describe('an answer read both ways', () => {
  const answer = (quote: string): string =>
    `<think>No place: axe.\naxe: weapons [1] "${quote}" allowed</think><answer>yes</answer>`;

  it('is a verdict by its word, and none by its grounds', () => {
    const { unchecked, checked } = readBothWays(
      completion(answer('Axes.'), 0.9),
      'unsafe',
      policy,
      iconworld,
    );
    expect(unchecked).toEqual({ label: 'safe', probability: expect.closeTo(0.1, 9) as number });
    expect(checked).toEqual({ label: 'invalid', probability: null });
  });

  it('is one verdict where its grounds stand', () => {
    const { unchecked, checked } = readBothWays(
      completion(answer('No weapons.'), 0.9),
      'unsafe',
      policy,
      iconworld,
    );
    expect(checked).toEqual(unchecked);
  });

  it('is invalid both ways where it cannot be read', () => {
    const { unchecked, checked } = readBothWays(
      completion('<answer>hm</answer>', 0.9),
      'safe',
      policy,
      iconworld,
    );
    expect([unchecked, checked]).toEqual(Array(2).fill({ label: 'invalid', probability: null }));
  });
});

describe('the counts', () => {
  const of = (
    truth: 'safe' | 'unsafe',
    label: Reading['label'],
    probability: number | null,
  ): GroundedReading => ({
    truth,
    unchecked: { label, probability },
    checked: { label: 'invalid', probability: null },
  });
  const readings = [
    of('unsafe', 'unsafe', 0.99),
    of('unsafe', 'safe', 0.01),
    of('unsafe', 'safe', 0.05),
    of('safe', 'unsafe', 0.96),
    of('safe', 'unsafe', 0.95),
    of('safe', 'invalid', null),
    of('safe', 'safe', 0),
  ];

  it('are of all, of the unsafe, and beyond 0.95', () => {
    expect(countReadings(readings, 'unchecked')).toEqual({
      all: 7,
      unsafe: 3,
      right: 2,
      invalid: 1,
      confidentlyWrong: 2,
      falselySafe: 2,
      falselyUnsafe: 2,
    });
    expect(countReadings(readings, 'checked')).toMatchObject({ right: 0, invalid: 7, falselySafe: 0 });
  });

  it('make a table with both', () => {
    expect(groundedTable([{ name: 'page', readings }]).split('\n')).toEqual([
      '| policy | check | right | invalid | confidently wrong | falsely safe | falsely unsafe |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      '| page | without | 28.6 % (2/7) | 14.3 % (1/7) | 28.6 % (2/7) | 66.7 % (2/3) | 50.0 % (2/4) |',
      '| page | with | 0.0 % (0/7) | 100.0 % (7/7) | 0.0 % (0/7) | 0.0 % (0/3) | 0.0 % (0/4) |',
    ]);
  });
});
