import { describe, expect, it } from 'vitest';
import { softmax } from '../graph/composites.js';
import { InternalError } from '../util/errors.js';
import * as op from '../graph/ops.js';
import { type GraphOutputs, lower } from '../onnx/lower.js';
import { Random } from '../util/random.js';
import { evaluate } from './evaluate.js';
import { type HostTensor, hostTensor } from './host-tensor.js';
import { Session } from './session.js';

function f32(shape: readonly number[], values: readonly number[]): HostTensor {
  return { dtype: 'f32', shape, data: Float32Array.from(values) };
}

function normal(shape: readonly number[], seed: string): HostTensor {
  const random = new Random(seed);
  const tensor = hostTensor('f32', shape);
  for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = random.normal();
  return tensor;
}

async function withSession<T>(
  outputs: GraphOutputs,
  use: (session: Session) => Promise<T>,
  threads = 2,
): Promise<T> {
  const session = await Session.create(lower(outputs, { fuse: 'training', weights: 'input' }), { threads });
  try {
    return await use(session);
  } finally {
    await session.dispose();
  }
}

const a = op.input('a', 'f32', ['batch', 2]);
const b = op.input('b', 'f32', ['batch', 2]);
const sum = { sum: op.add(a, b) };
const one = f32([1, 2], [1, 2]);

describe('feeds', () => {
  it('are computed with', async () => {
    const { sum: result } = await evaluate(sum, { a: one, b: f32([1, 2], [10, 20]) });
    expect(result).toEqual(f32([1, 2], [11, 22]));
  });

  const wrong: Record<string, [feeds: Record<string, HostTensor>, message: string]> = {
    missing: [{ a: one }, "nothing is fed for the input 'b'"],
    unknown: [{ a: one, b: one, c: one }, "'c' is no input of this session; its inputs are a, b"],
    'of another dtype': [
      { a: one, b: { dtype: 'i32', shape: [1, 2], data: new Int32Array(2) } },
      "the input 'b' takes f32, not i32",
    ],
    'of another shape': [{ a: one, b: f32([2], [1, 2]) }, "'b' is declared as [batch, 2] and fed with [2]"],
    'of sizes that disagree': [
      { a: one, b: f32([2, 2], [1, 2, 3, 4]) },
      "'b' is declared as [batch, 2] and fed with [2, 2]",
    ],
    'too short for their shape': [
      { a: one, b: { ...one, data: new Float32Array(1) } },
      "'b' of [1, 2] holds 1 elements instead of 2",
    ],
  };
  it.each(Object.entries(wrong))('that are %s are refused', async (_, [feeds, message]) => {
    await withSession(sum, async (session) => {
      const refused = await session.run(feeds).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(InternalError);
      expect(String(refused)).toContain(message);
    });
  });
});

describe('fetches', () => {
  it('are written in place, run after run', async () => {
    await withSession(sum, async (session) => {
      const into = hostTensor('f32', [1, 2]);
      const first = await session.run({ a: one, b: one }, { sum: into });
      expect(first.sum).toBe(into);
      expect([...into.data]).toEqual([2, 4]);
      await session.run({ a: one, b: into }, { sum: into });
      expect([...into.data]).toEqual([3, 6]);
    });
  });

  it('of another name, dtype or shape are refused', async () => {
    await withSession(sum, async (session) => {
      const run = (fetches: Record<string, HostTensor>) => session.run({ a: one, b: one }, fetches);
      await expect(run({ total: one })).rejects.toThrow(
        "'total' is no output of this session; its outputs are sum",
      );
      await expect(run({ sum: hostTensor('f16', [1, 2]) })).rejects.toThrow(
        "the output 'sum' is f32[1, 2], not f16[1, 2]",
      );
      await expect(run({ sum: hostTensor('f32', [2, 2]) })).rejects.toThrow(
        "the output 'sum' is f32[1, 2], not f32[2, 2]",
      );
    });
  });
});

it('passes every dtype through, f16 as bits', async () => {
  const values: HostTensor[] = [
    f32([2], [1.5, -2]),
    // 1.5 and −2 in binary16.
    { dtype: 'f16', shape: [2], data: Uint16Array.of(0x3e00, 0xc000) },
    { dtype: 'i64', shape: [2], data: BigInt64Array.of(2n ** 60n, -3n) },
    { dtype: 'i32', shape: [2], data: Int32Array.of(7, -7) },
    { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
    { dtype: 'u8', shape: [2], data: Uint8Array.of(255, 1) },
  ];
  for (const value of values) {
    const input = op.input('x', value.dtype, ['n']);
    expect((await evaluate({ y: op.concat([input, input], 0) }, { x: value })).y.data).toEqual(
      value.data.constructor === BigInt64Array
        ? BigInt64Array.of(2n ** 60n, -3n, 2n ** 60n, -3n)
        : Reflect.construct(value.data.constructor, [[...value.data, ...value.data]]),
    );
  }
});

it('evaluates one session with many different lengths', async () => {
  const x = op.input('x', 'f32', ['batch', 'seq', 4]);
  const pooled = op.reduceMax(op.reshape(softmax(x), ['batch', 'seq', 2, 2]), [1, 3], false);
  await withSession({ pooled }, async (session) => {
    for (const [batch, seq] of [
      [1, 1],
      [3, 7],
      [2, 31],
      [1, 1],
    ]) {
      const { pooled: result } = await session.run({ x: hostTensor('f32', [batch, seq, 4]) });
      expect(result).toEqual(
        f32(
          [batch, 2],
          Array.from({ length: 2 * batch }, () => 0.25),
        ),
      );
    }
  });
});

describe('two runs on the same feeds are bit-equal', () => {
  // Large enough that two threads share the work; a third of the rows meet in one place.
  const rows = 3000;
  const width = 64;
  const x = op.input('x', 'f32', [rows, width]);
  const w = op.input('w', 'f32', [width, width]);
  const ids = op.input('ids', 'i64', [rows]);
  const hidden = softmax(op.matmul(x, w));
  const graph = {
    table: op.scatterAdd(hidden, ids, [50, width]),
    gradient: op.matmul(op.matrixTranspose(x), hidden),
    bias: op.reduceSum(hidden, [0], false),
  };
  const random = new Random('ids');
  const index = BigInt64Array.from({ length: rows }, (_, i) =>
    i % 3 === 0 ? 7n : BigInt(random.int(0, 49)),
  );
  const feeds = {
    x: normal([rows, width], 'x'),
    w: normal([width, width], 'w'),
    ids: { dtype: 'i64', shape: [rows], data: index },
  } as const;

  it('with two threads', async () => {
    await withSession(graph, async (session) => {
      const first = await session.run(feeds);
      for (let i = 0; i < 20; i++) expect(await session.run(feeds)).toEqual(first);
    });
  });

  it('and rows that meet are all added', async () => {
    // Every row of a softmax sums to one, so a table's row sums to the number of rows in it.
    const { table } = await withSession(graph, (session) => session.run(feeds));
    const counts = Array.from({ length: 50 }, () => 0);
    for (const id of index) counts[Number(id)]++;
    counts.forEach((count, row) => {
      const own = table.data.slice(row * width, (row + 1) * width);
      expect(Array.from(own, Number).reduce((total, value) => total + value, 0)).toBeCloseTo(count, 2);
    });
  });
});
