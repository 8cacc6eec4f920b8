import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isJsonObject, type JsonObject, readJsonObject } from '../../checkpoint/json.js';
import { messageOf, UserError } from '../../util/errors.js';
import { withinTime } from '../../util/time-limit.js';
import { tokenBytes } from './byte-alphabet.js';
import { QWEN2_PATTERN } from './qwen2-pattern.js';
import {
  byteLevel as byteLevelStep,
  createLibraryTokenizer,
  type LibraryPreTokenizer,
  type LibraryTokenizer,
  splitter,
} from './tokenizer-library.js';
import { checkRules } from './tokenizer-rules.js';
import { TokenFinder } from './token-finder.js';

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

/** Bytes to text, a rule without settings that could cost anything. */
const decoderSchema = z.object({ type: z.literal('ByteLevel') });

/** Patterns of published models that read any text in linear time. */
const LINEAR_PATTERNS: ReadonlySet<string> = new Set([QWEN2_PATTERN]);
/** Far more than the largest vocabularies take, in milliseconds. */
const BUILD_MS = 60_000;
/** What a stranger's rules may take for one text, in milliseconds. */
const RULES_MS = 5000;

/** Models that name image or sound tokens one by one have tens of thousands. */
const MAX_ADDED_TOKENS = 100_000;

/** Far more than any vocabulary; ids above it would make a table of empty places. */
const MAX_TOKEN_ID = 2 ** 24;
const addedTokenSchema = z.looseObject({
  id: z.int().min(0).max(MAX_TOKEN_ID),
  content: z.string().min(1),
  special: z.boolean().default(false),
});
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).max(MAX_ADDED_TOKENS).default([]),
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

/** Runs of spaces are the longest tokens of published vocabularies, with a few hundred characters. */
const MAX_TOKEN_LENGTH = 4096;

function isVocabulary(value: unknown): boolean {
  const isId = (id: unknown): boolean =>
    Number.isInteger(id) && Number(id) >= 0 && Number(id) <= MAX_TOKEN_ID;
  return (
    isJsonObject(value) &&
    Object.entries(value).every(([token, id]) => token.length <= MAX_TOKEN_LENGTH && isId(id))
  );
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
  readonly #findAdded: TokenFinder;
  readonly #findPlainAdded: TokenFinder;
  readonly #name: string;
  /** Whether the pattern that cuts words is known to be linear; any other is run under a time limit. */
  readonly #isKnown: boolean;
  readonly #hasKnownDecoder: boolean;

  private constructor(json: TokenizerJson, config: JsonObject, name: string) {
    this.#name = name;
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
    this.#findAdded = new TokenFinder(added.map(({ content }) => content));
    this.#findPlainAdded = new TokenFinder(plain.map(({ content }) => content));
    const wordwise = wordwiseSchema.safeParse(json);
    const pattern = wordwise.data?.pre_tokenizer.pretokenizers[0].pattern.Regex;
    this.#isKnown = pattern !== undefined && LINEAR_PATTERNS.has(pattern);
    this.#hasKnownDecoder = decoderSchema.safeParse(json.decoder).success;
    this.#words =
      pattern !== undefined
        ? new WordEncoder(this.#library, pattern)
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
        { code: 'invalid_checkpoint' },
      );
    }
    try {
      return withinTime(BUILD_MS, `building the tokenizer of ${name}`, () => {
        const { normalizer, pre_tokenizer, post_processor, decoder } = parsed.data;
        for (const rules of [normalizer, pre_tokenizer, post_processor, decoder]) checkRules(rules);
        return new Tokenizer(parsed.data, config, name);
      });
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `${name} describes a tokenizer that cannot be built (${messageOf(error)}); take the file from its source again`,
        { code: 'invalid_checkpoint', cause: error },
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

  /**
   * Token ids of a text.
   * @throws UserError where the rules of tokenizer.json fail, or take longer than 5 s.
   */
  encode(text: string, { special = true }: EncodeOptions = {}): number[] {
    const encode = (): number[] => this.#encode(text, special);
    return this.#untrusted(
      this.#isKnown ? encode : () => withinTime(RULES_MS, `reading a text by ${this.#name}`, encode),
    );
  }

  #encode(text: string, special: boolean): number[] {
    const words = this.#words;
    if (!(words instanceof WordEncoder)) {
      const library = special ? this.#library : words;
      const { ids } = library.encode(text, { add_special_tokens: false });
      // A text that the vocabulary has no token for, and no token for that either.
      if (!ids.every(Number.isInteger)) throw new Error('some of the text has no token');
      return ids;
    }
    const find = special ? this.#findAdded : this.#findPlainAdded;
    const ids: number[] = [];
    find.split(text).forEach((part, i) => {
      const id = i % 2 === 1 ? this.#addedTokens.get(part) : undefined;
      if (id !== undefined) ids.push(id);
      else if (part !== '') words.encode(part, ids);
    });
    return ids;
  }

  /** What the library throws at a rule that it cannot follow is the file's fault. */
  #untrusted<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `${this.#name} has rules that cannot be followed (${messageOf(error)}); take the file from its source again`,
        { code: 'invalid_checkpoint', cause: error },
      );
    }
  }

  /** The text of token ids; ids without a token (a model's vocabulary may be larger) add nothing. */
  decode(ids: readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string {
    const known = ids.filter((id) => this.#library.id_to_token(id) !== undefined);
    // The library throws for an empty list.
    if (known.length === 0) return '';
    const decode = (): string => this.#library.decode(known, { skip_special_tokens: skipSpecialTokens });
    if (this.#hasKnownDecoder) return decode();
    return this.#untrusted(() => withinTime(RULES_MS, `writing a text by ${this.#name}`, decode));
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
    for (const word of this.#split.pre_tokenize_text(composed(text))) {
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

/** Marks on one character: more than any script writes, and putting n of them in order takes n² steps. */
const MAX_MARKS = 256;
const MANY_MARKS = new RegExp(`\\p{M}{${MAX_MARKS + 1}}`, 'u');
const MARKED = new RegExp(`\\P{M}*\\p{M}{0,${MAX_MARKS}}`, 'gu');

/** NFC, in which marks beyond the 256th on one character are put in order for themselves. */
function composed(text: string): string {
  if (!MANY_MARKS.test(text)) return text.normalize('NFC');
  return text.replace(MARKED, (piece) => piece.normalize('NFC'));
}

/** A JSON object that a folder may lack; a UserError where the file is there and cannot be read. */
export function readOptionalJsonObject(path: string): JsonObject | undefined {
  return existsSync(path) ? readJsonObject(path) : undefined;
}
