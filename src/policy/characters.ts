/** @module What a character is, told by its code: pages are walked character by character, and most are ASCII. */

const FIRST_BEYOND_ASCII = 0x80;

/** White space as `trim` sees it, at a place of a text. */
export function isSpaceAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code < FIRST_BEYOND_ASCII) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  return code >= 0xa0 && /\s/u.test(text.charAt(at));
}

export const isAsciiDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

export const isAsciiLetter = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);

/** NaN, past the end, is not ASCII. */
export const isAscii = (code: number): boolean => code < FIRST_BEYOND_ASCII;

/** A character of a word, or a dot or hyphen within one. */
export function isWordAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (isAscii(code)) return isAsciiLetter(code) || isAsciiDigit(code) || code === 0x2e || code === 0x2d;
  return /[\p{L}\p{M}\p{N}]/u.test(text.charAt(at));
}
