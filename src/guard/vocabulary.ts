/** @module The words that a checkpoint was trained to read policies in. The list travels with the checkpoint. */
import { z } from 'zod';
import { readRegularFile } from '../checkpoint/read-file.js';
import { UserError } from '../util/errors.js';

/** Far more words than any model of this kind is taught. */
const MAX_VOCABULARY_BYTES = 1_000_000;
/** Words that a note names. */
const MAX_NAMED = 12;
/** Characters of a word that a note shows. */
const MAX_WORD = 30;

const texts = z.array(z.string().min(1));
const schema = z.strictObject({
  /** Every word of the training's policies, in lower case. */
  words: texts,
  /** Those that only sentences which rule something have: "banned", "only", "may". */
  ruling: texts,
  /** What the policies call each category that an answer may name. */
  subjects: z.record(z.string(), texts),
});

/** What the vocabulary file of a checkpoint holds. */
export type VocabularyData = z.infer<typeof schema>;

/** A word, a number, or a sign such as an emoji. Punctuation is none. */
const WORD = /[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*|\p{N}+|\p{S}/gu;

const wordsOf = (text: string): string[] => text.match(WORD) ?? [];

/** A statement held against the vocabulary. */
export interface KnownStatement {
  /** Words that the model was never trained on, each once, as they are written and in their order. */
  readonly unknown: readonly string[];
  /** The categories that it names. */
  readonly subjects: ReadonlySet<string>;
  /** Whether it has a word that only rulings have. */
  readonly rules: boolean;
}

/** The words of a checkpoint's training policies. */
export class Vocabulary {
  readonly #words: ReadonlySet<string>;
  readonly #ruling: ReadonlySet<string>;
  readonly #subjects: readonly (readonly [category: string, phrase: string])[];
  readonly #read = new WeakMap<readonly string[], readonly KnownStatement[]>();

  constructor({ words, ruling, subjects }: VocabularyData) {
    this.#words = new Set(words);
    this.#ruling = new Set(ruling);
    this.#subjects = Object.entries(subjects).flatMap(([category, phrases]) =>
      phrases.map((phrase) => [category, ` ${phrase} `] as const),
    );
  }

  /** @throws UserError where the file cannot be read, is too large, or is no such list. */
  static load(path: string): Vocabulary {
    const text = readRegularFile(path, MAX_VOCABULARY_BYTES).toString('utf8');
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    const data = schema.safeParse(value);
    if (data.success) return new Vocabulary(data.data);
    throw new UserError(
      `${path} is not understood; it should be like {"words": ["no", "weapons"], "ruling": ["no"], "subjects": {"weapons": ["weapons"]}}`,
      { code: 'invalid_checkpoint' },
    );
  }

  /** Each statement of a policy, in order; computed once for a list. */
  statements(statements: readonly string[]): readonly KnownStatement[] {
    const known = this.#read.get(statements) ?? statements.map((text) => this.#statement(text));
    this.#read.set(statements, known);
    return known;
  }

  /** Words of the statements that the model was never trained on, each once, in their order. */
  unknownWords(statements: readonly string[]): string[] {
    return [...new Set(this.statements(statements).flatMap(({ unknown }) => unknown))];
  }

  #statement(text: string): KnownStatement {
    const written = wordsOf(text);
    const lower = written.map((word) => word.toLowerCase());
    const line = ` ${lower.join(' ')} `;
    const named = this.#subjects.filter(([, phrase]) => line.includes(phrase));
    return {
      unknown: [...new Set(written.filter((word, i) => !this.#knows(word, lower[i], i === 0)))],
      subjects: new Set(named.map(([category]) => category)),
      rules: lower.some((word) => this.#ruling.has(word)),
    };
  }

  /** Letters are what the model reads: training has capitals at the beginning of a sentence and nowhere else. */
  #knows(word: string, lower: string, opens: boolean): boolean {
    const isWritten = word === lower || (opens && word.slice(1) === lower.slice(1));
    return isWritten && this.#words.has(lower);
  }
}

/** One sentence for whoever wrote the policy; null where every word is known. */
export function unknownWordsNote(model: string, title: string, words: readonly string[]): string | null {
  if (words.length === 0) return null;
  const named = words
    .slice(0, MAX_NAMED)
    .map((word) => (word.length > MAX_WORD ? `${word.slice(0, MAX_WORD)}…` : word));
  const more = words.length - named.length;
  return (
    `${model} was never trained on these words of ${title}: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}; ` +
    'where a verdict would rest on them it is invalid; say it in other words, or give a Qwen2.5-VL guardrail with --model'
  );
}
