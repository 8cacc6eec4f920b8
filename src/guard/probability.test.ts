import { describe, expect, it } from 'vitest';
import { FakeTokenizer } from './fake-model.test-util.js';
import type { Completion } from './model.js';
import { stepAt, unsafeProbability, verdictIds } from './probability.js';
import { YES_IS_SAFE } from './profiles/tagged-answer.js';

const tokenizer = new FakeTokenizer();
const ids = verdictIds(tokenizer, YES_IS_SAFE);
const text = '<think>yes, no</think><answer>no</answer>';
const offset = text.lastIndexOf('no');

/** A completion whose rows are all `other`, but `row` at the step that wrote the verdict. */
function completion(row: readonly number[], other: readonly number[] = [0, 0]): Completion {
  const tokens = tokenizer.encode(text);
  const verdict = tokens.length - 2;
  const watched = tokens.map((_, step) => Float32Array.from(step === verdict ? row : other));
  return { tokens, text, finishReason: 'stop', watched };
}

describe('verdictIds', () => {
  it('are the first tokens of the words, safe first', () => {
    expect(ids).toEqual({ safe: [4], unsafe: [5], watch: [4, 5] });
  });

  it('include tokens that join the anchor and the word', () => {
    const joining = new FakeTokenizer(['>yes', '>no', 'yes', 'no']);
    expect(verdictIds(joining, YES_IS_SAFE)).toEqual({ safe: [2, 0], unsafe: [3, 1], watch: [2, 0, 3, 1] });
  });

  it('leave out what both sides share', () => {
    const safe = { safe: ['safe'], unsafe: ['sour'], anchor: '' };
    expect(verdictIds(new FakeTokenizer([]), safe).watch).toEqual([]);
  });
});

describe('stepAt', () => {
  it('finds the token of every character', () => {
    const tokens = tokenizer.encode(text);
    const found = Array.from(text, (_, at) => stepAt(tokenizer, tokens, at));
    const expected = tokens.flatMap((id, step) => Array.from(tokenizer.decode([id]), () => step));
    expect(found).toEqual(expected);
    expect(stepAt(tokenizer, tokens, text.length)).toBe(tokens.length);
  });
});

describe('unsafeProbability', () => {
  const at = (made: Completion): number | null => unsafeProbability(made, { ids, offset, tokenizer });

  it.each([
    [[Math.log(0.2), Math.log(0.6)], 0.75],
    [[Math.log(0.01), Math.log(0.01)], 0.5],
    [[-Infinity, Math.log(0.3)], 1],
    [[Math.log(0.3), -Infinity], 0],
    [[-2000, -1000], 1],
    [[-1000.5, -1001.5], 1 / (1 + Math.E)],
  ])('of log-probabilities %j is %f', (row, expected) => {
    expect(at(completion(row))).toBeCloseTo(expected, 6);
  });

  it('sums all ids of a side', () => {
    const joining = new FakeTokenizer(['>yes', '>no', 'yes', 'no']);
    const both = verdictIds(joining, YES_IS_SAFE);
    const tokens = joining.encode('<answer>no');
    const row = Float32Array.from([0.1, 0.3, 0.2, 0.2], Math.log);
    const made: Completion = {
      tokens,
      text: '<answer>no',
      finishReason: 'stop',
      watched: tokens.map(() => row),
    };
    expect(unsafeProbability(made, { ids: both, offset: 8, tokenizer: joining })).toBeCloseTo(0.5, 6);
  });

  it('looks at the verdict token only', () => {
    expect(at(completion([Math.log(0.5), Math.log(0.5)], [0, -9]))).toBeCloseTo(0.5, 6);
  });

  it('is null where both sides weigh nothing, the step is missing or another token stands there', () => {
    expect(at(completion([-Infinity, -Infinity]))).toBeNull();
    expect(at({ ...completion([0, 0]), watched: [] })).toBeNull();
    expect(unsafeProbability(completion([0, 0]), { ids, offset: 7, tokenizer })).not.toBeNull();
    expect(unsafeProbability(completion([0, 0]), { ids, offset: 10, tokenizer })).toBeNull();
    expect(unsafeProbability(completion([0, 0]), { ids, offset: 999, tokenizer })).toBeNull();
  });
});
