import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { iconworld } from '../../guard/profiles/iconworld.js';
import { paper } from '../../guard/profiles/paper.js';
import { advantagesOf, standardDeviation } from './advantages.js';
import type { RewardInput, RewardSample } from './reward.js';
import { RewardTable } from './table.js';

const sample: RewardSample = {
  label: 'unsafe',
  statements: ['Weapons are banned.', 'Beer is fine.', 'Everything else is allowed.'],
  decisive: [1],
  categories: ['weapons'],
  pair: null,
};
const think = 'In a school: pistol.\npistol: weapons';

const inputOf = (completion: string, change: Partial<RewardInput> = {}): RewardInput => ({
  prompt: 'policy',
  completion,
  tokens: 10,
  truncated: false,
  sample,
  ...change,
});

async function scoreOf(name: string, input: RewardInput, profile = iconworld): Promise<number | null> {
  const table = new RewardTable({ weights: { [name]: 1 }, profile, maxCompletionLength: 100 });
  return (await table.score([input])).byFunction[name][0];
}

describe('rewards by what a profile reads', () => {
  const right = inputOf(`<think>${think} [1] "Weapons are banned." banned</think><answer>no</answer>`);
  const otherRule = inputOf(
    `<think>${think} [3] "Everything else is allowed." banned</think><answer>no</answer>`,
  );
  const misquoted = inputOf(`<think>${think} [1] "Guns are banned." banned</think><answer>no</answer>`);
  const wrong = inputOf(`<think>${think} [2] "Beer is fine." allowed</think><answer>yes</answer>`);
  const broken = inputOf('<think>pistol</think><answer>no');
  const safe: RewardSample = { ...sample, label: 'safe', decisive: [], categories: [] };

  it.each([
    ['label', right, 1],
    ['label', wrong, 0],
    ['label', broken, 0],
    ['readable', wrong, 1],
    ['readable', broken, 0],
    ['category', right, 1],
    ['category', wrong, 0],
    ['category', inputOf(right.completion, { sample: safe }), null],
    ['quote', right, 1],
    ['quote', misquoted, 0.5],
    ['quote', otherRule, 0],
    ['quote', wrong, 0],
    ['quote', inputOf(wrong.completion, { sample: safe }), null],
    ['named', inputOf(right.completion, { sample: { ...sample, things: ['pistol', 'apple'] } }), 2 / 3],
    ['named', inputOf(broken.completion, { sample: { ...sample, things: ['pistol'] } }), 0],
    ['named', right, null],
    ['length', inputOf('', { tokens: 80 }), 0],
    ['length', inputOf('', { tokens: 90 }), -0.5],
    ['length', inputOf('', { tokens: 100 }), -1],
    ['length', inputOf('', { tokens: 100, truncated: true }), -1],
  ] as const)('%s', async (name, input, expected) => {
    expect(await scoreOf(name, input)).toBe(expected);
  });

  it('applies to verdicts alone where a question was asked', async () => {
    const question: RewardSample = { ...safe, label: null, answer: 'two' };
    const names = [
      'accuracy',
      'format',
      'label',
      'readable',
      'category',
      'quote',
      'policyshift_pair',
      'exact',
    ];
    const weights = Object.fromEntries(names.map((name) => [name, 1]));
    const table = new RewardTable({ weights, profile: iconworld, maxCompletionLength: 100 });
    const inputs = [' two\n', 'two', 'three'].map((text) => inputOf(text, { sample: question }));
    const { byFunction, totals } = await table.score([inputs[0], right, inputs[1], inputs[2]]);
    for (const name of names.slice(0, -2))
      expect(byFunction[name].map((value) => value === null)).toEqual([true, false, true, true]);
    expect(byFunction.label[1]).toBe(1);
    expect(byFunction.exact).toEqual([1, null, 1, 0]);
    expect([totals[0], totals[2], totals[3]]).toEqual([1, 1, 0]);
  });

  it('fits other families', async () => {
    expect(await scoreOf('label', inputOf('<think>a gun</think><answer>no</answer>'), paper)).toBe(1);
  });

  it('never throws, whatever the model wrote', async () => {
    const names = ['accuracy', 'format', 'label', 'readable', 'category', 'quote', 'length'];
    names.push('policyshift_single', 'policyshift_think', 'policyshift_pair');
    const weights = Object.fromEntries(names.map((name) => [name, 1]));
    const table = new RewardTable({ weights, profile: iconworld, maxCompletionLength: 100 });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (completion) => {
        const { totals } = await table.score([inputOf(completion)]);
        expect(totals[0]).toBeLessThanOrEqual(10);
      }),
      { numRuns: 200 },
    );
  });
});

describe('RewardTable', () => {
  it('adds the weighted rewards up, and runs functions of the user', async () => {
    const table = new RewardTable({
      weights: { label: 2, mine: -1, none: 5 },
      profile: paper,
      maxCompletionLength: 100,
      functions: {
        mine: (inputs) => Promise.resolve(inputs.map((_, i) => i)),
        none: (all) => all.map(() => null),
      },
    });
    const said = '<think>a</think><answer>no</answer>';
    const scores = await table.score([inputOf(said), inputOf(said), inputOf('')]);
    expect(scores.totals).toEqual([2, 1, -2]);
    expect(scores.byFunction).toEqual({ label: [1, 1, 0], mine: [0, 1, 2], none: [null, null, null] });
  });

  it('lists what it knows', () => {
    const make = (): RewardTable =>
      new RewardTable({ weights: { toString: 1 }, profile: paper, maxCompletionLength: 9 });
    expect(make).toThrow(/There is no reward 'toString': choose among accuracy, format, label/);
  });
});

describe('advantagesOf', () => {
  const settings = { numGenerations: 4, scale: 'group', aggregation: 'normalize_then_sum' } as const;
  it('weighs rewards of unlike sizes alike after normalizing each', () => {
    // One reward is a hundred times the other: added first, the small one would hardly count.
    const columns = { big: [100, 0, 100, 0, 0, 0, 0, 100], small: [0, 1, 0, 1, 1, 0, 0, 0] };
    const weights = { big: 1, small: 1 };
    const { advantages } = advantagesOf(columns, weights, settings);
    expect(advantages[0]).toBeCloseTo(advantages[1], 2);
    const summed = advantagesOf(columns, weights, { ...settings, aggregation: 'sum_then_normalize' });
    expect(summed.advantages[0]).toBeGreaterThan(summed.advantages[1] + 1);
    expect(standardDeviation([...advantages])).toBeCloseTo(1, 3);
  });

  it('adds up to nothing in every group', () => {
    const numbers = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(numbers, fc.constantFrom('group', 'batch', 'none'), (rewards, scale) => {
        const { advantages } = advantagesOf(
          { a: rewards },
          { a: 1 },
          { ...settings, scale, aggregation: 'sum_then_normalize' },
        );
        for (const group of [advantages.slice(0, 4), advantages.slice(4)]) {
          expect(Math.abs(group.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-3);
        }
      }),
    );
  });

  it('leaves a group without spread at 0', () => {
    const { advantages } = advantagesOf(
      { a: [1, 1, 1, 1] },
      { a: 1 },
      { ...settings, aggregation: 'sum_then_normalize' },
    );
    expect(advantages).toEqual([0, 0, 0, 0]);
  });
});
