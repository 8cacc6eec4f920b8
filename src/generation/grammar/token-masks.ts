/** @module Which tokens may come next, so that an answer stays in a grammar. */
import { assert } from '../../util/errors.js';
import { DEAD, Dfa } from './dfa.js';

/** What is needed of a tokenizer. */
interface TokenVocabulary {
  readonly vocabSize: number;
  /** Undefined for what is no text. */
  bytesOf(id: number): Uint8Array | undefined;
}

/** Grammars that are kept ready. */
const MAX_GRAMMARS = 16;
/** Bytes of remembered masks, of each grammar. */
const MAX_MASK_BYTES = 64 * 2 ** 20;

/** Makes masks of patterns, and remembers the last ones. */
export class GrammarCompiler {
  #trie: TokenTrie | undefined;
  readonly #masks = new Map<string, TokenMasks>();

  /** `stop`: ids that end an answer. */
  constructor(
    private readonly vocabulary: TokenVocabulary,
    private readonly stop: ReadonlySet<number>,
  ) {}

  /** @throws UserError for a pattern that cannot be read. */
  compile(pattern: string): TokenMasks {
    const known = this.#masks.get(pattern);
    if (known !== undefined) return known;
    this.#trie ??= new TokenTrie(this.vocabulary, this.stop);
    const masks = new TokenMasks(new Dfa(pattern), this.#trie, this.stop);
    if (this.#masks.size >= MAX_GRAMMARS) this.#masks.clear();
    this.#masks.set(pattern, masks);
    return masks;
  }
}

/**
 * The byte strings of all tokens, those with the same beginning together: nodes in preorder, each with its last byte,
 * its depth, and the node behind its subtree.
 */
class TokenTrie {
  readonly byte: number[] = [];
  readonly depth: number[] = [];
  readonly end: number[] = [];
  /** The ids whose bytes end at a node. */
  readonly ids: number[][] = [];
  readonly bytes = new Map<number, Uint8Array>();

  constructor(
    readonly vocabulary: TokenVocabulary,
    stop: ReadonlySet<number>,
  ) {
    for (let id = 0; id < vocabulary.vocabSize; id++) {
      const bytes = stop.has(id) ? undefined : vocabulary.bytesOf(id);
      if (bytes !== undefined && bytes.length > 0) this.bytes.set(id, bytes);
    }
    const sorted = [...this.bytes].sort(([, a], [, b]) => Buffer.compare(a, b));
    const path: number[] = [];
    for (const [id, bytes] of sorted) {
      let common = 0;
      while (common < path.length && this.byte[path[common]] === bytes[common]) common++;
      this.#close(path, common);
      for (let depth = common; depth < bytes.length; depth++) {
        path.push(this.byte.push(bytes[depth]) - 1);
        this.depth.push(depth);
        this.end.push(0);
        this.ids.push([]);
      }
      this.ids[path[path.length - 1]].push(id);
    }
    this.#close(path, 0);
  }

  #close(path: number[], depth: number): void {
    for (const node of path.splice(depth)) this.end[node] = this.byte.length;
  }
}

/** The tokens that may follow each state of a grammar's automaton. States are numbers; an answer begins in `start`. */
export class TokenMasks {
  readonly start: number;
  readonly #allowed = new Map<number, Uint8Array>();

  constructor(
    private readonly dfa: Dfa,
    private readonly trie: TokenTrie,
    private readonly stop: ReadonlySet<number>,
  ) {
    this.start = dfa.start;
  }

  /** Sets the logits of all that may not follow to −∞. */
  restrict(state: number, logits: Float32Array): void {
    const allowed = this.#allowedAt(state);
    for (let id = 0; id < logits.length; id++) if (allowed[id] !== 1) logits[id] = -Infinity;
  }

  /** Where a token leads. */
  next(state: number, id: number): number {
    const bytes = this.trie.bytes.get(id);
    assert(bytes !== undefined, `token ${id} is no text`);
    const next = bytes.reduce((at, byte) => (at === DEAD ? DEAD : this.dfa.step(at, byte)), state);
    assert(next !== DEAD, `token ${id} leads out of the grammar`);
    return next;
  }

  #allowedAt(state: number): Uint8Array {
    const known = this.#allowed.get(state);
    if (known !== undefined) return known;
    const allowed = this.#compute(state);
    if ((this.#allowed.size + 1) * allowed.length > MAX_MASK_BYTES) this.#allowed.clear();
    this.#allowed.set(state, allowed);
    return allowed;
  }

  #compute(state: number): Uint8Array {
    const { byte, depth, end, ids, vocabulary } = this.trie;
    const allowed = new Uint8Array(vocabulary.vocabSize);
    // states[d]: where the first d bytes of the path lead.
    const states = [state];
    for (let node = 0; node < byte.length; ) {
      const next = this.dfa.step(states[depth[node]], byte[node]);
      if (next === DEAD) {
        node = end[node];
        continue;
      }
      states[depth[node] + 1] = next;
      for (const id of ids[node]) allowed[id] = 1;
      node++;
    }
    if (this.dfa.accepts(state)) for (const id of this.stop) allowed[id] = 1;
    assert(allowed.includes(1), 'no token may follow, though the grammar goes on');
    return allowed;
  }
}
