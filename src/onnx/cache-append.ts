/** @module Caches that come back as their new rows alone: the binding copies every output of a run, whole caches too. */
import type { Tensor } from '../graph/node.js';

/** How a cache output is made from what is fed: the fed cache with rows written behind the valid ones. */
export interface CacheAppend {
  /** The input that is the cache before the run: [B, heads, capacity, D]. */
  readonly cache: string;
  /** The input i32 [B]: each row's valid length with the new rows, minus 1. */
  readonly lastIndex: string;
}

/** Places among the operands and results of `groupQueryAttention`. */
const OPERAND = { key: 1, value: 2, cachedKeys: 3, cachedValues: 4, lastIndex: 5 } as const;
const CACHES = new Map([
  [1, { rows: OPERAND.key, cache: OPERAND.cachedKeys }],
  [2, { rows: OPERAND.value, cache: OPERAND.cachedValues }],
]);

/**
 * If `output` is a fed cache with new rows in it, and nothing in the graph reads it: those rows [B, S, heads·D] and
 * where they go; else null.
 */
export function cacheAppendOf(
  output: Tensor,
  graph: ReadonlySet<Tensor>,
): { rows: Tensor; append: CacheAppend } | null {
  const { node, index } = output;
  const places = node.op === 'groupQueryAttention' ? CACHES.get(index) : undefined;
  if (places === undefined || graph.has(output)) return null;
  const cache = node.inputs[places.cache];
  const lastIndex = node.inputs[OPERAND.lastIndex];
  if (cache.node.op !== 'input' || lastIndex.node.op !== 'input') return null;
  return {
    rows: node.inputs[places.rows],
    append: { cache: String(cache.node.attributes.name), lastIndex: String(lastIndex.node.attributes.name) },
  };
}
