import { byteAlphabet, byteOrder } from './byte-alphabet.js';
import { QWEN2_PATTERN } from './qwen2-pattern.js';
import { TokenFinder } from './token-finder.js';
import { splitter } from './tokenizer-library.js';

const BYTES = 256;
/** A pair that occurs once teaches nothing. */
const MIN_FREQUENCY = 2;
/** Two symbols make one number: larger than any vocabulary, and its square is still exact. */
const PAIR_BASE = 2 ** 26;

export interface TrainTokenizerOptions {
  /** Ids altogether: 256 bytes, merges, and the added tokens. Fewer where the texts offer no more pairs. */
  readonly vocabSize: number;
  /** Tokens with ids after the merges', in this order; they never take part in words. */
  readonly addedTokens: readonly AddedToken[];
}

export interface AddedToken {
  readonly content: string;
  /** Special tokens are left out of decoded answers and are never read from a message's text. */
  readonly special: boolean;
}

/** A byte-level BPE: tokens in the order of their ids, the rules that make them, and the tokens added on top. */
export interface TrainedTokenizer {
  readonly vocab: readonly string[];
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly addedTokens: readonly AddedToken[];
}

/**
 * Trains a byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) with Qwen2's normalizer and words.
 * The most frequent pair is merged first; of equals the one whose strings come first. The same texts in any order give
 * the same merges.
 */
export function trainTokenizer(
  texts: Iterable<string>,
  { vocabSize, addedTokens }: TrainTokenizerOptions,
): TrainedTokenizer {
  const limit = vocabSize - addedTokens.length;
  if (limit < BYTES) {
    throw new RangeError(
      `a vocabulary of ${vocabSize} has no room for ${BYTES} bytes and ${addedTokens.length} added tokens`,
    );
  }
  const state = new Merger(countWords(texts, addedTokens));
  while (state.vocab.length < limit && state.mergeBest()) {
    // Each turn adds at most one token.
  }
  return { vocab: state.vocab, merges: state.merges, addedTokens };
}

/** How often each word occurs, outside of the added tokens. */
function countWords(texts: Iterable<string>, addedTokens: readonly AddedToken[]): Map<string, number> {
  const find = new TokenFinder(addedTokens.map((token) => token.content));
  const words = splitter(QWEN2_PATTERN);
  const counts = new Map<string, number>();
  for (const text of texts) {
    const parts = find.split(text);
    for (let i = 0; i < parts.length; i += 2) {
      for (const word of words.pre_tokenize_text((parts[i] ?? '').normalize('NFC'))) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** A distinct word as the symbols it consists of by now. */
interface Word {
  symbols: number[];
  readonly count: number;
}

interface Candidate {
  readonly pair: number;
  readonly count: number;
}

/** Words, the pairs in them, and a heap of the pairs by how often they occur. */
class Merger {
  readonly vocab: string[] = [...byteAlphabet()];
  readonly merges: (readonly [string, string])[] = [];
  readonly #idOf = new Map(this.vocab.map((token, id) => [token, id]));
  readonly #words: Word[] = [];
  readonly #counts = new Map<number, number>();
  /** The words in which a pair occurs, or did. */
  readonly #places = new Map<number, Set<Word>>();
  readonly #heap = new Heap<Candidate>((a, b) => this.#isBefore(a, b));

  constructor(counts: ReadonlyMap<string, number>) {
    const alphabet = this.vocab;
    const symbolOfByte = byteOrder().reduce((map, byte, id) => map.set(byte, id), new Map<number, number>());
    const encoder = new TextEncoder();
    for (const [text, count] of counts) {
      const symbols = Array.from(encoder.encode(text), (byte) => symbolOfByte.get(byte) ?? alphabet.length);
      if (symbols.length > 1) this.#words.push({ symbols, count });
    }
    const changed = new Set<number>();
    for (const word of this.#words) this.#count(word, 1, changed);
    for (const pair of changed) this.#push(pair);
  }

  /** Merges the best pair everywhere; false where no pair occurs often enough. */
  mergeBest(): boolean {
    for (let best = this.#heap.pop(); best !== undefined; best = this.#heap.pop()) {
      const count = this.#counts.get(best.pair) ?? 0;
      // Counts that changed were pushed again: what differs is out of date.
      if (count !== best.count) continue;
      this.#merge(best.pair);
      return true;
    }
    return false;
  }

  #merge(pair: number): void {
    const [left, right] = this.#stringsOf(pair);
    this.merges.push([left, right]);
    const merged = this.#tokenFor(left + right);
    const changed = new Set<number>();
    for (const word of this.#places.get(pair) ?? []) {
      this.#count(word, -1, changed);
      word.symbols = replacePair(word.symbols, pair, merged);
      this.#count(word, 1, changed);
    }
    this.#places.delete(pair);
    this.#counts.delete(pair);
    changed.delete(pair);
    for (const other of changed) this.#push(other);
  }

  /** The id of a token; two ways to the same string share it. */
  #tokenFor(token: string): number {
    const known = this.#idOf.get(token);
    if (known !== undefined) return known;
    const id = this.vocab.push(token) - 1;
    this.#idOf.set(token, id);
    return id;
  }

  /** Adds a word's pairs to the counts, or takes them away; `changed` collects the pairs. */
  #count(word: Word, sign: 1 | -1, changed: Set<number>): void {
    for (let i = 1; i < word.symbols.length; i++) {
      const pair = word.symbols[i - 1] * PAIR_BASE + word.symbols[i];
      this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + sign * word.count);
      changed.add(pair);
      if (sign === 1) {
        const places = this.#places.get(pair);
        if (places === undefined) this.#places.set(pair, new Set([word]));
        else places.add(word);
      }
    }
  }

  #push(pair: number): void {
    const count = this.#counts.get(pair) ?? 0;
    if (count >= MIN_FREQUENCY) this.#heap.push({ pair, count });
  }

  #isBefore(a: Candidate, b: Candidate): boolean {
    if (a.count !== b.count) return a.count > b.count;
    const [leftA, rightA] = this.#stringsOf(a.pair);
    const [leftB, rightB] = this.#stringsOf(b.pair);
    return leftA === leftB ? rightA < rightB : leftA < leftB;
  }

  #stringsOf(pair: number): readonly [string, string] {
    return [this.vocab[Math.floor(pair / PAIR_BASE)], this.vocab[pair % PAIR_BASE]];
  }
}

/** The symbols with every occurrence of a pair, from the left, made one. */
function replacePair(symbols: readonly number[], pair: number, merged: number): number[] {
  const left = Math.floor(pair / PAIR_BASE);
  const right = pair % PAIR_BASE;
  const out: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      out.push(merged);
      i++;
    } else out.push(symbols[i]);
  }
  return out;
}

/** A binary heap: `pop` gives the item that is before all others. */
class Heap<T> {
  readonly #items: T[] = [];

  constructor(private readonly isBefore: (a: T, b: T) => boolean) {}

  push(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (let child = 1; child < items.length; child = 2 * at + 1) {
      if (child + 1 < items.length && this.isBefore(items[child + 1], items[child])) child++;
      if (!this.isBefore(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return top;
  }
}
