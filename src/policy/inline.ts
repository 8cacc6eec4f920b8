/** @module Inline Markdown as the words it shows: links, emphasis, code, simple HTML. Each step reads its text once. */

const STEPS: readonly ((text: string) => string)[] = [
  stripTags,
  stripLinks,
  (text) => stripStrong(text, '**'),
  (text) => stripStrong(text, '__'),
  (text) => stripEmphasis(text, '*'),
  (text) => stripEmphasis(text, '_'),
  stripCode,
  stripEscapes,
];

/** The words that a reader sees. */
export const stripInline = (text: string): string => STEPS.reduce((result, step) => step(result), text);

/** HTML that changes the look of words only. What is struck out keeps its marks, since it may mean the opposite. */
const PHRASE_TAGS =
  /<\/?(?:a|abbr|b|big|code|em|font|i|kbd|mark|q|small|span|strong|sub|sup|tt|u)(?:\s[^<>]{0,200})?>/giu;

function stripTags(text: string): string {
  return text.includes('<') ? text.replace(PHRASE_TAGS, '') : text;
}

/** `[words](address)` and `![words](address)`: the words. */
function stripLinks(text: string): string {
  let result = '';
  let copied = 0;
  // The first bracket since the last one that closed: where the words begin.
  let open = -1;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '[' && open < 0) open = at;
    if (character !== ']') continue;
    const close = open >= 0 && open + 1 < at && text[at + 1] === '(' ? addressEnd(text, at + 2) : -1;
    if (close >= 0) {
      const from = open > copied && text[open - 1] === '!' ? open - 1 : open;
      result += text.slice(copied, from) + text.slice(open + 1, at);
      copied = close + 1;
      at = close;
    }
    open = -1;
  }
  return result + text.slice(copied);
}

/** Where the bracket closes; -1 where something comes that no address has. The next link's own bracket ends the search. */
function addressEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === ')') return at;
    if (character === '(' || /\s/u.test(character)) return -1;
  }
  return -1;
}

const isSpace = (character: string | undefined): boolean => character !== undefined && /\s/u.test(character);

/** `**words**`: from a mark before a word to the next mark behind one. */
function stripStrong(text: string, mark: '**' | '__'): string {
  if (!text.includes(mark)) return text;
  const closers = closersOf(text, mark);
  let result = '';
  let copied = 0;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at)) {
    const first = text[at + 2];
    const close = first === undefined || isSpace(first) ? -1 : (closers[at + 3] ?? -1);
    if (close < 0) at++;
    else {
      result += text.slice(copied, at) + text.slice(at + 2, close);
      at = close + 2;
      copied = at;
    }
  }
  return result + text.slice(copied);
}

/** For each place the next one where the mark stands behind a word; -1 where none comes. */
function closersOf(text: string, mark: string): Int32Array {
  const next = new Int32Array(text.length + 4).fill(-1);
  for (let at = text.length - 1; at > 0; at--) {
    next[at] = text.startsWith(mark, at) && !isSpace(text[at - 1]) ? at : (next[at + 1] ?? -1);
  }
  return next;
}

/** `*words*`, where nothing of a word touches the marks from outside: `2*3*4` and `a_b_c` stay. */
function stripEmphasis(text: string, mark: '*' | '_'): string {
  const touches = (character: string | undefined): boolean =>
    character !== undefined && (character === mark || /\w/u.test(character));
  let result = '';
  let copied = 0;
  let at = text.indexOf(mark);
  while (at >= 0) {
    const close = text.indexOf(mark, at + 1);
    if (close < 0) break;
    const inside = close > at + 1 && !isSpace(text[at + 1]) && !isSpace(text[close - 1]);
    if (!inside || touches(text[at - 1]) || touches(text[close + 1])) {
      at = close;
      continue;
    }
    result += text.slice(copied, at) + text.slice(at + 1, close);
    copied = close + 1;
    at = text.indexOf(mark, copied);
  }
  return result + text.slice(copied);
}

function stripCode(text: string): string {
  const parts = text.split('`');
  let result = parts[0] ?? '';
  let i = 1;
  while (i < parts.length) {
    const words = parts[i];
    // The last part has no mark behind it.
    if (words === '' || i === parts.length - 1) {
      result += `\`${words}`;
      i++;
    } else {
      result += words + parts[i + 1];
      i += 2;
    }
  }
  return result;
}

function stripEscapes(text: string): string {
  return text.replace(/\\([\\`*_{}[\]()#+\-.!|>~])/gu, '$1');
}
