import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { Policy } from './policy.js';

/** The smaller size, in characters, and how many times larger the other one is. */
const SIZE = 3000;
const TIMES = 10;
/** A reader that is linear takes 10 times as long, one that is quadratic 100 times; a busy machine stays below this. */
const MAX_RATIO = 45;
/** Processor time below this, in ms, says nothing of the growth. */
const FLOOR_MS = 2;

/** The least processor time of two readings, in ms: other processes can only add to it. */
function cost(page: string): number {
  const readings = [0, 1].map(() => {
    const before = process.cpuUsage();
    for (const read of ['fromMarkdown', 'fromText'] as const) {
      try {
        Policy[read](page);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }
    return process.cpuUsage(before).user / 1000;
  });
  return Math.min(...readings);
}

const growth = (pageOf: (size: number) => string): number =>
  cost(pageOf(SIZE * TIMES)) / Math.max(FLOOR_MS, cost(pageOf(SIZE)));

const filled = (unit: string, size: number): string =>
  unit.repeat(Math.max(1, Math.floor(size / Buffer.byteLength(unit))));

/** Something before, something again and again, something behind. */
const SHAPES: readonly (readonly [before: string, again: string, behind: string])[] = [
  ['x', ' ', 'x.'],
  ['# a', ' ', 'b'],
  ['|---|', ' ', 'x'],
  ['---', ' ', 'x'],
  ['- - ', '- ', 'x'],
  ['x', '\n', 'x'],
  ['', ' \n', 'x'],
  ['', '\t', 'x'],
  ['', 'a.', '. e.g. e.g.'],
  ...[
    'e.g. ',
    'z. B. ',
    'A. ',
    'a. ',
    'x. J. R. R. ',
    'Nr. ',
    '1. ',
    '1.',
    '1.1. ',
    'i. ii. ',
    '(i) ',
    '① ',
    '1、禁',
    '禁。',
    '「禁。',
    '「禁。」',
    '● a ',
    '●\n',
    '·',
    'Rule 1: ',
    '. ',
    '.',
    '?!…',
    'a.”',
    '(',
    ')',
    '(a. b) ',
    '"',
    '" ',
    '“',
    '„a. ',
    '[',
    ']',
    '[x](',
    '[x](a',
    '![',
    '**a ',
    '**',
    '*a ',
    '*',
    '_a ',
    '`',
    '`a',
    '\\',
    '<!--',
    '<!-- -->',
    '<',
    '<br',
    '<br>',
    '<li>a',
    '<b ',
    '[//]: # (a\n',
    '[a]: #\n',
    '[//]: #\n[',
    '>',
    '> ',
    '#',
    '# a\n',
    'a\n==\n',
    '|',
    '| ',
    '|a|\n',
    '-',
    '- ',
    '= ',
    '* ',
    'a\n',
    'a  \n',
    'a\\\n',
    '\u0301',
    'a\u0301\u0323',
    '\uD83D\uDEAB',
  ].map((again) => ['', again, ''] as const),
  ...['[', '{', '- ', '? ', 'a: ', '&a ', '"\\', '*a ', 'a: |\n \n', '#'].map(
    (again) => ['---\n', again, '\n---\nNo.'] as const,
  ),
];

describe('a policy is read in time that grows with its size alone', () => {
  it.each(SHAPES)('%j %j %j', (before, again, behind) => {
    expect(growth((size) => before + filled(again, size) + behind)).toBeLessThan(MAX_RATIO);
  });

  it('of any shape', { timeout: 120_000 }, () => {
    const piece = fc.oneof(
      fc.constantFrom(...Array.from(' .\n\t-*_#|<>[]()"\'`\\:;!aA1ivxé禁。「」（）“”„①●')),
      fc.constantFrom(
        'e.g.',
        'z. B.',
        '<br>',
        '<!--',
        '-->',
        '](',
        '**',
        '__',
        '  \n',
        '---',
        '1.1',
        '[//]: # (',
      ),
    );
    const pieces = (maxLength: number) => fc.array(piece, { maxLength }).map((all) => all.join(''));
    fc.assert(
      fc.property(pieces(4), pieces(6), pieces(4), (before, again, behind) => {
        expect(growth((size) => before + filled(again || ' ', size) + behind)).toBeLessThan(MAX_RATIO);
      }),
      { numRuns: 20 },
    );
  });
});
