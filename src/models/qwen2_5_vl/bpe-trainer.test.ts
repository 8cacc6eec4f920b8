import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random } from '../../util/random.js';
import { trainTokenizer } from './bpe-trainer.js';
import { tokenizerConfigJson, tokenizerJson } from './tokenizer-folder.js';
import { Tokenizer } from './tokenizer.js';

const golden = JSON.parse(readFileSync('test/goldens/checkpoints/tied/tokenizer.json', 'utf8'));
const NONE = { addedTokens: [] };

/** Texts of invented words, some much more frequent than others. */
function corpus(seed: number): string[] {
  const random = new Random(seed);
  const words = Array.from({ length: 60 }, () =>
    Array.from({ length: random.int(1, 4) }, () => random.pick(['ka', 'lo', 'mi', 'ne', 'ü', 'rst'])).join(
      '',
    ),
  );
  return Array.from({ length: 50 }, () =>
    Array.from({ length: 30 }, () => words[Math.floor(random.next() ** 2 * words.length)]).join(' '),
  );
}

/** The same algorithm, counting everything anew for each merge. */
function naiveMerges(texts: readonly string[], count: number): string[][] {
  const tokenizer = Tokenizer.fromJson(tokenizerJson(trainTokenizer([], { vocabSize: 256, ...NONE })));
  const vocab = trainTokenizer([], { vocabSize: 256, ...NONE }).vocab;
  const words = texts
    .flatMap((text) => text.match(/ ?[^ ]+/g) ?? [])
    .map((word) => tokenizer.encode(word).map((id) => vocab[id]));
  const merges: string[][] = [];
  while (merges.length < count) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 1; i < word.length; i++) {
        const pair = `${word[i - 1]} ${word[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const order = ([pairA, a]: [string, number], [pairB, b]: [string, number]): number =>
      b - a || (pairA < pairB ? -1 : 1);
    const best = [...counts].sort(order)[0];
    if (best === undefined || best[1] < 2) break;
    const [left = '', right = ''] = best[0].split(' ');
    merges.push([left, right]);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
      }
    }
  }
  return merges;
}

describe('trainTokenizer', () => {
  it('has the bytes of Qwen’s tokenizers in the same order', () => {
    const { vocab, merges } = trainTokenizer([], { vocabSize: 300, ...NONE });
    expect(vocab.map((token) => golden.model.vocab[token])).toEqual(vocab.map((_, id) => id));
    expect(vocab).toHaveLength(256);
    expect(merges).toEqual([]);
  });

  it('merges the most frequent pair first, of equals the one whose strings come first', () => {
    const { merges } = trainTokenizer(['cd cd cd ab ab'], { vocabSize: 300, ...NONE });
    expect(merges.map((pair) => pair.join('+'))).toEqual(['c+d', 'a+b', 'Ġ+ab', 'Ġ+cd']);
    const swapped = trainTokenizer(['xb', 'xa', 'xb', 'xa'], { vocabSize: 257, ...NONE });
    expect(swapped.merges).toEqual([['x', 'a']]);
  });

  it('merges overlapping pairs from the left', () => {
    const { merges } = trainTokenizer(['aaaaa aaaaa'], { vocabSize: 300, ...NONE });
    expect(merges.map((pair) => pair.join('+'))).toEqual(['a+a', 'aa+a', 'aa+aaa']);
  });

  it.each([1, 2, 3])('equals counting everything anew for each merge (seed %i)', (seed) => {
    const texts = corpus(seed);
    const { merges } = trainTokenizer(texts, { vocabSize: 336, ...NONE });
    expect(merges).toEqual(naiveMerges(texts, 80));
  });

  it('depends neither on the order of the texts nor on how they are cut', () => {
    const texts = corpus(4);
    const options = { vocabSize: 400, ...NONE };
    const forward = trainTokenizer(texts, options);
    expect(trainTokenizer(new Random(1).shuffle(texts), options)).toEqual(forward);
    expect(trainTokenizer(new Set(texts).values(), options).merges).toEqual(forward.merges);
  });

  it('gives exactly the ids it was asked for, added tokens last', () => {
    const addedTokens = [
      { content: '<|end|>', special: true },
      { content: '[1]', special: false },
    ];
    const trained = trainTokenizer(corpus(5), { vocabSize: 320, addedTokens });
    const tokenizer = Tokenizer.fromJson(tokenizerJson(trained));
    expect(tokenizer.vocabSize).toBe(320);
    expect([tokenizer.id('<|end|>'), tokenizer.id('[1]')]).toEqual([318, 319]);
    expect(tokenizer.decode([319, 318], { skipSpecialTokens: true })).toBe('[1]');
    expect(tokenizerConfigJson(trained, 512)).toMatchObject({ additional_special_tokens: ['<|end|>'] });
  });

  it('never merges through an added token', () => {
    const addedTokens = [{ content: '[1]', special: false }];
    const { merges } = trainTokenizer(Array<string>(9).fill('[1]a[1]a'), { vocabSize: 300, addedTokens });
    expect(merges).toEqual([]);
  });

  it('encodes shorter what it has seen', () => {
    const texts = corpus(6);
    const [small, large] = [260, 600].map((vocabSize) =>
      Tokenizer.fromJson(tokenizerJson(trainTokenizer(texts, { vocabSize, ...NONE }))),
    );
    const [text = ''] = texts;
    expect(large.encode(text).length * 2).toBeLessThan(small.encode(text).length);
    expect(large.decode(large.encode(text))).toBe(text);
  });

  it('refuses a vocabulary without room for the bytes', () => {
    const addedTokens = [{ content: '[1]', special: false }];
    expect(() => trainTokenizer([], { vocabSize: 256, addedTokens })).toThrow(
      /no room for 256 bytes and 1 added/,
    );
  });
});
