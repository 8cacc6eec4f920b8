import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paperAccuracy, paperFormat } from './paper.js';
import type { JudgedSample } from './reward.js';

const SAMPLE = { label: 'safe' } as JudgedSample;
/** The original's pattern (ms-swift, swift/plugin/orm.py), in which Python's white space is the plain one here. */
const ORIGINAL = /^<think>[\s\S]*?<\/think>\s*<answer>[\s\S]*?<\/answer>$/;
const ORIGINAL_THOUGHT = /<think>([\s\S]*?)<\/think>/i;

const pieces = fc
  .array(
    fc.constantFrom(
      '<think>',
      '</think>',
      '<answer>',
      '</answer>',
      '<THINK>',
      '</Think>',
      ' ',
      '\n',
      'x'.repeat(50),
    ),
  )
  .map((parts) => parts.join(''));

describe("the paper's rewards", () => {
  it('of the format are what the original pattern says', () => {
    fc.assert(
      fc.property(pieces, (text) => {
        for (const completion of [text, `<think>${text}</answer>`]) {
          expect(paperFormat({ completion })).toBe(ORIGINAL.test(completion) ? 1 : 0);
        }
      }),
    );
  });

  it('of the thought are what the original pattern says', () => {
    fc.assert(
      fc.property(pieces, (completion) => {
        const thought = ORIGINAL_THOUGHT.exec(completion)?.[1].trim() ?? '';
        expect(paperAccuracy({ completion, sample: SAMPLE })).toBe(thought.length >= 50 ? 0.5 : 0);
      }),
    );
  });

  /** Each would take minutes or more where the time grows with the square of the length. */
  it.each([
    ['thoughts that never end', '<think>'.repeat(400_000)],
    ['thoughts that end again and again', `<think>${'</think><answer>'.repeat(200_000)}`],
    ['spaces in a thought', `<think>x${' '.repeat(1_000_000)}x</think>`],
    ['spaces behind an answer', `<answer>${' '.repeat(1_000_000)}`],
  ])('end for %s', (_, completion) => {
    const score = (): number => paperAccuracy({ completion, sample: SAMPLE }) + paperFormat({ completion });
    // V8 ends even a pattern that backtracks when the time is over.
    expect(runInNewContext('score()', { score }, { timeout: 60_000 })).toBeLessThan(1);
  });
});
