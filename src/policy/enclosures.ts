/** @module Quotations and brackets: a full stop inside them does not end the sentence around them. */

/** What closes each mark that opens. */
const CLOSERS: Readonly<Record<string, string>> = {
  '(': ')',
  '[': ']',
  '“': '”',
  '„': '“”',
  '«': '»',
  '‹': '›',
  '「': '」',
  '『': '』',
  '（': '）',
  '【': '】',
  '《': '》',
  '〈': '〉',
  '［': '］',
  '〔': '〕',
};
const ALL_CLOSERS: ReadonlySet<string> = new Set(Object.values(CLOSERS).join(''));

const BRACKETS = new RegExp(
  `[${[...Object.keys(CLOSERS), ...ALL_CLOSERS].map((c) => `\\${c}`).join('')}]`,
  'g',
);

export interface Enclosures {
  /** Whether a place is between an opening and its closing. */
  readonly within: (place: number) => boolean;
  /** Where the enclosure that ends at a place begins; Infinity where none ends there. */
  readonly opening: (end: number) => number;
}

/** Finds all pairs, the outer ones too, in one walk. What is never closed encloses nothing. */
export function insideEnclosures(text: string): Enclosures {
  // How many enclosures more, or fewer, a place is in than the one before.
  const changes = new Int32Array(text.length + 2);
  const openings = new Map<number, number>();
  const add = (from: number, to: number): void => {
    changes[from + 1] = (changes[from + 1] ?? 0) + 1;
    changes[to] = (changes[to] ?? 0) - 1;
    openings.set(to, from);
  };
  bracketPairs(text, add);
  straightQuotes(text, add);
  // From here on: how many it is in.
  for (let at = 1; at < changes.length; at++) changes[at] = (changes[at] ?? 0) + (changes[at - 1] ?? 0);
  return {
    within: (place) => (changes[place] ?? 0) > 0,
    opening: (end) => openings.get(end) ?? Number.POSITIVE_INFINITY,
  };
}

function bracketPairs(text: string, add: (from: number, to: number) => void): void {
  const open: { readonly character: string; readonly at: number }[] = [];
  // How often each mark is open, so that one that closes nothing is told without a search.
  const counts = new Map<string, number>();
  const count = (character: string, by: number): void => {
    counts.set(character, (counts.get(character) ?? 0) + by);
  };
  for (const { 0: character, index: at } of text.matchAll(BRACKETS)) {
    if (ALL_CLOSERS.has(character)) {
      const opens = Object.keys(CLOSERS).find(
        (key) => CLOSERS[key]?.includes(character) === true && (counts.get(key) ?? 0) > 0,
      );
      if (opens !== undefined) {
        let last = open.pop();
        // Whatever was opened after it is never closed.
        for (; last !== undefined && last.character !== opens; last = open.pop()) count(last.character, -1);
        count(opens, -1);
        if (last !== undefined) add(last.at, at + 1);
        continue;
      }
    }
    if (CLOSERS[character] !== undefined) {
      open.push({ character, at });
      count(character, 1);
    }
  }
}

/** `"…"` from one that begins a word to the next, if that does not begin one: 12" is a length. */
function straightQuotes(text: string, add: (from: number, to: number) => void): void {
  for (let at = text.indexOf('"'); at >= 0; ) {
    const close = text.indexOf('"', at + 1);
    if (close < 0) return;
    const opens = at === 0 || /[\s([]/u.test(text[at - 1] ?? '');
    if (!opens || /\w/u.test(text[close + 1] ?? '')) {
      at = close;
      continue;
    }
    add(at, close + 1);
    at = text.indexOf('"', close + 1);
  }
}
