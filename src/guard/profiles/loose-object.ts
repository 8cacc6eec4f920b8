/** @module A JSON object as models write it: in either kind of quotes, cut off, with words around. One linear scan. */

export interface LooseValue {
  /** Without escapes and the white space around it. */
  readonly text: string;
  /** Where it begins in the whole text. */
  readonly at: number;
}

export interface LooseObject {
  /** The values under each top-level key, in small letters, in their order; keys may repeat. */
  readonly values: ReadonlyMap<string, readonly LooseValue[]>;
  /**
   * Whether nothing had to be overlooked: it is closed, and its syntax is JSON's or Python's to the letter. Values of one
   * that is not may be part of what a string was meant to say.
   */
  readonly isSound: boolean;
  /** Behind the closing brace; the text's end where there is none. */
  readonly end: number;
}

const QUOTES = new Set('"\'');
const SPACE = /\s/u;

/**
 * Reads the object that begins with the brace at `start`. Numbers and words without quotes are values as they
 * stand. Nested objects and lists are passed over, and the object is not sound: they may say something else. A quotation mark of the kind that opened a string ends it only before `,`, `:`, `}`, `]` or the end.
 */
export function looseObject(text: string, start: number): LooseObject {
  const values = new Map<string, LooseValue[]>();
  let at = start + 1;
  let isSound = true;
  let isClosed = false;

  const skipSpace = (): void => {
    while (at < text.length && SPACE.test(text[at])) at += 1;
  };
  const string = (): LooseValue => {
    const found = looseString(text, at);
    isSound &&= found.isSound;
    at = found.end;
    return found;
  };
  const skipValue = (): void => {
    for (let depth = 0; at < text.length; ) {
      const character = text[at];
      if (QUOTES.has(character)) {
        string();
        continue;
      }
      if (depth === 0 && (character === ',' || character === '}')) return;
      if (character === '{' || character === '[') {
        depth += 1;
        isSound = false;
      }
      if (character === '}' || character === ']') depth -= 1;
      at += 1;
    }
  };

  while (at < text.length) {
    skipSpace();
    if (text[at] === '}') {
      isClosed = true;
      at += 1;
      break;
    }
    if (!QUOTES.has(text[at])) {
      // Neither a key nor the end: passed over, and remembered.
      if (text[at] !== ',') isSound = false;
      at += 1;
      continue;
    }
    const keyAt = at;
    const key = string().text.toLowerCase();
    // An escape in a key may spell another key.
    if (text.slice(keyAt, at).includes('\\')) isSound = false;
    skipSpace();
    if (text[at] !== ':') {
      isSound = false;
      continue;
    }
    at += 1;
    skipSpace();
    const known = values.get(key) ?? [];
    values.set(key, known);
    if (QUOTES.has(text[at])) known.push(string());
    else {
      const from = at;
      skipValue();
      known.push({ text: text.slice(from, at).trim(), at: from });
    }
    skipSpace();
    if (text[at] !== ',' && text[at] !== '}') isSound = false;
  }
  return { values, isSound: isSound && isClosed, end: at };
}

function looseString(
  text: string,
  start: number,
): LooseValue & { readonly end: number; readonly isSound: boolean } {
  const quote = text[start];
  const pieces: string[] = [];
  let isSound = true;
  let at = start + 1;
  let from = at;
  for (; at < text.length; at++) {
    if (text[at] === '\\') {
      pieces.push(text.slice(from, at), unescaped(text[at + 1] ?? ''));
      at += 1;
      from = at + 1;
    } else if (text[at] === quote) {
      if (endsThere(text, at + 1)) break;
      // An apostrophe, or a quotation in a quotation.
      isSound = false;
    }
  }
  pieces.push(text.slice(from, at));
  const whole = pieces.join('');
  const lead = whole.length - whole.trimStart().length;
  return {
    text: whole.trim(),
    at: start + 1 + lead,
    end: Math.min(text.length, at + 1),
    isSound: isSound && at < text.length,
  };
}

const unescaped = (character: string): string => (character === 'n' ? '\n' : character);

/** How much white space may stand between a string and what follows it: more is somebody's trick, and costs time. */
const MOST_SPACE = 200;

function endsThere(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && at - from < MOST_SPACE && SPACE.test(text[at])) at += 1;
  return at === text.length || ',:}]'.includes(text[at]);
}
