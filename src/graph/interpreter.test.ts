import { describe, expect, it } from 'vitest';
import * as c from './composites.js';
import { allocate, type DType } from './dtype.js';
import { type Feed, interpret } from './interpreter.js';
import { erf } from './interpreter-kernels.js';
import type { Tensor } from './node.js';
import * as op from './ops.js';

const f32 = (shape: number[], ...data: number[]): Tensor =>
  op.constant('f32', shape, Float32Array.from(data));
const i64 = (shape: number[], ...data: number[]): Tensor =>
  op.constant('i64', shape, BigInt64Array.from(data, BigInt));
const bool = (shape: number[], ...data: number[]): Tensor =>
  op.constant('bool', shape, Uint8Array.from(data));
const valueOf = (tensor: Tensor): number[] => Array.from(interpret([tensor], {})[0].data);

const x = f32([2, 3], 1, 2, 3, 4, 5, 6);
const whole = i64([4], -7, 7, 3, 5);

describe('primitives by hand', () => {
  it.each<[string, Tensor, number[]]>([
    ['neg', op.neg(f32([2], 1, -2)), [-1, 2]],
    ['abs', op.abs(f32([2], 1, -2)), [1, 2]],
    ['sign', op.sign(f32([3], 5, -0.5, 0)), [1, -1, 0]],
    ['sqrt', op.sqrt(f32([2], 4, 9)), [2, 3]],
    ['reciprocal', op.reciprocal(f32([2], 4, -0.5)), [0.25, -2]],
    ['exp of 0, log of 1', op.add(op.exp(op.scalar(0)), op.log(op.scalar(1))), [1]],
    [
      'tanh, sin, sigmoid, erf of 0',
      op.concat(
        [op.tanh, op.sin, op.sigmoid, op.erf].map((f) => f(f32([1], 0))),
        0,
      ),
      [0, 0, 0.5, 0],
    ],
    ['cos', op.cos(f32([1], 0)), [1]],
    ['add a column to a row', op.add(f32([2, 1], 10, 20), f32([3], 1, 2, 3)), [11, 12, 13, 21, 22, 23]],
    ['sub', op.sub(5, f32([2], 1, 2)), [4, 3]],
    ['mul', op.mul(x, f32([3], 0, 1, 2)), [0, 2, 6, 0, 5, 12]],
    ['div', op.div(f32([2], 1, 2), 4), [0.25, 0.5]],
    ['pow', op.pow(f32([2], 2, 3), 2), [4, 9]],
    ['max', op.max(f32([3], 1, -2, 3), 0), [1, 0, 3]],
    ['min', op.min(f32([3], 1, -2, 3), 0), [0, -2, 0]],
    ['div of whole numbers, towards zero', op.div(whole, 2), [-3, 3, 1, 2]],
    ['equal', op.equal(whole, 3), [0, 0, 1, 0]],
    ['less', op.less(whole, 5), [1, 0, 1, 0]],
    ['greater', op.greater(whole, 3), [0, 1, 0, 1]],
    ['and', op.and(bool([2], 1, 1), bool([2], 0, 1)), [0, 1]],
    ['or', op.or(bool([2], 0, 0), bool([2], 0, 1)), [0, 1]],
    ['not', op.not(bool([2], 0, 1)), [1, 0]],
    ['where', op.where(bool([2, 1], 1, 0), f32([2], 1, 2), f32([], 9)), [1, 2, 9, 9]],
    ['cast to whole numbers', op.cast(f32([4], -1.75, -0.25, 0.5, 2.75), 'i64'), [-1, 0, 0, 2]],
    ['cast to booleans', op.cast(f32([3], -1, 0, 0.5), 'bool'), [1, 0, 1]],
    ['reduceSum', op.reduceSum(x, [0]), [5, 7, 9]],
    ['reduceSum of both axes', op.reduceSum(x, [0, 1], false), [21]],
    ['reduceMean', op.reduceMean(x, [1]), [2, 5]],
    ['reduceMax of negatives', op.reduceMax(op.neg(x), [1]), [-1, -4]],
    ['matmul', op.matmul(x, f32([3, 2], 1, 0, 0, 1, 1, 1)), [4, 5, 10, 11]],
    [
      'matmul in batches',
      op.matmul(f32([2, 1, 2], 1, 2, 3, 4), f32([2, 2, 1], 1, 10, 100, 1000)),
      [21, 4300],
    ],
    ['matmul with one matrix', op.matmul(f32([2, 1, 2], 1, 2, 3, 4), f32([2, 1], 1, 10)), [21, 43]],
    ['transpose', op.transpose(x, [1, 0]), [1, 4, 2, 5, 3, 6]],
    ['reshape', op.reshape(x, [3, -1]), [1, 2, 3, 4, 5, 6]],
    ['expand', op.expand(f32([2, 1], 1, 2), [2, 2, 2]), [1, 1, 2, 2, 1, 1, 2, 2]],
    ['concat', op.concat([x, f32([2, 1], 8, 9)], 1), [1, 2, 3, 8, 4, 5, 6, 9]],
    ['slice', op.slice(x, 1, 1, 3), [2, 3, 5, 6]],
    ['pad', op.pad(x, 0, 1, 0), [0, 0, 0, 1, 2, 3, 4, 5, 6]],
    ['gather', op.gather(x, i64([3], 1, 0, 1)), [4, 5, 6, 1, 2, 3, 4, 5, 6]],
    ['gather from the end', op.gather(x, i64([1], -1)), [4, 5, 6]],
    ['scatterAdd', op.scatterAdd(x, i64([2], 2, 2), [3, 3]), [0, 0, 0, 0, 0, 0, 5, 7, 9]],
    ['stopGradient', op.stopGradient(x), [1, 2, 3, 4, 5, 6]],
  ])('%s', (_, tensor, expected) => {
    expect(valueOf(tensor)).toEqual(expected);
  });

  it('erf at the values of Abramowitz & Stegun, table 7.1', () => {
    const table: [number, number][] = [
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [2.5, 0.999593047982555],
      [3, 0.9999779095030014],
      [6, 1],
    ];
    for (const [at, expected] of table) {
      expect(erf(at)).toBeCloseTo(expected, 14);
      expect(erf(-at)).toBeCloseTo(-expected, 14);
    }
    expect([erf(0), erf(Infinity), erf(NaN)]).toEqual([0, 1, NaN]);
  });
});

/** Softmax of a row of scores. */
function softmaxOf(scores: readonly number[]): number[] {
  const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
  return scores.map((score) => Math.exp(score) / sum);
}

/** What `toEqual` takes for these numbers to six places. */
const near = (expected: readonly number[]): unknown[] =>
  expected.map((value): unknown => expect.closeTo(value, 6));

describe('composites by formula', () => {
  const row = [1.5, -0.5, 2, 0.25];
  const y = f32([1, 4], ...row);
  const mean = row.reduce((a, b) => a + b) / 4;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4;
  const meanSquare = row.reduce((sum, value) => sum + value ** 2, 0) / 4;

  it('activations', () => {
    expect(valueOf(c.silu(y))).toEqual(near(row.map((value) => value / (1 + Math.exp(-value)))));
    expect(valueOf(c.gelu(y))).toEqual(near(row.map((value) => (value * (1 + erf(value / Math.SQRT2))) / 2)));
    // PyTorch's nn.GELU()(torch.tensor([1., -2.])).
    expect(valueOf(c.gelu(f32([2], 1, -2)))).toEqual(near([0.8413447, -0.0455003]));
  });

  it('softmax and its logarithm, along the last axis alone', () => {
    expect(valueOf(c.softmax(y))).toEqual(near(softmaxOf(row)));
    expect(valueOf(c.logSoftmax(y))).toEqual(near(softmaxOf(row).map(Math.log)));
    expect(valueOf(c.softmax(f32([2, 2], 0, Math.log(3), 1000, 1000)))).toEqual(near([0.25, 0.75, 0.5, 0.5]));
  });

  it('normalizations', () => {
    const weight = f32([4], 1, 2, 3, 4);
    const bias = f32([4], 0.5, 0, 0, -1);
    expect(valueOf(c.rmsNorm(y, weight, 0.125))).toEqual(
      near(row.map((value, i) => (value / Math.sqrt(meanSquare + 0.125)) * (i + 1))),
    );
    expect(valueOf(c.layerNorm(y, weight, bias, 0.125))).toEqual(
      near(
        row.map((value, i) => ((value - mean) / Math.sqrt(variance + 0.125)) * (i + 1) + [0.5, 0, 0, -1][i]),
      ),
    );
  });

  it('linear and embedding', () => {
    const weight = f32([2, 3], 1, 0, 1, 0, 2, 0);
    expect(valueOf(c.linear(x, weight))).toEqual(near([4, 4, 10, 10]));
    expect(valueOf(c.linear(x, weight, f32([2], 1, -1)))).toEqual(near([5, 3, 11, 9]));
    expect(valueOf(c.embedding(weight, i64([2, 2], 1, 0, 0, 1)))).toEqual(
      near([0, 2, 0, 1, 0, 1, 1, 0, 1, 0, 2, 0]),
    );
  });

  it('rope turns each pair (i, i + D/2) by its angle', () => {
    const angles = [0.3, 1.1];
    const [cos, sin] = [Math.cos, Math.sin].map((f) => f32([1, 1, 2], ...angles.map(f)));
    const turned = angles.flatMap((angle, i) => {
      const [a, b] = [row[i], row[i + 2]];
      return [a * Math.cos(angle) - b * Math.sin(angle), b * Math.cos(angle) + a * Math.sin(angle)];
    });
    expect(valueOf(c.rope(op.reshape(y, [1, 1, 4]), cos, sin))).toEqual(
      near([turned[0], turned[2], turned[1], turned[3]]),
    );
  });

  it('attention mixes values by softmax(q·k·scale), causal and within windows', () => {
    // Heads of size 1: the scores are plain products.
    const q = f32([1, 1, 3, 1], 1, 2, 3);
    const k = f32([1, 1, 3, 1], 0.5, -0.5, 1);
    const v = f32([1, 1, 3, 1], 10, 20, 40);
    const mix = (query: number, positions: number[]): number => {
      const weights = softmaxOf(positions.map((position) => query * [0.5, -0.5, 1][position]));
      return positions.reduce((sum, position, i) => sum + weights[i] * [10, 20, 40][position], 0);
    };
    expect(valueOf(c.attention(q, k, v))).toEqual(
      near([mix(1, [0, 1, 2]), mix(2, [0, 1, 2]), mix(3, [0, 1, 2])]),
    );
    expect(valueOf(c.attention(q, k, v, { mask: c.causalMask(3, 3) }))).toEqual(
      near([10, mix(2, [0, 1]), mix(3, [0, 1, 2])]),
    );
    expect(valueOf(c.attention(q, k, v, { mask: c.windowMask(i64([3], 0, 1, 0)) }))).toEqual(
      near([mix(1, [0, 2]), 20, mix(3, [0, 2])]),
    );
    expect(valueOf(c.attention(q, k, v, { scale: 0 }))).toEqual(near([70 / 3, 70 / 3, 70 / 3]));
  });

  it('attention gives each group of query heads its own keys', () => {
    const q = f32([1, 4, 1, 1], 1, 2, 3, 4);
    const k = f32([1, 2, 2, 1], 1, 0, 0, 1);
    const v = f32([1, 2, 2, 1], 1, 0, 1, 0);
    const first = (query: number): number => softmaxOf([query, 0])[0];
    expect(valueOf(c.attention(q, k, v))).toEqual(near([first(1), first(2), 1 - first(3), 1 - first(4)]));
  });

  it('a mask that hides everything leaves finite numbers', () => {
    const q = f32([1, 1, 1, 1], 1);
    const hidden = op.scalar(c.MASKED);
    expect(valueOf(c.attention(q, q, f32([1, 1, 1, 1], 7), { mask: hidden }))).toEqual(near([7]));
  });

  it('log-probabilities of labels, and their mean over those that count', () => {
    const logits = f32([3, 2], 0, Math.log(3), 1, 1, 5, -5);
    const labels = i64([3], 1, 0, -100);
    expect(valueOf(c.tokenLogProbs(logits, labels))).toEqual(near([Math.log(0.75), Math.log(0.5), 0]));
    expect(valueOf(c.crossEntropy(logits, labels))).toEqual(near([-(Math.log(0.75) + Math.log(0.5)) / 2]));
  });
});

describe('groupQueryAttention', () => {
  const [heads, kvHeads, size, capacity] = [2, 1, 2, 4];

  function run(length: number, feeds: Record<string, number[]>, batch = 1): Float64Array[] {
    const shapes: Record<string, [DType, number[]]> = {
      query: ['f32', [batch, length, heads * size]],
      key: ['f32', [batch, length, kvHeads * size]],
      value: ['f32', [batch, length, kvHeads * size]],
      cachedKeys: ['f32', [batch, kvHeads, capacity, size]],
      cachedValues: ['f32', [batch, kvHeads, capacity, size]],
      lastIndex: ['i32', [batch]],
      total: ['i32', []],
    };
    const [query, key, value, cachedKeys, cachedValues, lastIndex, total] = Object.entries(shapes).map(
      ([name, [dtype, shape]]) => op.input(name, dtype, shape),
    );
    const operands = { query, key, value, cachedKeys, cachedValues, lastIndex, total, heads, kvHeads };
    const { output, keys, values } = op.groupQueryAttention(operands);
    const fed = Object.entries(shapes).map(([name, [dtype, shape]]): [string, Feed] => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: feeds[name] ?? allocate(dtype, count) }];
    });
    return interpret([output, keys, values], Object.fromEntries(fed)).map(({ data }) => data);
  }

  const query = [1, 2, 0.5, -1, 0.25, 1, -1, 0.5, 1, 1, 2, 0];
  const key = [1, 0, 0.5, 1, -1, 1];
  const value = [1, 2, 3, 4, 5, 6];

  it('of a prompt and then a token is causal attention over all of them', () => {
    const two = run(2, {
      query: query.slice(0, 8),
      key: key.slice(0, 4),
      value: value.slice(0, 4),
      lastIndex: [1],
      total: [2],
    });
    expect(Array.from(two[1])).toEqual([1, 0, 0.5, 1, 0, 0, 0, 0]);
    const third = run(1, {
      query: query.slice(8),
      key: key.slice(4),
      value: value.slice(4),
      cachedKeys: Array.from(two[1]),
      cachedValues: Array.from(two[2]),
      lastIndex: [2],
      total: [3],
    });
    expect(Array.from(third[2])).toEqual([1, 2, 3, 4, 5, 6, 0, 0]);

    const q = op.transpose(f32([1, 3, 2, 2], ...query), [0, 2, 1, 3]);
    const k = f32([1, 1, 3, 2], ...key);
    const v = f32([1, 1, 3, 2], ...value);
    const whole3 = op.transpose(c.attention(q, k, v, { mask: c.causalMask(3, 3) }), [0, 2, 1, 3]);
    expect(valueOf(whole3)).toEqual(near([...two[0], ...third[0]]));
  });

  it('takes no notice of what a row has behind its own length', () => {
    const row = { query: query.slice(8), key: key.slice(4), value: value.slice(4) };
    const twice = (data: number[]): number[] => [...data, ...data];
    const noise = [9, 9, 9, 9, 9, 9, 9, 9];
    const both = run(
      1,
      {
        query: twice(row.query),
        key: twice(row.key),
        value: twice(row.value),
        cachedKeys: [...key.slice(0, 4), 0, 0, 0, 0, ...noise],
        cachedValues: [...value.slice(0, 4), 0, 0, 0, 0, ...noise],
        lastIndex: [2, 0],
        total: [3],
      },
      2,
    );
    // The second row has one token alone, so its value is the answer of both heads.
    expect(Array.from(both[0].slice(4))).toEqual([5, 6, 5, 6]);
  });

  it('refuses tokens that do not fit the cache', () => {
    expect(() => run(1, { lastIndex: [4], total: [5] })).toThrow('row 0: 5 tokens do not fit its cache');
  });
});

describe('feeds', () => {
  const symbolic = op.input('x', 'f32', ['batch', 3]);

  it('give the named sizes their values', () => {
    const grown = op.reshape(op.concat([symbolic, symbolic], 0), ['2*batch', 3, 1]);
    const [value] = interpret([grown], { x: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] } });
    expect(value.shape).toEqual([4, 3, 1]);
  });

  it('may be whole numbers of 64 bits, and f16 as bits', () => {
    const ids = op.input('ids', 'i64', [2]);
    const half = op.input('half', 'f16', [6]);
    const bits = Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x8000, 0x7bff, 0xfc00);
    const [a, b] = interpret([ids, half], {
      ids: { shape: [2], data: BigInt64Array.from([3n, -4n]) },
      half: { shape: [6], data: bits },
    });
    expect(Array.from(a.data)).toEqual([3, -4]);
    expect(Array.from(b.data)).toEqual([1, -2.5, 2 ** -24, -0, 65504, -Infinity]);
  });

  it('are computed in f64, or rounded to f32 where asked', () => {
    const third = op.div(1, op.input('y', 'f32', []));
    const feeds = { y: { shape: [], data: [3] } };
    expect(interpret([third], feeds)[0].data[0]).toBe(1 / 3);
    expect(interpret([third], feeds, { precision: 'f32' })[0].data[0]).toBe(Math.fround(1 / 3));
  });

  it.each<[string, Record<string, Feed>, string]>([
    ['a missing feed', {}, "nothing is fed for the input 'x'"],
    [
      'another rank',
      { x: { shape: [3], data: [1, 2, 3] } },
      "'x' is declared as [batch, 3] and fed with [3]",
    ],
    [
      'another size',
      { x: { shape: [1, 2], data: [1, 2] } },
      "'x' is declared as [batch, 3] and fed with [1, 2]",
    ],
    ['too few elements', { x: { shape: [2, 3], data: [1] } }, "'x' has 1 elements; [2, 3] needs 6"],
  ])('refuse %s', (_, feeds, message) => {
    expect(() => interpret([symbolic], feeds)).toThrow(message);
  });

  it('refuse two values for one size', () => {
    const other = op.input('y', 'f32', ['batch']);
    const feeds = { x: { shape: [1, 3], data: [1, 2, 3] }, y: { shape: [2], data: [1, 2] } };
    expect(() => interpret([op.reduceSum(symbolic, [0, 1]), other], feeds)).toThrow(
      `'y' is declared as [batch] and fed with [2] ({"batch":1})`,
    );
  });

  it('refuse an index outside its table', () => {
    expect(() => interpret([op.gather(x, i64([1], 2))], {})).toThrow('index 2 is outside a table of 2 rows');
  });
});
