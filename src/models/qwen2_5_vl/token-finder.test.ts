import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenFinder } from './token-finder.js';

describe('finding tokens', () => {
  it('takes the longest at each place', () => {
    expect(new TokenFinder(['<a>', '<a>b', 'x']).split('<a>b<a>x-')).toEqual([
      '',
      '<a>b',
      '',
      '<a>',
      '',
      'x',
      '-',
    ]);
    expect(new TokenFinder([]).split('text')).toEqual(['text']);
    expect(new TokenFinder(['', '$^']).split('a$^')).toEqual(['a', '$^', '']);
  });

  it('equals an alternation of the words, the longest first', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '<', '|', '😀'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '<', '|', '😀'), minLength: 1 }),
        (words, text) => {
          const escaped = words
            .toSorted((a, b) => b.length - a.length)
            .map((each) => each.replaceAll('|', '\\|'));
          expect(new TokenFinder(words).split(text)).toEqual(
            text.split(new RegExp(`(${escaped.join('|')})`)),
          );
        },
      ),
    );
  });

  it('finds one of a hundred thousand', () => {
    const words = Array.from({ length: 100_000 }, (_, i) => `<token_${i}>`);
    expect(new TokenFinder(words).split('a<token_77777>b<token_100000>')).toEqual([
      'a',
      '<token_77777>',
      'b<token_100000>',
    ]);
  });

  it('refuses words too long to be looked for', () => {
    expect(() => new TokenFinder(['x'.repeat(257)])).toThrow(/257 characters, more than the 256/);
  });
});
