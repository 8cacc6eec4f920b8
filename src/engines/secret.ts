/** @module A key that servers may repeat, and that stands in no message. */

/** So many characters of a key in a row give it away; fewer are in every text. */
const PIECE = 5;
/** A key that is shorter may be a word that answers hold. */
const LEAST_IN_ANSWERS = 8;
/** An escape may itself be escaped. */
const LAYERS = 3;
const HIDDEN = '***';

/** Keys are ASCII; other letters may change their length. */
const lowered = (text: string): string => text.replace(/[A-Z]+/gu, (letters) => letters.toLowerCase());

type Decoder = (text: string) => string;
const codePoint = (digits: string, base: number): string => {
  const code = Number.parseInt(digits, base);
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : '';
};
/** The ways in which JSON, URLs and HTML write characters. */
const unescaped: Decoder = (text) =>
  text
    .replace(/(?<!\\)\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2}))/giu, (_, u?: string, x?: string) =>
      codePoint(u ?? x ?? '', 16),
    )
    .replace(/%([0-9a-f]{2})/giu, (_, hex: string) => codePoint(hex, 16))
    .replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/giu, (_, hex?: string, decimal?: string) =>
      hex === undefined ? codePoint(decimal ?? '', 10) : codePoint(hex, 16),
    );
/** Every way to read runs of letters as base64: they may begin within other ones. */
const fromBase64: Decoder = (text) =>
  (text.match(/[A-Za-z0-9+/_-]{6,}/gu) ?? [])
    .flatMap((run) => [0, 1, 2, 3].map((from) => Buffer.from(run.slice(from), 'base64').toString('latin1')))
    .join('\n');
const fromHex: Decoder = (text) =>
  (text.match(/(?:[0-9a-f]{2}){4,}/giu) ?? [])
    .map((run) => Buffer.from(run, 'hex').toString('latin1'))
    .join('\n');

export class Secret {
  readonly #value: string;
  readonly #pieces = new Set<string>();
  readonly #length: number;

  constructor(value: string) {
    this.#value = value;
    const lower = lowered(value);
    this.#length = Math.min(PIECE, lower.length);
    for (let at = 0; at + this.#length <= lower.length; at++)
      this.#pieces.add(lower.slice(at, at + this.#length));
  }

  get value(): string {
    return this.#value;
  }

  /** A model's words without the key as it is; parts of it may be words of an answer. */
  hiddenInAnswer(text: string): string {
    return this.#value.length < LEAST_IN_ANSWERS ? text : text.replaceAll(this.#value, HIDDEN);
  }

  /** A message without the key, parts of it, and words that hold it in another spelling (escaped, percent-encoded, base64, hex). */
  hiddenIn(text: string): string {
    const covered = new Uint8Array(text.length);
    for (const at of this.#places(text)) covered.fill(1, at, at + this.#length);
    for (const { 0: word, index } of text.matchAll(/[^\s"'<>]+/gu)) {
      if (this.#disguisedIn(word)) covered.fill(1, index, index + word.length);
    }
    let shown = '';
    for (let at = 0; at < text.length; at++) {
      if (covered[at] === 0) shown += text[at];
      else if (covered[at - 1] !== 1) shown += HIDDEN;
    }
    return shown;
  }

  #disguisedIn(word: string): boolean {
    let plain = word;
    for (let layer = 0; layer < LAYERS; layer++) {
      const readings = [fromBase64(plain), fromHex(plain)];
      plain = unescaped(plain);
      if ([plain, ...readings].some((reading) => this.#places(reading).length > 0 && reading !== word))
        return true;
    }
    return false;
  }

  /** Where pieces of the key begin. */
  #places(text: string): number[] {
    const lower = lowered(text);
    const found: number[] = [];
    for (let at = 0; at + this.#length <= lower.length; at++) {
      if (this.#pieces.has(lower.slice(at, at + this.#length))) found.push(at);
    }
    return found;
  }
}
