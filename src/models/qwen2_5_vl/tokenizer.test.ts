import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../util/errors.js';
import { Tokenizer } from './tokenizer.js';
import { createLibraryTokenizer } from './tokenizer-library.js';

const FOLDER = 'test/goldens/checkpoints/tied';
interface Golden {
  readonly text: string;
  readonly ids: number[];
  readonly ids_specials_as_text: number[];
  readonly decoded: string;
  readonly decoded_skip_special: string;
}
const goldens: Golden[] = readFileSync(`${FOLDER}/tokenize.jsonl`, 'utf8')
  .trim()
  .split('\n')
  .map((row) => JSON.parse(row));
interface AddedToken {
  content: string;
  normalized: boolean;
  special: boolean;
}
const json: { added_tokens: AddedToken[]; model: object } = JSON.parse(
  readFileSync(`${FOLDER}/tokenizer.json`, 'utf8'),
);
const tokenizer = await Tokenizer.load(FOLDER);
const special = [...tokenizer.specialTokens.keys()];
/** Text with everything that a tokenizer may stumble over. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.constantFrom(
        ...special,
        '<tool_call>',
        ' ',
        '\n',
        '\t\u0085\u00a0',
        "'LL",
        '<|im_',
        'end|>',
        '\ud800',
        '12',
      ),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));

describe('Tokenizer', () => {
  it.each(['tied', 'tied-resaved'])('gives the ids and texts of transformers (%s)', async (name) => {
    const loaded = await Tokenizer.load(`test/goldens/checkpoints/${name}`);
    for (const golden of goldens) {
      expect(loaded.encode(golden.text)).toEqual(golden.ids);
      expect(loaded.encode(golden.text, { special: false })).toEqual(golden.ids_specials_as_text);
      expect(loaded.decode(golden.ids)).toBe(golden.decoded);
      expect(loaded.decode(golden.ids, { skipSpecialTokens: true })).toBe(golden.decoded_skip_special);
    }
  });

  it('equals the library on any text, though it encodes word by word', () => {
    const library = createLibraryTokenizer(json, {});
    const plain = createLibraryTokenizer(
      { ...json, added_tokens: json.added_tokens.filter((token) => !token.special) },
      {},
    );
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.encode(text)).toEqual(library.encode(text, { add_special_tokens: false }).ids);
        expect(tokenizer.encode(text, { special: false })).toEqual(
          plain.encode(text, { add_special_tokens: false }).ids,
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('never makes a special token of text that is read as plain', () => {
    const ids = new Set(tokenizer.specialTokens.values());
    fc.assert(
      fc.property(anyText, (text) => {
        const encoded = tokenizer.encode(text, { special: false });
        expect(encoded.filter((id) => ids.has(id))).toEqual([]);
        expect(tokenizer.decode(encoded)).toBe(Buffer.from(text).toString().normalize('NFC'));
      }),
      { numRuns: 1000 },
    );
  });

  it('decodes nothing to nothing, and ids without a token to nothing', () => {
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([1016, 1039, -1, 0.5])).toBe('');
    expect(tokenizer.decode([1016, 64, 1039, 65])).toBe('ab');
    expect(tokenizer.decode([1002], { skipSpecialTokens: true })).toBe('');
  });

  it('knows its tokens', () => {
    expect(tokenizer.vocabSize).toBe(1016);
    expect(tokenizer.id('<|image_pad|>')).toBe(1012);
    expect(tokenizer.id('a')).toBe(64);
    expect(tokenizer.id('<|no_such_token|>')).toBeUndefined();
    expect(tokenizer.specialTokens.get('<|im_end|>')).toBe(1002);
    expect(tokenizer.specialTokens.has('<tool_call>')).toBe(false);
  });

  it('leaves a pipeline unlike Qwen2’s to the library', () => {
    const normalized = json.added_tokens.map((token) => ({ ...token, normalized: true }));
    const other = Tokenizer.fromJson({ ...json, added_tokens: normalized });
    expect(other.encode('a<|im_end|>b')).toEqual([64, 1002, 65]);
    expect(other.encode('a<|im_end|>', { special: false })).toEqual(
      tokenizer.encode('a<|im_end|>', { special: false }),
    );
  });

  it('takes a vocabulary with awkward names', () => {
    const model = JSON.parse('{"type":"BPE","vocab":{"__proto__":0,"constructor":1,"a":2},"merges":[]}');
    const odd = Tokenizer.fromJson({ ...json, added_tokens: [], model });
    expect(odd.vocabSize).toBe(3);
    expect(odd.id('__proto__')).toBe(0);
    expect(odd.encode('a')).toEqual([2]);
  });
});

describe('Tokenizer.load', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };

  it('names the file that is missing', async () => {
    await expect(Tokenizer.load(join(scratch, 'nowhere'))).rejects.toThrow(UserError);
    await expect(Tokenizer.load(join(scratch, 'nowhere'))).rejects.toThrow(/tokenizer\.json cannot be read/);
  });

  it.each([
    ['{"model": {', /tokenizer\.json is not JSON/],
    ['[]', /tokenizer\.json must hold a JSON object/],
    ['{}', /tokenizer\.json describes no tokenizer: model: /],
    [JSON.stringify({ model: { ...model, vocab: [] } }), /model\.vocab: is no table of token ids/],
    [JSON.stringify({ model: { ...model, vocab: { a: 1e12 } } }), /model\.vocab: is no table of token ids/],
    [JSON.stringify({ model: { ...model, vocab: { a: '0' } } }), /model\.vocab: is no table of token ids/],
    [JSON.stringify({ model: { ...model, merges: 3 } }), /model\.merges: /],
    [JSON.stringify({ model: { ...model, merges: [3] } }), /describes a tokenizer that cannot be built/],
    [JSON.stringify({ model: { ...model, type: 'Sorcery' } }), /model\.type: /],
    [JSON.stringify({ model, added_tokens: [{ id: -1, content: 'x' }] }), /added_tokens\.0\.id: /],
    [JSON.stringify({ model, added_tokens: [{ id: 1, content: '' }] }), /added_tokens\.0\.content: /],
    [
      JSON.stringify({ model, pre_tokenizer: { type: 'Sorcery' } }),
      /describes a tokenizer that cannot be built/,
    ],
    [
      JSON.stringify({
        model,
        pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' },
      }),
      /describes a tokenizer that cannot be built/,
    ],
  ])('refuses %s', async (text, message) => {
    writeFileSync(join(scratch, 'tokenizer.json'), text);
    const loading = Tokenizer.load(scratch);
    await expect(loading).rejects.toThrow(UserError);
    await expect(loading).rejects.toThrow(message);
  });
});

describe('a tokenizer that costs more than it should', () => {
  const changed = (change: object): Tokenizer => Tokenizer.fromJson({ ...structuredClone(json), ...change });
  const splitBy = (pattern: unknown): object => ({
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
  });
  const hostile = `${'a'.repeat(60)}b`;
  const added = (count: number): object => ({
    added_tokens: Array.from({ length: count }, (_, i) => ({
      id: 1100 + i,
      content: `<${i}>`,
      special: true,
    })),
  });

  it.each<[string, object]>([
    ['words', splitBy({ Regex: '(a+)+$' })],
    ['replacements', { normalizer: { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: '' } }],
  ])(
    'is ended where its pattern of %s backtracks without end',
    (_, change) => {
      const built = changed(change);
      expect(() => built.encode(hostile)).toThrow(
        expect.objectContaining({
          name: 'UserError',
          code: 'too_slow',
          message: expect.stringContaining('tokenizer.json'),
        }),
      );
    },
    60_000,
  );

  it('is refused with a million added tokens, and works with ten thousand', () => {
    expect(() => changed(added(1_000_000))).toThrow(/added_tokens: Too big/);
    expect(changed(added(10_000)).encode('<9999>')).toEqual([11_099]);
  }, 60_000);

  it.each<[string, object, RegExp]>([
    ['a pattern of the wrong type', splitBy(7), /the pattern 7 is neither/],
    ['a pattern of the wrong kind', splitBy({ Glob: '*' }), /the pattern {"Glob":"\*"} is neither/],
    [
      'replacements that grow',
      {
        normalizer: {
          type: 'Sequence',
          normalizers: Array.from({ length: 30 }, () => ({
            type: 'Replace',
            pattern: { String: 'a' },
            content: 'aa',
          })),
        },
      },
      /more than 256 times as long/,
    ],
    [
      'a token of megabytes',
      { model: { ...json.model, vocab: { ['x'.repeat(5000)]: 0 } } },
      /no table of token ids/,
    ],
    [
      'a long added token',
      { added_tokens: [{ id: 1, content: 'x'.repeat(300) }] },
      /300 characters, more than/,
    ],
  ])('is refused with %s', (_, change, message) => {
    expect(() => changed(change)).toThrow(UserError);
    expect(() => changed(change)).toThrow(message);
  });

  it.each<[string, object]>([
    ['a normalizer', { normalizer: { type: 'Prepend', prepend: 5 } }],
    ['a replacement', { normalizer: { type: 'Replace', pattern: { String: 'a' }, content: {} } }],
    ['a pre-tokenizer', { pre_tokenizer: { type: 'Sequence', pretokenizers: 'ByteLevel' } }],
    ['a pre-tokenizer’s setting', splitBy({ Regex: 'a', String: null })],
    ['a decoder', { decoder: { type: 'Sequence', decoders: 5 } }],
    ['a post-processor', { post_processor: { type: 'TemplateProcessing', single: 5 } }],
    ['unknown rules', { normalizer: 'NFC' }],
  ])('ends in a UserError or works where the type of %s is wrong', (_, change) => {
    const outcome = (): string => {
      try {
        const built = changed(change);
        return typeof built.decode(built.encode('hello a'));
      } catch (error) {
        return error instanceof UserError ? 'UserError' : String(error);
      }
    };
    expect(['string', 'UserError']).toContain(outcome());
  });

  it('reads texts of one kind of character in time that grows with their length', () => {
    // Times would depend on the machine; that these end at all would not be so with quadratic steps.
    const texts = ['a', ' ', '\n', 'ab ', '漢', '<|im_start|', '\u0316\u0301', '!', "'"];
    for (const text of texts) {
      const long = `x${text.repeat(300_000 / text.length)}`;
      expect(tokenizer.encode(long, { special: false }).length).toBeGreaterThan(0);
    }
  }, 120_000);

  it('puts marks in order as NFC does, up to more than any script writes', () => {
    const marked = `e${'\u0316\u0301'.repeat(100)} e\u0301`;
    expect(tokenizer.encode(marked)).toEqual(tokenizer.encode(marked.normalize('NFC')));
    const many = `e${'\u0316\u0301'.repeat(10_000)}`;
    // One of them becomes é with its letter; none is lost.
    expect(tokenizer.decode(tokenizer.encode(many))).toHaveLength(many.length - 1);
  });
});
