import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from './text.js';
import { UserError } from './errors.js';

const bigEndian = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const utf32 = (text: string): Buffer =>
  Buffer.concat(Array.from(text, (one) => Buffer.from([one.codePointAt(0) ?? 0, 0, 0, 0])));

describe('decodeText', () => {
  it('gives back any text, without its mark', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeText(Buffer.from(`\u{FEFF}${text}`), 'a')).toBe(text);
      }),
    );
  });

  it.each<[string, Uint8Array, string]>([
    [
      'Windows-1252',
      Buffer.from('a\nüb', 'latin1'),
      'a.csv is not UTF-8 text (line 2, byte 3 of the file is 0xFC, "ü"',
    ],
    [
      'a dash of Windows-1252',
      Uint8Array.of(0x61, 0x96, 0x62),
      'byte 2 of the file is 0x96, "–" in Windows-1252',
    ],
    ['a character that is cut', Uint8Array.of(0x61, 0xe2, 0x82), 'byte 2 of the file'],
    ['a surrogate', Uint8Array.of(0xed, 0xa0, 0x80), 'byte 1 of the file'],
    ['an overlong form', Uint8Array.of(0xc0, 0xaf), 'byte 1 of the file'],
    [
      'UTF-16 with its mark',
      Buffer.from('\u{FEFF}id,url', 'utf16le'),
      'is written in UTF-16; save it as UTF-8',
    ],
    ['UTF-16 without its mark', Buffer.from('id,url\na,b', 'utf16le'), 'is written in UTF-16'],
    ['big-endian UTF-16', bigEndian('\u{FEFF}id,url'), 'is written in UTF-16'],
    ['big-endian UTF-16 without its mark', bigEndian('id,url\na,b'), 'is written in UTF-16'],
    ['UTF-16 of mixed scripts', Buffer.from('{"text": "禁止武器禁止"}', 'utf16le'), 'is written in UTF-16'],
    ['UTF-32', utf32('id,url'), 'is written in UTF-32'],
    [
      'UTF-32 with its mark',
      utf32('\u{FEFF}').fill(0).fill(Uint8Array.of(0xff, 0xfe), 0, 2),
      'is written in UTF-32',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeText(bytes, 'a.csv')).toThrow(UserError);
    expect(() => decodeText(bytes, 'a.csv')).toThrow(message);
  });

  it('finds the byte that any damage begins at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom(0x80, 0xc1, 0xf5, 0xff), (text, byte) => {
        const before = Buffer.from(`x${text}`);
        const bytes = Buffer.concat([before, Uint8Array.of(byte), Buffer.from('z')]);
        expect(() => decodeText(bytes, 'a')).toThrow(`byte ${before.length + 1} of the file`);
      }),
    );
  });
});
