import { isJsonObject, type JsonObject } from './json.js';

/**
 * Whether a config says that the output head shares the embedding's weight. One true is enough, inside of `text_config`
 * or outside: transformers lifts it from there (huggingface/transformers#45857), and releases that did not wrote false
 * outside beside it.
 */
export function isTied(config: JsonObject): boolean {
  const text = isJsonObject(config.text_config) ? config.text_config : {};
  return config.tie_word_embeddings === true || text.tie_word_embeddings === true;
}
