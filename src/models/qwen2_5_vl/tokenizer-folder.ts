import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../../util/errors.js';
import type { AddedToken, TrainedTokenizer } from './bpe-trainer.js';
import { QWEN2_PATTERN } from './qwen2-pattern.js';

const END_OF_TEXT = '<|endoftext|>';
const IM_END = '<|im_end|>';

/** Qwen2.5-VL's special tokens in the order of their ids. */
const QWEN_SPECIAL_TOKENS: readonly string[] = [
  END_OF_TEXT,
  '<|im_start|>',
  IM_END,
  '<|object_ref_start|>',
  '<|object_ref_end|>',
  '<|box_start|>',
  '<|box_end|>',
  '<|quad_start|>',
  '<|quad_end|>',
  '<|vision_start|>',
  '<|vision_end|>',
  '<|vision_pad|>',
  '<|image_pad|>',
  '<|video_pad|>',
];

/** Qwen's special tokens, then `words`: tokens that are plain text to whoever reads the answer. */
export function qwenAddedTokens(words: readonly string[]): AddedToken[] {
  return [
    ...QWEN_SPECIAL_TOKENS.map((content) => ({ content, special: true })),
    ...words.map((content) => ({ content, special: false })),
  ];
}

/** Renders as Qwen2.5-VL's template does (the golden `template.json` decides). */
export const QWEN_CHAT_TEMPLATE = [
  '{% set seen = namespace(images=0, videos=0) %}',
  "{% if messages and messages[0]['role'] != 'system' %}",
  '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n',
  '{% endif %}',
  '{% for message in messages %}',
  "<|im_start|>{{ message['role'] }}\n",
  "{% if message['content'] is string %}{{ message['content'] }}{% else %}",
  "{% for part in message['content'] %}",
  "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}",
  '{% set seen.images = seen.images + 1 %}',
  '{% if add_vision_id %}Picture {{ seen.images }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>',
  "{% elif part['type'] == 'video' or 'video' in part %}",
  '{% set seen.videos = seen.videos + 1 %}',
  '{% if add_vision_id %}Video {{ seen.videos }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>',
  "{% elif 'text' in part %}{{ part['text'] }}{% endif %}",
  '{% endfor %}{% endif %}<|im_end|>\n',
  '{% endfor %}',
  '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
].join('');

/** transformers' words for how an added token is found: exactly as written, anywhere. */
const EXACTLY = { single_word: false, lstrip: false, rstrip: false, normalized: false } as const;

/** `tokenizer.json` of a byte-level BPE with Qwen2's pipeline. */
export function tokenizerJson({ vocab, merges, addedTokens }: TrainedTokenizer): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map(({ content, special }, i) => ({
      id: vocab.length + i,
      content,
      ...EXACTLY,
      special,
    })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN2_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges,
    },
  };
}

/** `tokenizer_config.json` in the layout of the hub's Qwen2.5-VL folders. */
export function tokenizerConfigJson({ vocab, addedTokens }: TrainedTokenizer, maxLength: number): object {
  const decoder = addedTokens.map(
    ({ content, special }, i) => [String(vocab.length + i), { content, ...EXACTLY, special }] as const,
  );
  const special = addedTokens.filter((token) => token.special).map((token) => token.content);
  return {
    add_bos_token: false,
    add_prefix_space: false,
    bos_token: null,
    eos_token: IM_END,
    pad_token: END_OF_TEXT,
    unk_token: null,
    errors: 'replace',
    split_special_tokens: false,
    clean_up_tokenization_spaces: false,
    model_max_length: maxLength,
    tokenizer_class: 'Qwen2Tokenizer',
    additional_special_tokens: special.filter((content) => content !== END_OF_TEXT),
    added_tokens_decoder: Object.fromEntries(decoder),
    chat_template: QWEN_CHAT_TEMPLATE,
  };
}

export interface WriteTokenizerOptions {
  /** Positions of the model, which transformers warns beyond. */
  readonly maxLength: number;
}

/**
 * Writes the tokenizer's part of a checkpoint folder, as transformers 4 and 5 read it.
 * @throws UserError where the folder cannot be written.
 */
export async function writeTokenizerFolder(
  folder: string,
  tokenizer: TrainedTokenizer,
  { maxLength }: WriteTokenizerOptions,
): Promise<void> {
  const files: readonly (readonly [string, string])[] = [
    ['tokenizer.json', json(tokenizerJson(tokenizer))],
    ['tokenizer_config.json', json(tokenizerConfigJson(tokenizer, maxLength))],
    ['chat_template.json', json({ chat_template: QWEN_CHAT_TEMPLATE })],
    ['chat_template.jinja', QWEN_CHAT_TEMPLATE],
  ];
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of files) await writeFile(join(folder, name), text);
  } catch (error) {
    throw new UserError(
      `the tokenizer cannot be written to ${folder} (${messageOf(error)}); check the path and the space`,
    );
  }
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
