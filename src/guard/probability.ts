import type { Completion, GuardTokenizer } from './model.js';
import type { VerdictTokens } from './profile.js';

/** The token ids that speak for each side, and the order in which they are watched. */
export interface VerdictIds {
  readonly safe: readonly number[];
  readonly unsafe: readonly number[];
  /** `safe` then `unsafe`. */
  readonly watch: readonly number[];
}

/**
 * The ids that can begin each verdict word: the first token of the word alone, and the token that holds its first
 * letter behind the anchor (byte-level BPE may join `>` and `yes`). Ids that both sides share speak for neither.
 */
export function verdictIds(tokenizer: GuardTokenizer, { safe, unsafe, anchor }: VerdictTokens): VerdictIds {
  const idsOf = (words: readonly string[]): Set<number> =>
    new Set(
      words.flatMap((word) => [firstToken(tokenizer, '', word), firstToken(tokenizer, anchor, word)].flat()),
    );
  const safeIds = idsOf(safe);
  const unsafeIds = idsOf(unsafe);
  const ofSafe = [...safeIds].filter((id) => !unsafeIds.has(id));
  const ofUnsafe = [...unsafeIds].filter((id) => !safeIds.has(id));
  return { safe: ofSafe, unsafe: ofUnsafe, watch: [...ofSafe, ...ofUnsafe] };
}

/** The id of the token that holds the first letter of `word` behind `anchor`, as a list of none or one. */
function firstToken(tokenizer: GuardTokenizer, anchor: string, word: string): number[] {
  const ids = tokenizer.encode(anchor + word, { special: false });
  const id = ids[stepAt(tokenizer, ids, anchor.length)];
  return id === undefined ? [] : [id];
}

/** The index of the token that holds the character at `offset` of the decoded text, `ids.length` where none does. */
export function stepAt(tokenizer: GuardTokenizer, ids: readonly number[], offset: number): number {
  let low = 0;
  let high = ids.length;
  // The first prefix whose text reaches beyond the offset, found by halving: decoding every prefix would be quadratic.
  while (low < high) {
    const middle = (low + high) >> 1;
    const prefix = ids.slice(0, middle + 1);
    if (tokenizer.decode(prefix, { skipSpecialTokens: true }).length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * P(unsafe) = p(unsafe tokens) / (p(unsafe tokens) + p(safe tokens)) from the softmax of the step that wrote the
 * verdict word, which begins at `offset` of the completion's text. Null where that step, or any weight on either side,
 * is missing.
 */
export function unsafeProbability(
  completion: Completion,
  {
    ids,
    offset,
    tokenizer,
  }: { readonly ids: VerdictIds; readonly offset: number; readonly tokenizer: GuardTokenizer },
): number | null {
  if (ids.safe.length === 0 || ids.unsafe.length === 0) return null;
  const step = stepAt(tokenizer, completion.tokens, offset);
  const token = completion.tokens[step];
  const row = completion.watched[step];
  if (row === undefined || token === undefined || !ids.watch.includes(token)) return null;
  const safe = logSumExp(row.subarray(0, ids.safe.length));
  const unsafe = logSumExp(row.subarray(ids.safe.length, ids.watch.length));
  const probability = 1 / (1 + Math.exp(safe - unsafe));
  return Number.isNaN(probability) ? null : probability;
}

function logSumExp(values: Float32Array): number {
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (largest === -Infinity) return -Infinity;
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}
