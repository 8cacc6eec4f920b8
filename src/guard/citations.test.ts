import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { citationFault } from './citations.js';

const statements = [
  'No weapons of any kind.',
  'Alcohol may be shown in museums.',
  'Alcohol may be shown in museum.',
  'No.',
];

describe('a citation', () => {
  it.each([
    [1, 'No weapons of any kind.'],
    [4, null],
    [null, 'No.'],
    [null, null],
  ])('stands: statement %j, %j', (number, quote) => {
    expect(citationFault([{ number, quote }], statements)).toBeNull();
    expect(citationFault([{ number, quote }], statements, { slips: true })).toBeNull();
  });

  it.each([
    [5, null, 'the answer cites statement 5, and the policy has 4 statements'],
    [0, null, 'the answer cites statement 0, and the policy has 4 statements'],
    [1.5, null, 'the answer cites statement 1.5, and the policy has 4 statements'],
    [Number.NaN, null, 'the answer cites statement NaN, and the policy has 4 statements'],
    [2, 'No weapons of any kind.', 'the answer quotes statement 1 as statement 2'],
    [
      1,
      'no weapons of any kind.',
      'the answer quotes "no weapons of any kind." as statement 1, which the policy does not say',
    ],
    [null, 'No weapons.', 'the answer cites "No weapons.", which the policy does not say'],
    [1, '', 'the answer quotes "" as statement 1, which the policy does not say'],
  ])('falls: statement %j, %j', (number, quote, fault) => {
    expect(
      citationFault(
        [
          { number: 1, quote: null },
          { number, quote },
        ],
        statements,
      ),
    ).toBe(fault);
  });

  it('is shown shortened', () => {
    const fault = citationFault([{ number: 1, quote: '🐞'.repeat(5000) }], statements) ?? '';
    expect(fault).toContain(`"${'🐞'.repeat(80)}…"`);
    expect(fault.length).toBeLessThan(300);
  });
});

describe('a slip of the pen', () => {
  const slip = (number: number, quote: string, list = statements): string | null =>
    citationFault([{ number, quote }], list, { slips: true });

  it('is at most a tenth of the characters', () => {
    expect(slip(1, 'No weapons of any kinds.')).toBeNull();
    expect(slip(1, 'No weapon of any kinds.')).toBeNull();
    expect(slip(1, 'No weapon of any minds.')).not.toBeNull();
    expect(slip(4, 'Nu.')).not.toBeNull();
  });

  it('is nearer to no other statement', () => {
    expect(slip(2, 'Alcohol may be shown in museum!')).not.toBeNull();
    expect(slip(3, 'Alcohol may be shown in museum!')).toBeNull();
    expect(slip(2, 'Alcohol may be shown in museum.')).toMatch(/quotes statement 3 as statement 2/);
  });

  it('is ten characters however long the statement', () => {
    const long = `No ${'very '.repeat(200)}long swords.`;
    expect(slip(1, long.replace('long swords', 'small words'), [long])).toBeNull();
    expect(slip(1, long.replace(' long swords', ' short rolls, and on'), [long])).not.toBeNull();
  });

  it('happens to eight different quotations at most', () => {
    const list = Array.from({ length: 9 }, (_, i) => `${'word '.repeat(4)}${String(i).repeat(8)}.`);
    const cited = list.map((text, i) => ({ number: i + 1, quote: text.replace('word', 'ward') }));
    expect(citationFault(cited.slice(0, 8), list, { slips: true })).toBeNull();
    expect(citationFault([...cited.slice(0, 8), ...cited.slice(0, 8)], list, { slips: true })).toBeNull();
    expect(citationFault(cited, list, { slips: true })).not.toBeNull();
  });

  it('never lets a statement stand for another', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' '), minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(fc.array(text, { minLength: 2, maxLength: 5 }), (list) => {
        const wrong = list.flatMap((quote) =>
          list.flatMap((own, n) => (own === quote ? [] : [slip(n + 1, quote, list)])),
        );
        expect(wrong).not.toContain(null);
        expect(list.map((quote, i) => slip(i + 1, quote, list))).toEqual(list.map(() => null));
      }),
    );
  });
});
