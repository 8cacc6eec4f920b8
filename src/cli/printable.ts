/** @module Text of strangers (file names, policies, models, servers) as a terminal may show it. */

/** Codes that a terminal obeys, without line feed and tab. */
const CONTROLS = /(?![\n\t])\p{Cc}/gu;
/** What a reader does not see although it changes what is read: direction marks, zero widths, tags. */
const UNSEEN =
  /[\u{61C}\u{180E}\u{200B}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{2066}-\u{206F}\u{FEFF}\u{E0000}-\u{E007F}]/gu;
const LINE_SEPARATORS = /[\u{2028}\u{2029}]/gu;
const LINE_BREAKS = /[\n\r\t]/gu;
const NAMES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const codeOf = (character: string): string =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`;

/** Several lines: without control characters, and with what is unseen written out. */
export function printable(text: string): string {
  return text.replace(LINE_SEPARATORS, '\n').replace(CONTROLS, '').replace(UNSEEN, codeOf);
}

/** What must stand in one line, such as a name: line breaks and the unseen are written out, control characters left out. */
export function oneLine(text: string): string {
  return text
    .replace(LINE_BREAKS, (character) => NAMES[character])
    .replace(CONTROLS, '')
    .replace(LINE_SEPARATORS, codeOf)
    .replace(UNSEEN, codeOf);
}

/** JSON on one line that shows a terminal nothing to obey and a reader nothing unseen; it parses to the same value. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/[\u{7F}-\u{9F}]/gu, escaped)
    .replace(LINE_SEPARATORS, escaped)
    .replace(UNSEEN, escaped);
}

/** As JSON writes characters: each UTF-16 unit by four digits. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
