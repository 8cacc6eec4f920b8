import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../models/qwen2_5_vl/tokenizer.js';
import { utf8Ranges } from './code-points.js';
import { DEAD, Dfa } from './dfa.js';
import { gbnfOf } from './gbnf.js';
import { GrammarCompiler } from './token-masks.js';

const encoder = new TextEncoder();

function matches(dfa: Dfa, text: string): boolean {
  const end = encoder.encode(text).reduce((at, byte) => (at === DEAD ? DEAD : dfa.step(at, byte)), dfa.start);
  return end !== DEAD && dfa.accepts(end);
}

const ALPHABET = ['a', 'b', 'c', '-', '0', '7', ' ', '\n', 'é', 'ß', '漢', '😀', '😁', '\u2028'];
const letter = fc.constantFrom(...ALPHABET);
const escaped = fc.constantFrom(
  '\\d',
  '\\w',
  '\\s',
  '\\D',
  '\\W',
  '\\S',
  '\\n',
  '\\x61',
  '\\u{1F600}',
  '\\ud83d\\ude01',
  '\\.',
);
const inClass = fc.oneof(
  letter.map((c) => (c === '-' ? '\\-' : c)),
  escaped,
  fc.constantFrom('a-c', '0-9', 'à-ü', '😀-😃', '一-鿿'),
);
const { pattern } = fc.letrec<{ pattern: string; item: string }>((tie) => ({
  item: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    letter,
    escaped,
    fc.constant('.'),
    fc
      .tuple(fc.constantFrom('', '^'), fc.array(inClass, { minLength: 1, maxLength: 3 }))
      .map(([not, parts]) => `[${not}${parts.join('')}]`),
    fc.tuple(fc.constantFrom('(', '(?:'), tie('pattern')).map(([open, body]) => `${open}${body})`),
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,}', '{0,3}', '*?'))
      .map(([body, count]) => `(?:${body})${count}`),
  ),
  pattern: fc
    .array(
      fc.array(tie('item'), { maxLength: 4 }).map((items) => items.join('')),
      { minLength: 1, maxLength: 3 },
    )
    .map((options) => options.join('|')),
}));

describe('the automaton of a regular expression', () => {
  it('accepts what JavaScript accepts', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        pattern,
        fc.array(fc.array(letter, { maxLength: 6 }), { minLength: 12, maxLength: 12 }),
        (source, texts) => {
          const whole = new RegExp(`^(?:${source})$`, 'u');
          let dfa: Dfa;
          try {
            dfa = new Dfa(source);
          } catch (error) {
            if (String(error).includes('no text at all')) return;
            throw error;
          }
          for (const letters of [...texts, [], ...ALPHABET.map((one) => [one])]) {
            const text = letters.join('');
            expect(matches(dfa, text), `${source} on ${JSON.stringify(text)}`).toBe(whole.test(text));
            if (whole.test(text)) accepted++;
          }
        },
      ),
      { numRuns: 400, seed: 7 },
    );
    expect(accepted).toBeGreaterThan(300);
  });

  it('reads UTF-8 ranges that hold exactly their characters', () => {
    const point = fc.integer({ min: 0, max: 0x10ffff }).filter((code) => code < 0xd800 || code > 0xdfff);
    fc.assert(
      fc.property(point, point, point, (a, b, probe) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const bytes = encoder.encode(String.fromCodePoint(probe));
        const inside = utf8Ranges([low, high]).some(
          (ranges) =>
            ranges.length === bytes.length && ranges.every(([lo, hi], i) => bytes[i] >= lo && bytes[i] <= hi),
        );
        expect(inside).toBe(probe >= low && probe <= high);
      }),
    );
  });

  it('knows each character that nothing can follow', () => {
    const dfa = new Dfa('(?:yes|no[^\\s\\S])');
    expect(dfa.step(dfa.start, 'n'.charCodeAt(0))).toBe(DEAD);
    expect(matches(dfa, 'yes')).toBe(true);
  });

  it.each([
    ['(?=a)', /only "\(\?:" is understood/],
    ['(a)\\1', /escape "\\1"/],
    ['^a', /anchor/],
    ['a{2000}', /more than 1000 repetitions/],
    ['a{3,2}', /out of order/],
    ['[b-a]', /out of order/],
    ['(a', /a \( without its \)/],
    ['a)', /a \) without its \(/],
    ['[a', /unexpected end/],
    ['*', /"\*" without a/],
    ['\\p{L}', /escape "\\p"/],
    ['[]', /no text at all/],
    ['(?:(?:a{1000}){1000}){9}', /too large/],
  ])('refuses %s in one sentence', (source, message) => {
    expect(() => new Dfa(source)).toThrow(message);
  });

  it('is written for llama.cpp', () => {
    expect(gbnfOf('a(?:b|)c{2,}')).toBe(
      'root ::= [\\U00000061-\\U00000061] ([\\U00000062-\\U00000062] | "") ([\\U00000063-\\U00000063]){2,}',
    );
  });
});

describe('the tokens that a grammar allows', () => {
  it('are exactly those that some text of it goes on with, through halves of characters too', async () => {
    const tokenizer = await Tokenizer.load('models/safeguard-vl-tiny');
    const stop = new Set([tokenizer.id('<|im_end|>') ?? -1]);
    const grammars = new GrammarCompiler(tokenizer, stop);
    const source = '(?:<answer>(?:yes|no)</answer>|[漢字é]{1,3}\\.)';
    const masks = grammars.compile(source);
    expect(grammars.compile(source)).toBe(masks);
    const dfa = new Dfa(source);
    for (const text of ['', '<ans', '<answer>', '<answer>no</answer>', '漢', '漢é.']) {
      const state = tokenizer
        .encode(text, { special: false })
        .reduce((at, id) => masks.next(at, id), masks.start);
      const logits = new Float32Array(tokenizer.vocabSize + 5);
      masks.restrict(state, logits);
      const before = encoder.encode(text);
      for (let id = 0; id < logits.length; id++) {
        const bytes = tokenizer.bytesOf(id);
        const at = [...before, ...(bytes ?? [])].reduce(
          (s, byte) => (s === DEAD ? DEAD : dfa.step(s, byte)),
          dfa.start,
        );
        const expected = stop.has(id)
          ? dfa.accepts(at)
          : bytes !== undefined && bytes.length > 0 && at !== DEAD;
        expect(logits[id] === 0, `token ${id} after "${text}"`).toBe(expected);
      }
    }
  });
});
