import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../util/errors.js';
import { ProtectedText } from './protected-text.js';

const QWEN = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|image_pad|>'];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...QWEN, '|', '<|im_', 'end|>', '\ue000', '\ue001', '\ue002'), fc.string()))
  .map((pieces) => pieces.join(''));

describe('ProtectedText', () => {
  it.each([
    ['Qwen', QWEN],
    ['no marks but brackets', ['<s>', '</s>']],
    ['characters that regular expressions know', ['[INST]', '^-]', '\\d']],
    ['none', []],
  ])('gives back any text as it was: %s', (_, tokens) => {
    const text = new ProtectedText(tokens, 'a template');
    fc.assert(
      fc.property(hostile, (words) => {
        expect(text.restore(text.protect(words))).toBe(words);
      }),
    );
  });

  it('leaves no special token, however texts are joined and cut', () => {
    const text = new ProtectedText(QWEN, '');
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 4 }), fc.nat(40), (words, cut) => {
        const joined = words
          .map((word) => text.protect(word))
          .join('')
          .slice(cut);
        for (const token of QWEN) expect(joined).not.toContain(token);
      }),
    );
  });

  it('leaves words and markup that templates look for', () => {
    const text = new ProtectedText(QWEN, '');
    expect(text.protect('a < b </think> über 1_000\n')).toBe('a < b </think> über 1_000\n');
    expect(text.protect('a|b')).not.toContain('|');
  });

  it('escapes with characters that the template does not use', () => {
    const text = new ProtectedText(QWEN, 'has \ue000 and \ue002');
    expect(text.protect('|')).toBe('\ue003\ue004');
    expect(text.restore('\ue000\ue001 of the template')).toBe('\ue000\ue001 of the template');
  });

  it('refuses a template that leaves none', () => {
    const all = Array.from({ length: 0xf900 - 0xe000 }, (_, i) => String.fromCharCode(0xe000 + i)).join('');
    expect(() => new ProtectedText(QWEN, all)).toThrow(UserError);
    expect(() => new ProtectedText(QWEN, all)).toThrow(/uses every private-use character/);
  });
});
