import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isJsonObject, type JsonObject, readJsonObject } from '../../checkpoint/json.js';
import { messageOf, UserError } from '../../util/errors.js';
import { tokenBytes } from './byte-alphabet.js';
import {
  byteLevel as byteLevelStep,
  createLibraryTokenizer,
  type LibraryPreTokenizer,
  type LibraryTokenizer,
  splitter,
} from './tokenizer-library.js';

const byteLevel = z.object({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.literal(false),
  use_regex: z.literal(false),
});
const split = z.object({
  type: z.literal('Split'),
  pattern: z.object({ Regex: z.string() }),
  behavior: z.literal('Isolated'),
  invert: z.literal(false),
});
/** Qwen2's pipeline: NFC, words by a regular expression, bytes, merges. Only for it are words encoded one by one. */
const wordwiseSchema = z.object({
  normalizer: z.object({ type: z.literal('NFC') }),
  pre_tokenizer: z.object({
    type: z.literal('Sequence'),
    pretokenizers: z.tuple([split, byteLevel]),
  }),
  model: z.object({
    type: z.literal('BPE'),
    dropout: z.null().optional(),
    unk_token: z.null().optional(),
    byte_fallback: z.literal(false).optional(),
  }),
  added_tokens: z.array(
    z.object({
      normalized: z.literal(false),
      lstrip: z.literal(false),
      rstrip: z.literal(false),
      single_word: z.literal(false),
    }),
  ),
});

/** Far more than any vocabulary; ids above it would make a table of empty places. */
const MAX_TOKEN_ID = 2 ** 24;
const addedTokenSchema = z.looseObject({
  id: z.int().min(0).max(MAX_TOKEN_ID),
  content: z.string().min(1),
  special: z.boolean().default(false),
});
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).default([]),
  normalizer: z.unknown().default(null),
  pre_tokenizer: z.unknown().default(null),
  post_processor: z.unknown().default(null),
  decoder: z.unknown().default(null),
  // Copied by reference: a vocabulary may hold any string, "__proto__" too.
  model: z.looseObject({
    type: z.literal('BPE'),
    vocab: z.custom<Readonly<Record<string, number>>>(isVocabulary, 'is no table of token ids'),
    merges: z.array(z.unknown()),
  }),
});

function isVocabulary(value: unknown): boolean {
  const isId = (id: unknown): boolean =>
    Number.isInteger(id) && Number(id) >= 0 && Number(id) <= MAX_TOKEN_ID;
  return isJsonObject(value) && Object.values(value).every(isId);
}

type TokenizerJson = z.infer<typeof tokenizerSchema>;

export interface EncodeOptions {
  /** False: the names of special tokens in the text are plain text. Default true, as in transformers. */
  readonly special?: boolean;
}

export interface DecodeOptions {
  /** Default false, as in transformers. */
  readonly skipSpecialTokens?: boolean;
}

/** Words of a policy or an answer repeat; this many of them are remembered, then all are forgotten. */
const MAX_CACHED_WORDS = 100_000;
/** Longer words are rare, and a hostile text must not fill the memory with them. */
const MAX_CACHED_LENGTH = 64;

/**
 * Text to token ids and back, as `tokenizer.json` says it (the format of Hugging Face's `tokenizers`).
 * Equal to transformers' fast tokenizer for byte-level BPE; nothing is added at either end.
 */
export class Tokenizer {
  /** The tokens that `skipSpecialTokens` leaves out, and their ids. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** One more than the largest id that has a token. */
  readonly vocabSize: number;
  readonly #library: LibraryTokenizer;
  /** Encodes word by word, or, for a pipeline unlike Qwen2's, the library that knows no special tokens. */
  readonly #words: WordEncoder | LibraryTokenizer;
  readonly #addedTokens: ReadonlyMap<string, number>;
  readonly #addedById: ReadonlyMap<number, { readonly content: string; readonly special: boolean }>;
  readonly #findAdded: RegExp | undefined;
  readonly #findPlainAdded: RegExp | undefined;

  private constructor(json: TokenizerJson, config: JsonObject) {
    const added = json.added_tokens;
    const plain = added.filter((token) => !token.special);
    // transformers cleans spaces up only where a folder asks for it; the library would by default.
    const settings = { clean_up_tokenization_spaces: config.clean_up_tokenization_spaces === true };
    this.#library = createLibraryTokenizer(json, settings);
    this.specialTokens = new Map(
      added.filter((token) => token.special).map(({ content, id }) => [content, id]),
    );
    let last = -1;
    for (const id of Object.values(json.model.vocab)) last = Math.max(last, id);
    for (const { id } of added) last = Math.max(last, id);
    this.vocabSize = last + 1;
    this.#addedTokens = new Map(added.map(({ content, id }) => [content, id]));
    this.#addedById = new Map(added.map((token) => [token.id, token]));
    this.#findAdded = alternation(added.map(({ content }) => content));
    this.#findPlainAdded = alternation(plain.map(({ content }) => content));
    const wordwise = wordwiseSchema.safeParse(json);
    this.#words = wordwise.success
      ? new WordEncoder(this.#library, wordwise.data.pre_tokenizer.pretokenizers[0].pattern.Regex)
      : createLibraryTokenizer({ ...json, added_tokens: plain }, settings);
  }

  /**
   * Reads `tokenizer.json` (and `tokenizer_config.json`, where it is there) of a checkpoint folder.
   * @throws UserError where the file is missing, is not JSON or describes no tokenizer.
   */
  static load(folder: string): Promise<Tokenizer> {
    return Promise.resolve().then(() => {
      const path = join(folder, 'tokenizer.json');
      const config = readOptionalJsonObject(join(folder, 'tokenizer_config.json'));
      return Tokenizer.fromJson(readJsonObject(path), config ?? {}, path);
    });
  }

  /** The same from the parsed files; `name` stands in the messages. */
  static fromJson(json: unknown, config: JsonObject = {}, name = 'tokenizer.json'): Tokenizer {
    const parsed = tokenizerSchema.safeParse(json);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new UserError(
        `${name} describes no tokenizer: ${issue?.path.join('.') || 'the whole file'}: ${issue?.message}; ` +
          'take the file from its source again',
      );
    }
    try {
      return new Tokenizer(parsed.data, config);
    } catch (error) {
      throw new UserError(
        `${name} describes a tokenizer that cannot be built (${messageOf(error)}); take the file from its source again`,
      );
    }
  }

  /** The id of a token, special or not; undefined where the vocabulary lacks it. */
  id(token: string): number | undefined {
    return this.#library.token_to_id(token);
  }

  /**
   * The bytes that a token of byte-level BPE adds to a text, which may be a part of a character. Undefined for special
   * tokens and for ids without a token.
   */
  bytesOf(id: number): Uint8Array | undefined {
    const added = this.#addedById.get(id);
    if (added !== undefined) return added.special ? undefined : new TextEncoder().encode(added.content);
    const token = this.#library.id_to_token(id);
    return token === undefined ? undefined : tokenBytes(token);
  }

  /** Token ids of a text. */
  encode(text: string, { special = true }: EncodeOptions = {}): number[] {
    const words = this.#words;
    if (!(words instanceof WordEncoder)) {
      const library = special ? this.#library : words;
      return library.encode(text, { add_special_tokens: false }).ids;
    }
    const find = special ? this.#findAdded : this.#findPlainAdded;
    const ids: number[] = [];
    // With one capturing group, split() puts what it found at the odd places.
    const parts = find === undefined ? [text] : text.split(find);
    parts.forEach((part, i) => {
      const id = i % 2 === 1 ? this.#addedTokens.get(part) : undefined;
      if (id !== undefined) ids.push(id);
      else if (part !== '') words.encode(part, ids);
    });
    return ids;
  }

  /** The text of token ids; ids without a token (a model's vocabulary may be larger) add nothing. */
  decode(ids: readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string {
    const known = ids.filter((id) => this.#library.id_to_token(id) !== undefined);
    // The library throws for an empty list.
    return known.length === 0 ? '' : this.#library.decode(known, { skip_special_tokens: skipSpecialTokens });
  }
}

/**
 * Encodes word by word and remembers each word's ids: training reads the same few thousand words again and again.
 * Merges never cross words, so this equals encoding the whole text.
 */
class WordEncoder {
  readonly #library: LibraryTokenizer;
  readonly #split: LibraryPreTokenizer;
  readonly #bytes = byteLevelStep();
  readonly #cache = new Map<string, readonly number[]>();

  constructor(library: LibraryTokenizer, pattern: string) {
    this.#library = library;
    this.#split = splitter(pattern);
  }

  /** Appends the ids of `text`, in which added tokens are plain text. */
  encode(text: string, ids: number[]): void {
    for (const word of this.#split.pre_tokenize_text(text.normalize('NFC'))) {
      for (const id of this.#idsOf(word)) ids.push(id);
    }
  }

  #idsOf(word: string): readonly number[] {
    const known = this.#cache.get(word);
    if (known !== undefined) return known;
    const tokens = this.#library.model.encode(this.#bytes.pre_tokenize_text(word));
    const ids = tokens.flatMap((token) => this.#library.token_to_id(token) ?? []);
    if (word.length <= MAX_CACHED_LENGTH) {
      if (this.#cache.size >= MAX_CACHED_WORDS) this.#cache.clear();
      this.#cache.set(word, ids);
    }
    return ids;
  }
}

/** A JSON object that a folder may lack; a UserError where the file is there and cannot be read. */
export function readOptionalJsonObject(path: string): JsonObject | undefined {
  return existsSync(path) ? readJsonObject(path) : undefined;
}

/** Matches any of the strings, the longest first, in one capturing group; undefined where there are none. */
export function alternation(strings: readonly string[]): RegExp | undefined {
  if (strings.length === 0) return undefined;
  const longestFirst = [...strings].sort((a, b) => b.length - a.length);
  return new RegExp(`(${longestFirst.map((s) => s.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|')})`);
}
