import { UserError } from '../../util/errors.js';

const FIRST_PRIVATE = 0xe000;
const LAST_PRIVATE = 0xf8ff;
/** Characters that words and markup are full of, and that templates look for: these stay as they are where possible. */
const COMMON = /[\p{L}\p{N}\s_<>/]/u;

/**
 * Keeps the words of a message from ever becoming a special token in a rendered chat.
 *
 * Each special token has a mark (Qwen's: `|`). In messages every mark is written as two private-use characters before the
 * template is rendered, and written back in the pieces of text after the special tokens have been found. So a special
 * token has its mark from the template alone: neither a name in the text, nor two halves in neighbouring texts, nor what
 * a template's filter leaves of one can make it.
 */
export class ProtectedText {
  readonly #escape: string;
  /** What is escaped; the escaping character itself stands first. */
  readonly #marks: readonly string[];
  readonly #find: RegExp;
  readonly #findEscaped: RegExp;

  /** `template` is the source of what will be rendered: its own characters are never taken for escapes. */
  constructor(specialTokens: Iterable<string>, template: string) {
    const marks = [...new Set(Array.from(specialTokens, markOf))];
    const start = freeBlock(template, marks.length + 1);
    this.#escape = String.fromCharCode(start);
    this.#marks = [this.#escape, ...marks];
    const all = this.#marks.map((mark) => mark.replace(/[\\^\]-]/g, '\\$&')).join('');
    this.#find = new RegExp(`[${all}]`, 'gu');
    const last = String.fromCharCode(start + marks.length);
    this.#findEscaped = new RegExp(`${this.#escape}([${this.#escape}-${last}])`, 'g');
  }

  /** The text without marks. */
  protect(text: string): string {
    return text.replace(
      this.#find,
      (mark) => this.#escape + String.fromCharCode(this.#escape.charCodeAt(0) + this.#marks.indexOf(mark)),
    );
  }

  /** The text as it was before `protect`. */
  restore(text: string): string {
    return text.replace(
      this.#findEscaped,
      (_, code: string) => this.#marks[code.charCodeAt(0) - this.#escape.charCodeAt(0)],
    );
  }
}

/** The first uncommon character of a special token, else its first. */
function markOf(token: string): string {
  const characters = Array.from(token);
  return characters.find((character) => !COMMON.test(character)) ?? characters[0];
}

/** The start of `length` private-use characters in a row of which the template has none. */
function freeBlock(template: string, length: number): number {
  for (let start = FIRST_PRIVATE; start + length - 1 <= LAST_PRIVATE; start++) {
    let used = 0;
    while (used < length && !template.includes(String.fromCharCode(start + used))) used++;
    if (used === length) return start;
    start += used;
  }
  throw new UserError(
    'the chat template uses every private-use character, so messages cannot be kept apart from it; use another template',
  );
}
