import { describe, expect, it } from 'vitest';
import { attention, causalMask } from '../graph/composites.js';
import { interpret } from '../graph/interpreter.js';
import * as op from '../graph/ops.js';
import { lower } from '../onnx/lower.js';
import { Random } from '../util/random.js';
import { type HostTensor, hostTensor } from './host-tensor.js';
import { type HostTensors, Session } from './session.js';

const HEADS = 4;
const KV_HEADS = 2;
const SIZE = 8;
const CAPACITY = 16;

const cacheShape = ['batch', KV_HEADS, 'capacity', SIZE];
const { output, keys, values } = op.groupQueryAttention({
  query: op.input('query', 'f32', ['batch', 'seq', HEADS * SIZE]),
  key: op.input('key', 'f32', ['batch', 'seq', KV_HEADS * SIZE]),
  value: op.input('value', 'f32', ['batch', 'seq', KV_HEADS * SIZE]),
  cachedKeys: op.input('keys', 'f32', cacheShape),
  cachedValues: op.input('values', 'f32', cacheShape),
  lastIndex: op.input('last_index', 'i32', ['batch']),
  total: op.input('total', 'i32', []),
  heads: HEADS,
  kvHeads: KV_HEADS,
});
// The caches come back under the names they are fed with, as generation does it.
const graph = { output, keys, values };

/** One row's queries, keys and values, [length, heads·size] each. */
interface Row {
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
}

function randomRow(random: Random, length: number): Row {
  const draw = (heads: number): Float32Array =>
    Float32Array.from({ length: length * heads * SIZE }, () => random.normal());
  return { query: draw(HEADS), key: draw(KV_HEADS), value: draw(KV_HEADS) };
}

/** Plain causal attention over a whole row at once: [length, heads·size]. */
function naive(row: Row, length: number): number[] {
  const heads = (name: string, count: number) =>
    op.transpose(
      op.reshape(op.input(name, 'f32', [1, length, count * SIZE]), [1, length, count, SIZE]),
      [0, 2, 1, 3],
    );
  const mixed = attention(heads('query', HEADS), heads('key', KV_HEADS), heads('value', KV_HEADS), {
    mask: causalMask(length, length),
  });
  const flat = op.reshape(op.transpose(mixed, [0, 2, 1, 3]), [length, HEADS * SIZE]);
  const feed = (data: Float32Array, count: number) => ({
    shape: [1, length, count * SIZE],
    data: data.subarray(0, length * count * SIZE),
  });
  const feeds = {
    query: feed(row.query, HEADS),
    key: feed(row.key, KV_HEADS),
    value: feed(row.value, KV_HEADS),
  };
  return [...interpret([flat], feeds)[0].data];
}

/** Rows from `start` on, `count` of each, as a batch; rows that are over repeat their last position. */
function slab(
  rows: readonly Row[],
  kind: keyof Row,
  heads: number,
  starts: readonly number[],
  count: number,
): HostTensor {
  const width = heads * SIZE;
  const tensor = hostTensor('f32', [rows.length, count, width]);
  rows.forEach((row, b) => {
    for (let i = 0; i < count; i++) {
      const at = Math.min(starts[b] + i, row[kind].length / width - 1) * width;
      for (let j = 0; j < width; j++) tensor.data[(b * count + i) * width + j] = row[kind][at + j];
    }
  });
  return tensor;
}

function feedsOf(
  rows: readonly Row[],
  caches: HostTensors,
  { starts, count, last }: { starts: readonly number[]; count: number; last: readonly number[] },
): HostTensors {
  return {
    query: slab(rows, 'query', HEADS, starts, count),
    key: slab(rows, 'key', KV_HEADS, starts, count),
    value: slab(rows, 'value', KV_HEADS, starts, count),
    ...caches,
    last_index: { dtype: 'i32', shape: [rows.length], data: Int32Array.from(last) },
    total: { dtype: 'i32', shape: [], data: Int32Array.of(Math.max(...last) + 1) },
  };
}

function emptyCaches(batch: number): Record<'keys' | 'values', HostTensor> {
  const shape = [batch, KV_HEADS, CAPACITY, SIZE];
  return { keys: hostTensor('f32', shape), values: hostTensor('f32', shape) };
}

/** Sums of a few products in f32. */
const DIGITS = 5;

async function withSession(use: (session: Session) => Promise<void>): Promise<void> {
  const session = await Session.create(lower(graph, { fuse: 'inference', weights: 'input' }), { threads: 2 });
  try {
    await use(session);
  } finally {
    await session.dispose();
  }
}

describe('attention over a cache that is appended to in place', () => {
  const random = new Random('cached-attention');
  const lengths = [9, 7, 4];
  const rows = lengths.map((length) => randomRow(random, length));
  const expected = rows.map((row, b) => naive(row, lengths[b]));
  const width = HEADS * SIZE;

  function expectPosition(result: HostTensor, count: number, b: number, i: number, position: number): void {
    for (let j = 0; j < width; j++) {
      expect(Number(result.data[(b * count + i) * width + j])).toBeCloseTo(
        expected[b][position * width + j],
        DIGITS,
      );
    }
  }

  it('equals plain attention for a ragged prompt and single tokens after it', async () => {
    await withSession(async (session) => {
      const caches = emptyCaches(rows.length);
      const prompts = lengths.map((length) => length - 3);
      const count = Math.max(...prompts);
      const starts = prompts.map(() => 0);
      const first = await session.run(
        feedsOf(rows, caches, { starts, count, last: prompts.map((length) => length - 1) }),
        caches,
      );
      expect(first.keys).toBe(caches.keys);
      prompts.forEach((length, b) => {
        for (let i = 0; i < length; i++) expectPosition(first.output, count, b, i, i);
      });
      for (let step = 0; step < 3; step++) {
        const last = prompts.map((length) => length + step);
        const next = await session.run(feedsOf(rows, caches, { starts: last, count: 1, last }), caches);
        last.forEach((position, b) => expectPosition(next.output, 1, b, 0, position));
      }
    });
  });

  it('continues one row with several tokens, and forgets what a smaller index leaves out', async () => {
    await withSession(async (session) => {
      const caches = emptyCaches(1);
      const row = [rows[0]];
      await session.run(feedsOf(row, caches, { starts: [0], count: 6, last: [5] }), caches);
      expect(caches.keys.data.slice(0, KV_HEADS * SIZE)).not.toEqual(new Float32Array(KV_HEADS * SIZE));
      // Back to three positions, then the rest in one pass.
      const rest = await session.run(feedsOf(row, caches, { starts: [3], count: 6, last: [8] }), caches);
      for (let i = 0; i < 6; i++) expectPosition(rest.output, 6, 0, i, 3 + i);
    });
  });

  it('leaves the fed caches alone where others are to be written, and gives the interpreter’s', async () => {
    await withSession(async (session) => {
      const caches = emptyCaches(1);
      new Uint8Array(caches.keys.data.buffer).fill(1);
      const before = caches.keys.data.slice();
      const feeds = feedsOf([rows[2]], caches, { starts: [0], count: 4, last: [3] });
      const result = await session.run(feeds);
      expect(caches.keys.data).toEqual(before);
      const asNumbers = Object.entries(feeds).map(([name, { shape, data }]) => [
        name,
        { shape, data: Array.from(data, Number) },
      ]);
      const oracle = interpret([keys, values], Object.fromEntries(asNumbers));
      [result.keys, result.values].forEach(({ data }, i) =>
        expect(Array.from(data, Number)).toEqual([...oracle[i].data]),
      );
    });
  });

  it('refuses more positions than the cache has', async () => {
    await withSession(async (session) => {
      const caches = emptyCaches(1);
      const feeds = feedsOf([rows[0]], caches, { starts: [0], count: 1, last: [CAPACITY] });
      await expect(session.run(feeds, caches)).rejects.toThrow(
        'row 0 of a cache of 16 positions is to hold 17',
      );
    });
  });
});
