/** @module Rules of tokenizer.json that the library would follow wrongly, without end, or without a word. */
import { isJsonObject } from '../../checkpoint/json.js';

/** How many times as long a text may become by replacements: each published tokenizer has a handful that double it at most. */
const MAX_GROWTH = 256;
/** Rules within rules; published tokenizers have sequences of steps, two deep. */
const MAX_DEPTH = 16;

/** @throws Error that says what is wrong with a normalizer, pre-tokenizer, post-processor or decoder. */
export function checkRules(rules: unknown): void {
  let growth = 1;
  const check = (rule: unknown, depth: number): void => {
    if (depth > MAX_DEPTH) throw new Error(`its rules are nested more than ${MAX_DEPTH} deep`);
    if (Array.isArray(rule)) for (const item of rule) check(item, depth + 1);
    if (!isJsonObject(rule)) return;
    const { pattern, content } = rule;
    if (pattern !== undefined) checkPattern(pattern);
    if (typeof content === 'string') growth *= content.length + 1;
    if (growth > MAX_GROWTH)
      throw new Error(`its replacements make a text more than ${MAX_GROWTH} times as long`);
    for (const item of Object.values(rule)) check(item, depth + 1);
  };
  check(rules, 0);
}

/** The library leaves a text out where it does not know the kind of a pattern. */
function checkPattern(pattern: unknown): void {
  const { Regex, String: text } = isJsonObject(pattern) ? pattern : {};
  if (typeof Regex === 'string' || typeof text === 'string') return;
  throw new Error(`the pattern ${JSON.stringify(pattern)} is neither a regular expression nor a text`);
}
