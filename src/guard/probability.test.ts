import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EngineToken } from '../engines/engine.js';
import { unsafeProbability } from './probability.js';
import { YES_IS_SAFE } from './profiles/tagged-answer.js';

const token = (text: string, top: readonly (readonly [string, number])[] = []): EngineToken => ({
  text,
  bytes: Buffer.from(text),
  logprob: Math.log(top.find(([other]) => other === text)?.[1] ?? 1),
  top: top.map(([other, probability]) => ({ text: other, logprob: Math.log(probability) })),
});

const TEXT = '<think>yes, no</think><answer>no</answer>';
const OFFSET = TEXT.lastIndexOf('no');
/** The verdict word's token has the given alternatives, all others have none. */
const tokensWith = (top: readonly (readonly [string, number])[], verdict = 'no'): EngineToken[] => [
  token('<think>yes, no</think><answer>'),
  token(verdict, top),
  token('</answer>'),
];
const at = (tokens: readonly EngineToken[], offset = OFFSET): number | null =>
  unsafeProbability(tokens, offset, YES_IS_SAFE);

describe('unsafeProbability', () => {
  it.each<[readonly (readonly [string, number])[], number]>([
    [
      [
        ['no', 0.6],
        ['yes', 0.2],
      ],
      0.75,
    ],
    [
      [
        ['no', 0.3],
        ['No', 0.3],
        [' yes', 0.1],
        ['Yes', 0.1],
        ['maybe', 0.1],
      ],
      0.75,
    ],
    [
      [
        ['no', 0.5],
        ['n', 0.1],
        ['y', 0.2],
      ],
      0.75,
    ],
  ])('of the alternatives %j is %f', (top, expected) => {
    expect(at(tokensWith(top))).toBeCloseTo(expected, 9);
  });

  it('gives a side that was not reported what the others leave, at most the weight of the last', () => {
    expect(
      at(
        tokensWith([
          ['no', 0.9],
          ['none of it', 0.06],
        ]),
      ),
    ).toBeCloseTo(0.9 / (0.9 + 0.04), 9);
    expect(
      at(
        tokensWith([
          ['no', 0.9],
          ['maybe', 0.01],
        ]),
      ),
    ).toBeCloseTo(0.9 / (0.9 + 0.01), 9);
  });

  it('sees words that are joined with what stands before or behind them', () => {
    const tokens = [
      token('<answer'),
      token('>no', [
        ['>no', 0.5],
        ['>yes', 0.2],
        ['>n', 0.1],
        ['no', 0.1],
      ]),
    ];
    expect(at(tokens, '<answer>'.length)).toBeCloseTo(0.6 / 0.8, 9);
    const behind = [
      token('no<', [
        ['no<', 0.4],
        ['yes<', 0.1],
        ['nothing', 0.5],
      ]),
    ];
    expect(at(behind, 0)).toBeCloseTo(0.8, 9);
  });

  it('counts characters of which tokens hold some bytes only', () => {
    const face = Buffer.from('🙂');
    const half = (bytes: Uint8Array): EngineToken => ({ text: '\ufffd', bytes, logprob: 0, top: [] });
    const tokens = [
      half(face.subarray(0, 2)),
      half(face.subarray(2)),
      ...tokensWith([
        ['no', 0.6],
        ['yes', 0.2],
      ]),
    ];
    expect(at(tokens, '🙂'.length + OFFSET)).toBeCloseTo(0.75, 9);
  });

  it('is null where the token is missing, or speaks for neither side', () => {
    expect(at([])).toBeNull();
    expect(at(tokensWith([]), 999)).toBeNull();
    expect(
      at(
        tokensWith(
          [
            ['maybe', 0.6],
            ['no', 0.2],
          ],
          'maybe',
        ),
      ),
    ).toBeNull();
    // The text of another word stands before the verdict.
    expect(at(tokensWith([['no', 0.5]]), OFFSET - 1)).toBeNull();
  });
});

describe('unsafeProbability of hostile log-probabilities', () => {
  it('is null or a number from 0 to 1', () => {
    const logprob = fc.oneof(fc.double(), fc.constantFrom(800, -800, 0, -0, 0.005, -745, -5e-324));
    const word = fc.constantFrom('yes', 'no', ' Yes', 'NO', 'maybe', '', 'n');
    fc.assert(
      fc.property(fc.array(fc.record({ text: word, logprob }), { maxLength: 20 }), logprob, (top, own) => {
        const probability = at([
          token('<think>yes, no</think><answer>'),
          { text: 'no', bytes: Buffer.from('no'), logprob: own, top },
        ]);
        if (probability === null) return;
        expect(probability).toBeGreaterThanOrEqual(0);
        expect(probability).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
  });
});
