import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { argmax, chooseToken, exponentials, logSumExp, warpLogits } from './sampling.js';

const logits = Float32Array.of(2, 1, 0, -1);
const none: ReadonlySet<number> = new Set();
const kept = (values: Float32Array): number[] => [...values.keys()].filter((id) => values[id] !== -Infinity);

describe('warpLogits', () => {
  it('leaves logits and their source alone without settings', () => {
    const warped = warpLogits(logits, {}, none);
    expect(warped).toEqual(logits);
    expect(warped).not.toBe(logits);
  });

  it('divides positive and multiplies negative logits of seen tokens by the penalty', () => {
    expect([...warpLogits(logits, { repetitionPenalty: 2 }, new Set([0, 3]))]).toEqual([1, 1, 0, -2]);
  });

  it.each([
    ['the k largest', { topK: 2 }, [0, 1]],
    ['all where k is larger than the vocabulary', { topK: 9 }, [0, 1, 2, 3]],
    // Probabilities of the four: 0.644, 0.237, 0.087, 0.032.
    ['the smallest set that reaches p', { topP: 0.85 }, [0, 1]],
    ['the most probable token whatever p is', { topP: 0.01 }, [0]],
    ['tokens above a share of the largest probability', { minP: 0.3 }, [0, 1]],
  ])('keeps %s', (_, settings, expected) => {
    expect(kept(warpLogits(logits, settings, none))).toEqual(expected);
  });
});

describe('chooseToken', () => {
  it('takes the largest logit, the first of equals, without a temperature', () => {
    expect(chooseToken(logits, {}, none, new Random(0))).toBe(0);
    expect(argmax(Float32Array.of(1, 3, 3))).toBe(1);
  });

  it('heeds the repetition penalty when greedy', () => {
    expect(chooseToken(logits, { repetitionPenalty: 4 }, new Set([0]), new Random(0))).toBe(1);
  });

  it('draws in proportion to the probabilities', () => {
    const random = new Random(7);
    const counts = [0, 0, 0, 0];
    const draws = 4000;
    for (let i = 0; i < draws; i++) counts[chooseToken(logits, { temperature: 1 }, none, random)]++;
    const expected = [...logits].map((logit) => Math.exp(logit - logSumExp(logits)));
    // Five standard deviations of a share of 4000 draws.
    counts.forEach((count, id) => expect(Math.abs(count / draws - expected[id])).toBeLessThan(0.04));
  });

  it('draws the same from exponentials that are known, of logits with more tokens', () => {
    const whole = Float32Array.of(2, 1, 9, 0, -1);
    const removed = whole.map((value, id) => (id === 2 ? -Infinity : value));
    for (const settings of [{ temperature: 1 }, { temperature: 1, topK: 2 }, { temperature: 1, topP: 0.9 }]) {
      const plain = new Random(5);
      const knowing = new Random(5);
      for (let i = 0; i < 200; i++)
        expect(chooseToken(removed, settings, none, knowing, exponentials(whole))).toBe(
          chooseToken(removed, settings, none, plain),
        );
    }
  });

  it('draws where what was removed dwarfs all else, and under a penalty, from the logits themselves', () => {
    const removed = Float32Array.of(-Infinity, 0, 1);
    const known = exponentials(Float32Array.of(900, 0, 1));
    const drawn = new Set<number>();
    const random = new Random(6);
    for (let i = 0; i < 50; i++) drawn.add(chooseToken(removed, { temperature: 1 }, none, random, known));
    expect(drawn).toEqual(new Set([1, 2]));
    const penalty = { temperature: 1, repetitionPenalty: 1e9 };
    const even = exponentials(Float32Array.of(40, 0));
    expect(chooseToken(Float32Array.of(40, 0), penalty, new Set([0]), new Random(1), even)).toBe(
      chooseToken(Float32Array.of(40, 0), penalty, new Set([0]), new Random(1)),
    );
  });

  it('never draws what was removed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 3, maxLength: 40 }),
        (values) => {
          const own = Float32Array.from(values);
          const settings = { temperature: 0.7, topK: 2, topP: 0.9 };
          const allowed = kept(warpLogits(own, settings, none));
          expect(allowed).toContain(chooseToken(own, settings, none, new Random(values.length)));
        },
      ),
    );
  });
});
