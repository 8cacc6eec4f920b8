/** @module Damage as it happens to files, and as it is done to them. */
import type { Random } from '../../src/util/random.js';

/** Values at which readers of lengths, counts and offsets go wrong. */
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** A whole number of 0 … limit − 1. */
const below = (random: Random, limit: number): number => random.int(0, limit - 1);

type Mutation = (bytes: Buffer, random: Random, other: Uint8Array) => Buffer;

const flipBits: Mutation = (bytes, random) => {
  for (let i = 1 + below(random, 8); i > 0; i--) {
    const at = below(random, bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
  }
  return bytes;
};

/** Headers are short, and most of what can go wrong stands in them. */
const flipEarlyBits: Mutation = (bytes, random, other) => {
  const head = Math.min(bytes.length, 128);
  return Buffer.concat([flipBits(bytes.subarray(0, head), random, other), bytes.subarray(head)]);
};

const truncate: Mutation = (bytes, random) => bytes.subarray(0, below(random, bytes.length));

const overwrite: Mutation = (bytes, random) => {
  const width = below(random, 2) === 0 ? 2 : 4;
  if (bytes.length < width) return bytes;
  const value = (EXTREMES[below(random, EXTREMES.length)] ?? 0) % 2 ** (8 * width);
  const at = below(random, bytes.length - width + 1);
  if (below(random, 2) === 0) bytes.writeUIntLE(value, at, width);
  else bytes.writeUIntBE(value, at, width);
  return bytes;
};

const zero: Mutation = (bytes, random) => {
  const from = below(random, bytes.length);
  return bytes.fill(0, from, Math.min(bytes.length, from + 1 + below(random, 64)));
};

const remove: Mutation = (bytes, random) => {
  const from = below(random, bytes.length);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + below(random, 32))]);
};

const repeat: Mutation = (bytes, random) => {
  const from = below(random, bytes.length);
  const part = bytes.subarray(from, from + 1 + below(random, 64));
  return Buffer.concat([bytes.subarray(0, from), part, part, bytes.subarray(from)]);
};

const splice: Mutation = (bytes, random, other) => {
  const from = below(random, other.length);
  const part = other.subarray(from, from + 1 + below(random, 256));
  const at = below(random, bytes.length);
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + below(random, 2) * part.length)]);
};

const MUTATIONS = { flipBits, flipEarlyBits, truncate, overwrite, zero, remove, repeat, splice };
const NAMES = Object.keys(MUTATIONS) as (keyof typeof MUTATIONS)[];

export interface Mutant {
  readonly bytes: Buffer;
  /** What was done to it. */
  readonly mutations: readonly string[];
}

/** A copy of `bytes` with one to three kinds of damage; `other` is what is spliced in. */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Mutant {
  let mutant = Buffer.from(bytes);
  const mutations: string[] = [];
  const count = below(random, 3) === 0 ? 2 + below(random, 2) : 1;
  for (let i = 0; i < count && mutant.length > 0; i++) {
    const name = NAMES[below(random, NAMES.length)] ?? 'flipBits';
    mutant = MUTATIONS[name](mutant, random, other) as Buffer<ArrayBuffer>;
    mutations.push(name);
  }
  return { bytes: mutant, mutations };
}
