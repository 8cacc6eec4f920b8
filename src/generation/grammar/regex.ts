/**
 * @module Regular expressions in JavaScript's syntax (flag `u`), as far as they describe a regular language: literals,
 * `.`, classes, groups, alternatives, repetitions. The whole text is matched: there are no anchors.
 */
import { UserError } from '../../util/errors.js';
import { complement, DIGITS, LINE_ENDS, type Range, SPACE, union, WORD } from './code-points.js';

export type Regex =
  | { readonly kind: 'character'; readonly ranges: readonly Range[] }
  | { readonly kind: 'sequence'; readonly items: readonly Regex[] }
  | { readonly kind: 'choice'; readonly options: readonly Regex[] }
  /** `max` null: without an end. */
  | { readonly kind: 'repeat'; readonly item: Regex; readonly min: number; readonly max: number | null };

/** Repetitions are written out one by one. */
const MAX_COUNT = 1000;

const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, v: 0x0b, f: 0x0c };
const SYNTAX = '^$\\.*+?()[]{}|/';

/** @throws UserError where the pattern is none, or asks for what no regular language has. */
export function parseRegex(pattern: string): Regex {
  const parser = new Parser(pattern);
  return parser.parse();
}

class Parser {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  parse(): Regex {
    const regex = this.#choice();
    if (this.#at < this.#characters.length) throw this.#error('a ) without its (');
    return regex;
  }

  #choice(): Regex {
    const options = [this.#sequence()];
    while (this.#eat('|')) options.push(this.#sequence());
    return options.length === 1 ? options[0] : { kind: 'choice', options };
  }

  #sequence(): Regex {
    const items: Regex[] = [];
    while (this.#at < this.#characters.length && !'|)'.includes(this.#peek())) items.push(this.#repeated());
    return items.length === 1 ? items[0] : { kind: 'sequence', items };
  }

  #repeated(): Regex {
    const item = this.#atom();
    const count = this.#count();
    if (count === null) return item;
    // A lazy repetition has the same texts.
    this.#eat('?');
    return { kind: 'repeat', item, ...count };
  }

  #count(): { min: number; max: number | null } | null {
    if (this.#eat('*')) return { min: 0, max: null };
    if (this.#eat('+')) return { min: 1, max: null };
    if (this.#eat('?')) return { min: 0, max: 1 };
    const [found, low, comma = '', high = ''] = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#rest(16)) ?? [];
    if (found === undefined) return null;
    this.#at += found.length;
    const min = Number(low);
    const max = comma === '' ? min : high === '' ? null : Number(high);
    if (Math.max(min, max ?? 0) > MAX_COUNT) throw this.#error(`more than ${MAX_COUNT} repetitions`);
    if (max !== null && max < min) throw this.#error('a repetition with its numbers out of order');
    return { min, max };
  }

  #atom(): Regex {
    if (this.#eat('(')) {
      if (this.#eat('?') && !this.#eat(':')) {
        throw this.#error('a group that begins with "(?", of which only "(?:" is understood');
      }
      const group = this.#choice();
      if (!this.#eat(')')) throw this.#error('a ( without its )');
      return group;
    }
    if (this.#eat('[')) return { kind: 'character', ranges: this.#class() };
    if (this.#eat('.')) return { kind: 'character', ranges: complement(LINE_ENDS) };
    if (this.#eat('\\')) {
      const escaped = this.#escape(SYNTAX);
      return { kind: 'character', ranges: typeof escaped === 'number' ? [[escaped, escaped]] : escaped };
    }
    if ('^$'.includes(this.#peek()))
      throw this.#error('an anchor, though the whole answer is matched anyway');
    if (SYNTAX.replace('/', '').includes(this.#peek())) throw this.#error(`a "${this.#peek()}" without a \\`);
    const code = this.#literal();
    return { kind: 'character', ranges: [[code, code]] };
  }

  #class(): Range[] {
    const negated = this.#eat('^');
    const ranges: Range[] = [];
    while (!this.#eat(']')) {
      const low = this.#classAtom();
      if (this.#peek() !== '-' || this.#characters[this.#at + 1] === ']') {
        ranges.push(...(typeof low === 'number' ? [[low, low] as const] : low));
        continue;
      }
      this.#at++;
      const high = this.#classAtom();
      if (typeof low !== 'number' || typeof high !== 'number' || high < low) {
        throw this.#error('a range of characters out of order');
      }
      ranges.push([low, high]);
    }
    return negated ? complement(ranges) : union(ranges);
  }

  #classAtom(): number | readonly Range[] {
    if (!this.#eat('\\')) return this.#literal();
    return this.#eat('b') ? 0x08 : this.#escape(`${SYNTAX}-`);
  }

  /** What follows a backslash: one character or a class. */
  #escape(syntax: string): number | readonly Range[] {
    const letter = this.#peek();
    if (letter !== '' && syntax.includes(letter)) return this.#literal();
    if (Object.hasOwn(CLASSES, letter)) {
      this.#at++;
      return CLASSES[letter];
    }
    if (Object.hasOwn(CONTROLS, letter)) {
      this.#at++;
      return CONTROLS[letter];
    }
    const rest = this.#rest(12);
    const pair = /^u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/i.exec(rest);
    const hex = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\})/i.exec(rest);
    const control = /^c([a-z])/i.exec(rest);
    const zero = /^0(?!\d)/.exec(rest);
    const found = pair ?? hex ?? control ?? zero;
    if (found === null) throw this.#error(`the escape "\\${letter}", which is not understood`);
    const code =
      pair !== null
        ? (String.fromCharCode(...pair.slice(1).map((half) => Number.parseInt(half, 16))).codePointAt(0) ?? 0)
        : hex !== null
          ? Number.parseInt(hex[1] ?? hex[2] ?? hex[3], 16)
          : (control?.[1].charCodeAt(0) ?? 0) % 32;
    if (code > 0x10ffff || isSurrogate(code)) throw this.#error('an escape that is no character');
    this.#at += found[0].length;
    return code;
  }

  #literal(): number {
    const code = this.#peek().codePointAt(0);
    if (code === undefined) throw this.#error('an unexpected end');
    if (isSurrogate(code)) throw this.#error('half a UTF-16 pair');
    this.#at++;
    return code;
  }

  #peek(): string {
    return this.#characters[this.#at] ?? '';
  }

  #rest(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('');
  }

  #eat(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #error(what: string): UserError {
    const pattern = this.#characters.join('');
    return new UserError(
      `the grammar "${pattern}" has ${what}, at character ${this.#at + 1}; ` +
        'write literals, classes, groups, alternatives and repetitions as in a JavaScript regular expression',
    );
  }
}

const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;
