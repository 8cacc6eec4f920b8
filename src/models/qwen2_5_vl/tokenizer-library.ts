/** @module The part of @huggingface/tokenizers that is used here; its own types do not resolve under NodeNext. */
import { Tokenizer } from '@huggingface/tokenizers';

export interface LibraryPreTokenizer {
  /** The pieces of one text. */
  pre_tokenize_text(text: string): string[];
}

export interface LibraryTokenizer {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: number[] };
  /** Throws for an empty list. */
  decode(ids: readonly number[], options: { readonly skip_special_tokens: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  readonly model: { encode(words: readonly string[]): string[] };
  /** `tokenizers` where the folder names a sequence of them. */
  readonly pre_tokenizer: { readonly tokenizers?: readonly LibraryPreTokenizer[] } | null;
}

/** Builds the library's tokenizer from a parsed tokenizer.json; throws whatever the library does. */
export function createLibraryTokenizer(
  json: object,
  config: { readonly clean_up_tokenization_spaces?: boolean },
): LibraryTokenizer {
  return new Tokenizer(json, config);
}

/** Cuts a text into words by a `Split` rule of tokenizer.json; what the pattern does not match is a word too. */
export function splitter(pattern: string): LibraryPreTokenizer {
  const rule = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
  return onlyPreTokenizer(rule);
}

/** Writes a word's UTF-8 bytes as one printable character each. */
export function byteLevel(): LibraryPreTokenizer {
  return onlyPreTokenizer({ type: 'ByteLevel', add_prefix_space: false, use_regex: false });
}

/** The classes of single steps have no types either, so a whole tokenizer is built around one. */
function onlyPreTokenizer(rule: object): LibraryPreTokenizer {
  const library = createLibraryTokenizer(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Sequence', pretokenizers: [rule] },
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab: {}, merges: [] },
    },
    {},
  );
  const step = library.pre_tokenizer?.tokenizers?.[0];
  if (step === undefined) throw new TypeError('the library built no pre-tokenizer');
  return step;
}
