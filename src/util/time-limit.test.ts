import { expect, it } from 'vitest';
import { withinTime } from './time-limit.js';

it.each<[string, () => unknown]>([
  [
    'a loop',
    () => {
      for (let i = 0; ; i++) if (i < 0) return i;
    },
  ],
  ['a regular expression', () => /^(?:a+)+$/.test(`${'a'.repeat(60)}b`)],
])('ends %s and what is around it goes on', (_, work) => {
  expect(() => withinTime(50, 'the work', work)).toThrow(
    expect.objectContaining({
      name: 'UserError',
      code: 'too_slow',
      message: expect.stringContaining('the work took'),
    }),
  );
  expect(withinTime(10_000, 'more work', () => 7)).toBe(7);
});

it('passes on what is thrown, and can be nested', () => {
  expect(withinTime(10_000, 'outer', () => withinTime(10_000, 'inner', () => 'in') + 1)).toBe('in1');
  expect(() =>
    withinTime(10_000, 'outer', () => {
      throw new TypeError('mine');
    }),
  ).toThrow(new TypeError('mine'));
});
