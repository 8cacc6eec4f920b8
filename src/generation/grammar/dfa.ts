/** @module An automaton over the bytes of UTF-8 that accepts exactly the texts of a regular expression. */
import { UserError } from '../../util/errors.js';
import { type Range, utf8Ranges } from './code-points.js';
import { parseRegex, type Regex } from './regex.js';

/** No text of the language begins like this. */
export const DEAD = -1;
const UNKNOWN = -2;
const ACCEPT = 0;
/** What a pattern with repetitions in repetitions may grow to. */
const MAX_NFA_STATES = 100_000;
const MAX_DFA_STATES = 20_000;

/** A state of the automaton with several active states: byte ranges with their targets, and free moves. */
interface NfaState {
  readonly edges: { readonly range: Range; readonly to: number }[];
  readonly free: number[];
}

/** Built backwards: each part knows what follows it. */
class NfaBuilder {
  readonly states: NfaState[] = [{ edges: [], free: [] }];
  #shared = new Map<string, number>();

  /** The state from which the texts of `regex` lead to `next`. */
  build(regex: Regex, next: number): number {
    switch (regex.kind) {
      case 'character': {
        this.#shared = new Map();
        const start = this.#add([]);
        for (const range of regex.ranges) {
          for (const [first, ...rest] of utf8Ranges(range)) {
            this.states[start].edges.push({ range: first, to: this.#bytes(rest, next) });
          }
        }
        return start;
      }
      case 'sequence':
        return regex.items.reduceRight((after, item) => this.build(item, after), next);
      case 'choice':
        return this.#add(regex.options.map((option) => this.build(option, next)));
      case 'repeat': {
        let start = next;
        if (regex.max === null) {
          start = this.#add([next]);
          this.states[start].free.push(this.build(regex.item, start));
        } else {
          for (let i = regex.min; i < regex.max; i++)
            start = this.#add([this.build(regex.item, start), next]);
        }
        for (let i = 0; i < regex.min; i++) start = this.build(regex.item, start);
        return start;
      }
    }
  }

  /** Trailing bytes; the same ones of one class share their states. */
  #bytes(ranges: readonly Range[], next: number): number {
    if (ranges.length === 0) return next;
    const key = ranges.join(' ');
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const to = this.#bytes(ranges.slice(1), next);
    const state = this.#add([]);
    this.states[state].edges.push({ range: ranges[0], to });
    this.#shared.set(key, state);
    return state;
  }

  #add(free: number[]): number {
    if (this.states.length >= MAX_NFA_STATES) throw tooLarge();
    return this.states.push({ edges: [], free }) - 1;
  }
}

/** The states from which the end can be reached. */
function alive(states: readonly NfaState[]): Uint8Array {
  const before: number[][] = states.map(() => []);
  states.forEach(({ edges, free }, from) => {
    for (const to of [...edges.map((edge) => edge.to), ...free]) before[to].push(from);
  });
  const reached = new Uint8Array(states.length);
  const open = [ACCEPT];
  reached[ACCEPT] = 1;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const from of before[state]) {
      if (reached[from] === 1) continue;
      reached[from] = 1;
      open.push(from);
    }
  }
  return reached;
}

/** Deterministic; its states are made when they are first reached. From each of them the end can be reached. */
export class Dfa {
  readonly start = 0;
  readonly #nfa: readonly NfaState[];
  readonly #alive: Uint8Array;
  readonly #members: (readonly number[])[] = [];
  readonly #next: Int32Array[] = [];
  readonly #known = new Map<string, number>();

  /** @throws UserError for a pattern that cannot be read, is too large, or has no text at all. */
  constructor(pattern: string) {
    const builder = new NfaBuilder();
    const start = builder.build(parseRegex(pattern), ACCEPT);
    this.#nfa = builder.states;
    this.#alive = alive(builder.states);
    if (this.#state([start]) === DEAD) {
      throw new UserError(`no text at all matches the grammar "${pattern}"; correct its classes`);
    }
  }

  /** Where a byte leads, or `DEAD`. */
  step(state: number, byte: number): number {
    const known = this.#next[state][byte];
    if (known !== UNKNOWN) return known;
    const targets: number[] = [];
    for (const member of this.#members[state]) {
      for (const { range, to } of this.#nfa[member].edges) {
        if (byte >= range[0] && byte <= range[1]) targets.push(to);
      }
    }
    const next = this.#state(targets);
    this.#next[state][byte] = next;
    return next;
  }

  /** Whether the text may end here. */
  accepts(state: number): boolean {
    return this.#members[state][0] === ACCEPT;
  }

  /** The state in which these, and what they freely lead to, are active. */
  #state(targets: readonly number[]): number {
    const active = new Set<number>();
    const open = [...targets];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (this.#alive[state] === 0 || active.has(state)) continue;
      active.add(state);
      open.push(...this.#nfa[state].free);
    }
    // States with free moves alone add nothing to what can follow.
    const members = [...active].filter((state) => state === ACCEPT || this.#nfa[state].edges.length > 0);
    if (members.length === 0) return DEAD;
    members.sort((a, b) => a - b);
    const key = members.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#members.length >= MAX_DFA_STATES) throw tooLarge();
    const state = this.#members.push(members) - 1;
    this.#next.push(new Int32Array(256).fill(UNKNOWN));
    this.#known.set(key, state);
    return state;
  }
}

const tooLarge = (): UserError =>
  new UserError('the grammar is too large; use fewer repetitions with numbers, or * in their place');
