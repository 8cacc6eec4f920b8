import { describe, expect, it } from 'vitest';
import { Secret } from './secret.js';

const KEY = 'sk-very-secret-0123456789';
const secret = new Secret(KEY);
const escaped = Array.from(KEY, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join('');

describe('a key in a server’s words', () => {
  it.each([
    ['as it is', KEY],
    ['in capitals', KEY.toUpperCase()],
    ['cut', `${KEY.slice(0, 9)}...${KEY.slice(-6)}`],
    ['escaped', escaped],
    ['escaped twice', escaped.replaceAll('\\', '\\\\')],
    ['percent-encoded', Array.from(KEY, (letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')],
    [
      'with two percent signs',
      Array.from(KEY, (letter) => `%25${letter.charCodeAt(0).toString(16)}`).join(''),
    ],
    ['as HTML', Array.from(KEY, (letter) => `&#${letter.charCodeAt(0)};`).join('')],
    ['as base64', Buffer.from(KEY).toString('base64')],
    ['as base64 of a header', Buffer.from(`Bearer ${KEY}`).toString('base64url')],
    ['as base64 in a path', `/a/${Buffer.from(`xy${KEY}`).toString('base64')}`],
    ['as hex', Buffer.from(KEY).toString('hex')],
    ['behind a letter that lower case makes longer', `İ ${KEY}`],
  ])('is hidden %s', (_, said) => {
    const shown = secret.hiddenIn(`The key ${said} is wrong, "${said}", try again.`);
    expect(shown).toMatch(/^The key .*\*\*\*.* is wrong, .*\*\*\*.*, try again\.$/u);
    for (let at = 0; at + 5 <= KEY.length; at++)
      expect(shown.toLowerCase()).not.toContain(KEY.slice(at, at + 5));
    expect(shown).not.toContain(said);
  });

  it('leaves other words, and an answer that holds a part of it', () => {
    const words = 'Invalid %20 \\u0041 model, deadbeefdeadbeef aGVsbG8gd29ybGQ= 漢字';
    expect(secret.hiddenIn(words)).toBe(words);
    expect(new Secret('unsafe').hiddenInAnswer('unsafe')).toBe('unsafe');
    expect(secret.hiddenInAnswer(`very-secret ${KEY}`)).toBe('very-secret ***');
  });

  it('shows in no dump', () => {
    expect(JSON.stringify(secret)).not.toContain('secret');
  });
});
