/** @module P(unsafe) from the log-probabilities of the token that wrote the verdict word. */
import type { EngineToken } from '../engines/engine.js';
import type { VerdictWords } from './profile.js';

/** Rounding may leave the log-probability of a certain token a little above 0. */
const LARGEST_LOGPROB = 0.01;

/** The most alternatives that OpenAI's interface reports for a token; all engines are asked for so many. */
export const TOP_LOGPROBS = 20;

/**
 * P(unsafe) = p(unsafe) / (p(unsafe) + p(safe)) over the alternatives of the token that holds the character at `offset`
 * (UTF-16 units) of the text. An alternative speaks for a side if it can begin one of the side's words there. A side that
 * none of the reported alternatives speaks for is given what they leave of the whole, at most the weight of the last.
 * Null where there is no such token, or it speaks for neither side.
 */
export function unsafeProbability(
  tokens: readonly EngineToken[],
  offset: number,
  words: VerdictWords,
): number | null {
  const found = tokenAt(tokens, offset);
  if (found === null) return null;
  const { token, before } = found;
  const sideOf = (text: string): 'safe' | 'unsafe' | null => {
    if (text.slice(0, before.length) !== before) return null;
    const rest = text.slice(before.length).trimStart().toLowerCase();
    return sideThatBegins(rest, words);
  };
  if (sideOf(token.text) === null) return null;
  const alternatives = token.top.length > 0 ? token.top : [token];
  const weights = { safe: 0, unsafe: 0 };
  let total = 0;
  let least = 1;
  for (const { text, logprob } of alternatives) {
    // Servers have been seen to report numbers that are no log-probabilities.
    if (!(logprob <= LARGEST_LOGPROB)) continue;
    const probability = Math.exp(Math.min(0, logprob));
    total += probability;
    least = Math.min(least, probability);
    const side = sideOf(text);
    if (side !== null) weights[side] += probability;
  }
  const unseen = Math.max(0, Math.min(least, 1 - total));
  const safe = weights.safe || unseen;
  const unsafe = weights.unsafe || unseen;
  return safe + unsafe > 0 ? unsafe / (safe + unsafe) : null;
}

/** The side of which some word begins with `text`, or whose whole word `text` begins with; null if none or both do. */
export function sideThatBegins(text: string, { safe, unsafe }: VerdictWords): 'safe' | 'unsafe' | null {
  if (text === '') return null;
  const speaks = (words: readonly string[]): boolean =>
    words.some((word) => {
      const lower = word.toLowerCase();
      return lower.startsWith(text) || (text.startsWith(lower) && !/^\p{L}/u.test(text.slice(lower.length)));
    });
  const [forSafe, forUnsafe] = [speaks(safe), speaks(unsafe)];
  if (forSafe === forUnsafe) return null;
  return forSafe ? 'safe' : 'unsafe';
}

/** The token that holds the character, and the token's characters before it. */
function tokenAt(
  tokens: readonly EngineToken[],
  offset: number,
): { readonly token: EngineToken; readonly before: string } | null {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let start = 0;
  for (const token of tokens) {
    // A character of which a token holds only some bytes is counted with the token that ends it.
    const { length } = decoder.decode(token.bytes, { stream: true });
    if (start + length > offset) return { token, before: token.text.slice(0, Math.max(0, offset - start)) };
    start += length;
  }
  return null;
}
