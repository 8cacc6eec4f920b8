import { describe, expect, it } from 'vitest';
import { buildCase } from './case.test-util.js';
import { CASES } from './cases.test-util.js';
import * as c from './composites.js';
import { OPS } from './definitions.js';
import type { DType } from './dtype.js';
import { interpret } from './interpreter.js';
import { reachable, type Tensor } from './node.js';
import * as op from './ops.js';
import type { Shape } from './shape.js';

const f32 = (...shape: Shape): Tensor => op.input(`f32 ${shape.join()}`, 'f32', shape);
const i64 = (...shape: Shape): Tensor => op.input(`i64 ${shape.join()}`, 'i64', shape);
const bool = (...shape: Shape): Tensor => op.input(`bool ${shape.join()}`, 'bool', shape);

describe('operands that do not fit are refused with their types', () => {
  it.each<[string, () => unknown, string]>([
    ['add', () => op.add(f32(2, 3), f32(2)), 'add(f32[2, 3], f32[2]): shapes do not broadcast'],
    ['add', () => op.add(f32(2), i64(2)), 'add(f32[2], i64[2]): operands differ in dtype'],
    ['add', () => op.add(f32('batch'), f32('seq')), 'add(f32[batch], f32[seq]): shapes do not broadcast'],
    ['mul', () => op.mul(bool(2), bool(2)), 'mul(bool[2], bool[2]): booleans have no arithmetic'],
    ['equal', () => op.equal(f32(2), f32(3)), 'equal(f32[2], f32[3]): shapes do not broadcast'],
    ['and', () => op.and(f32(2), f32(2)), 'and(f32[2], f32[2]): needs booleans'],
    ['not', () => op.not(f32(2)), 'not(f32[2]): needs a boolean'],
    ['exp', () => op.exp(i64(2)), 'exp(i64[2]): needs a float operand'],
    [
      'where',
      () => op.where(f32(2), f32(2), f32(2)),
      'where(f32[2], f32[2], f32[2]): the condition must be boolean',
    ],
    [
      'where',
      () => op.where(bool(2), f32(2), i64(2)),
      'where(bool[2], f32[2], i64[2]): the two values differ in dtype',
    ],
    [
      'where',
      () => op.where(bool(4), f32(2), f32(2)),
      'where(bool[4], f32[2], f32[2]): shapes do not broadcast',
    ],
    [
      'matmul',
      () => op.matmul(f32(2, 3), f32(4, 2)),
      'matmul(f32[2, 3], f32[4, 2]): inner dimensions differ',
    ],
    [
      'matmul',
      () => op.matmul(f32(3), f32(3, 2)),
      'matmul(f32[3], f32[3, 2]): operands need two dimensions or more',
    ],
    [
      'matmul',
      () => op.matmul(f32(2, 1, 3), f32(4, 3, 1)),
      'matmul(f32[2, 1, 3], f32[4, 3, 1]): leading dimensions do not broadcast',
    ],
    [
      'matmul',
      () => op.matmul(i64(2, 2), i64(2, 2)),
      'matmul(i64[2, 2], i64[2, 2]): needs two floats of one dtype',
    ],
    ['reshape', () => op.reshape(f32(2, 3), [4]), 'reshape(f32[2, 3]): cannot become [4]'],
    [
      'reshape',
      () => op.reshape(f32('seq', 3), ['batch', 3]),
      'reshape(f32[seq, 3]): cannot become [batch, 3]',
    ],
    ['reshape', () => op.reshape(f32(2, 3), [4, -1]), 'the size 6 is no multiple of 4'],
    [
      'transpose',
      () => op.transpose(f32(2, 3), [1, 1]),
      'transpose(f32[2, 3]): [1, 1] is no permutation of its axes',
    ],
    ['expand', () => op.expand(f32(2, 3), [2, 4]), 'expand(f32[2, 3]): does not broadcast to [2, 4]'],
    ['expand', () => op.expand(f32(2, 3), [3]), 'expand(f32[2, 3]): does not broadcast to [3]'],
    [
      'concat',
      () => op.concat([f32(2, 3), f32(3, 3)], 1),
      'concat(f32[2, 3], f32[3, 3]): operands differ outside axis 1',
    ],
    ['slice', () => op.slice(f32(2, 3), 1, 1, 4), 'slice(f32[2, 3]): cannot take 1…4 of axis 1'],
    ['slice', () => op.slice(f32('seq'), 0, 1, 2), 'slice(f32[seq]): cannot take 1…2 of axis 0'],
    ['slice', () => op.slice(f32(3), 0, 2, 2), 'slice(f32[3]): cannot take 2…2 of axis 0'],
    ['pad', () => op.pad(f32(2), 0, -1, 0), 'pad(f32[2]): cannot pad by a negative number'],
    ['gather', () => op.gather(f32(2, 3), f32(1)), 'gather(f32[2, 3], f32[1]): indices must be i64'],
    ['gather', () => op.gather(f32(), i64(1)), 'gather(f32[], i64[1]): a scalar has no rows'],
    [
      'scatterAdd',
      () => op.scatterAdd(f32(2, 3), i64(3), [4, 3]),
      'scatterAdd(f32[2, 3], i64[3]): updates do not fit a table of [4, 3]',
    ],
    ['reduceSum', () => op.reduceSum(f32(2, 3), [2]), 'axis 2 is outside a tensor of rank 2'],
    [
      'reduceSum',
      () => op.reduceSum(bool(2), [0]),
      'reduceSum(bool[2]): booleans cannot be reduced; cast first',
    ],
    [
      'linear',
      () => c.linear(f32(2, 3), f32(3, 2)),
      'linear(f32[2, 3], f32[3, 2]): weight must be [out, in]',
    ],
    ['linear', () => c.linear(f32(2, 3), f32(4, 3), f32(3)), 'linear(f32[2, 3], f32[4, 3], f32[3]): '],
    [
      'rmsNorm',
      () => c.rmsNorm(f32(2, 3), f32(2), 1),
      'rmsNorm(f32[2, 3], f32[2]): weight and bias must have the size',
    ],
    [
      'rope',
      () => c.rope(f32(1, 2, 4), f32(1, 2, 3), f32(1, 2, 3)),
      'rope(f32[1, 2, 4], f32[1, 2, 3], f32[1, 2, 3]): needs x [B, S, H·D]',
    ],
    [
      'attention',
      () => c.attention(f32(1, 3, 2, 4), f32(1, 2, 2, 4), f32(1, 2, 2, 4)),
      'attention(f32[1, 3, 2, 4], f32[1, 2, 2, 4], f32[1, 2, 2, 4]): needs q [B, H, S, D] and k, v [B, K, T, D]',
    ],
    [
      'attention',
      () => c.attention(f32(1, 1, 2, 4), f32(1, 1, 2, 4), f32(1, 1, 2, 4), { mask: f32(3, 2) }),
      'attention(f32[1, 1, 2, 4], f32[1, 1, 2, 4], f32[1, 1, 2, 4], f32[3, 2]): the mask does not broadcast',
    ],
    [
      'crossEntropy',
      () => c.crossEntropy(f32(2, 3), i64(3)),
      'crossEntropy(f32[2, 3], i64[3]): needs logits […, V] and i64 labels […]',
    ],
    [
      'tokenLogProbs',
      () => c.tokenLogProbs(f32(2, 3), f32(2)),
      'tokenLogProbs(f32[2, 3], f32[2]): needs logits […, V] and i64 labels […]',
    ],
    ['softmax', () => c.softmax(i64(2)), 'softmax(i64[2]): needs a float operand'],
    ['embedding', () => c.embedding(f32(4, 2), f32(3)), 'embedding(f32[4, 2], f32[3]): needs a float weight'],
    [
      'crossEntropy',
      () => c.crossEntropy(i64(2, 3), i64(2)),
      'crossEntropy(i64[2, 3]): needs floats of one dtype',
    ],
  ])('%s (%#)', (_, build, message) => {
    expect(build).toThrow(message);
  });
});

/** Ops whose operands, or some of them, may be of any dtype, floats or not. */
const ANY_DTYPE = ['after', 'cast', 'where', 'gather', 'scatterAdd'];

describe('operands of mixed dtypes are refused', () => {
  const mixed = CASES.filter((example) => !ANY_DTYPE.includes(example.op)).flatMap((example) => {
    const floats = Object.entries(example.inputs).filter(([, { dtype }]) => dtype === 'f32');
    return floats.length < 2
      ? []
      : floats.map(([name]) => ({ title: `${example.name}: ${name}`, name, example }));
  });

  it.each(mixed)('$title', ({ name, example: { inputs, build } }) => {
    for (const other of ['f16', 'i64', 'bool'] as const) {
      const tensors = Object.entries(inputs).map(([each, { dtype, shape }]): [string, Tensor] => [
        each,
        op.input(each, each === name ? other : dtype, shape),
      ]);
      expect(() => build(Object.fromEntries(tensors))).toThrow(other);
    }
  });
});

describe('results have the types that inference promises', () => {
  it.each(CASES)('$name', (example) => {
    const { outputs } = buildCase(example);
    const sizes = { batch: 2, seq: 3 };
    const values = interpret(outputs, example.inputs);
    outputs.forEach((output, i) => {
      const shape = output.shape.map((dim) =>
        typeof dim === 'number' ? dim : sizes[dim as keyof typeof sizes],
      );
      expect(values[i].shape).toEqual(shape);
      expect(values[i].dtype).toBe(output.dtype);
    });
  });

  it.each<[string, Tensor, DType, Shape]>([
    ['a broadcast of named sizes', op.add(f32('batch', 1, 3), f32('seq', 1)), 'f32', ['batch', 'seq', 3]],
    ['a comparison', op.less(i64(2, 1), i64(3)), 'bool', [2, 3]],
    [
      'a product of named sizes',
      op.matmul(f32('batch', 4, 'seq', 8), f32(8, 3)),
      'f32',
      ['batch', 4, 'seq', 3],
    ],
    ['a sum of sizes', op.concat([f32('past', 4), f32('seq', 4)], 0), 'f32', ['past+seq', 4]],
    ['padding', op.pad(f32('seq'), 0, 1, 2), 'f32', ['3+seq']],
    ['what −1 leaves', op.reshape(f32('batch', 'seq', 6), ['batch', -1, 3]), 'f32', ['batch', '2*seq', 3]],
    ['rows of a table', op.gather(f32(9, 4), i64('batch', 'seq')), 'f32', ['batch', 'seq', 4]],
    ['linear', c.linear(f32('batch', 'seq', 4), f32(6, 4)), 'f32', ['batch', 'seq', 6]],
  ])('%s', (_, { dtype, shape }, expectedType, expectedShape) => {
    expect({ dtype, shape }).toEqual({ dtype: expectedType, shape: expectedShape });
  });

  it('has a case for every op but the leaves', () => {
    const tested = new Set(CASES.map((example) => example.op));
    const leaves = ['input', 'parameter', 'constant'];
    expect(OPS.filter((name) => !tested.has(name) && !leaves.includes(name))).toEqual([]);
    expect([...tested].filter((name) => !OPS.includes(name))).toEqual([]);
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  });
});

describe('builders', () => {
  it('make no node where nothing changes', () => {
    const x = f32(2, 3);
    expect(op.reshape(x, [2, -1])).toBe(x);
    expect(op.transpose(x, [0, 1])).toBe(x);
    expect(op.expand(x, [2, 3])).toBe(x);
    expect(op.slice(x, 1, 0, 3)).toBe(x);
    expect(op.pad(x, 0, 0, 0)).toBe(x);
    expect(op.concat([x], 0)).toBe(x);
    expect(op.cast(x, 'f32')).toBe(x);
    expect(op.reduceSum(x, [])).toBe(x);
  });

  it('give a plain number the dtype of the other operand', () => {
    expect(op.add(i64(2), 1).dtype).toBe('i64');
    expect(op.sub(1, f32(2)).dtype).toBe('f32');
  });

  it('list what outputs reach once, inputs before users', () => {
    const x = f32(2);
    const y = op.exp(x);
    expect(reachable([op.add(y, op.mul(y, x)), y]).map((node) => node.op)).toEqual([
      'input',
      'exp',
      'mul',
      'add',
    ]);
  });
});
