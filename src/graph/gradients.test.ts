import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { buildCase, lossOfCase } from './case.test-util.js';
import { CASES } from './cases.test-util.js';
import * as c from './composites.js';
import { isComposite, OPS } from './definitions.js';
import { gradientError, numericalGradient } from './gradient-check.test-util.js';
import { DIFFERENTIABLE_COMPOSITES, GRADIENT_RULES, gradients, NOT_DIFFERENTIABLE } from './gradients.js';
import { type Feed, interpret } from './interpreter.js';
import { reachable, type Tensor } from './node.js';
import * as op from './ops.js';
import { expandComposites } from './rewrite.js';
import { evaluateShape } from './shape.js';

const random = new Random('gradients');

/** Relative; central differences in f64 themselves are wrong by about 1e-9. */
const TOLERANCE = 1e-6;

function randomly(shape: readonly number[], spread = 1): Feed {
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Array.from({ length: count }, () => random.uniform(-spread, spread)) };
}

/** A scalar in which every element of `x` counts differently. */
function weigh(x: Tensor): Tensor {
  const { shape, data } = randomly(evaluateShape(x.shape, {}));
  const weights = op.constant('f32', shape, Float32Array.from(data, Number));
  return total(op.mul(x, weights));
}

function total(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return op.reduceSum(x, axes, false);
}

/** The cache is for inference alone; in training `attention` stands in its place. */
const INFERENCE_ONLY = ['groupQueryAttention'];

describe('the table of rules', () => {
  it('has a rule for every primitive that is not listed as without a gradient', () => {
    const without = OPS.filter((name) => !isComposite(name) && !(name in GRADIENT_RULES));
    expect(without.sort()).toEqual([...NOT_DIFFERENTIABLE, ...INFERENCE_ONLY].sort());
  });

  it('names only ops that exist', () => {
    expect(Object.keys(GRADIENT_RULES).filter((name) => !OPS.includes(name))).toEqual([]);
  });

  it('has a smooth case for every rule and every composite', () => {
    const tested = new Set(CASES.filter(({ smooth }) => smooth).map((example) => example.op));
    const needed = OPS.filter((name) => name in GRADIENT_RULES || isComposite(name));
    expect(needed.filter((name) => !tested.has(name))).toEqual([]);
  });
});

describe('the check itself', () => {
  const x = op.input('x', 'f32', [2]);
  const feeds = { x: { shape: [2], data: [2, -3] } };

  it('finds the slope of a cube', () => {
    const [slope] = numericalGradient(total(op.mul(op.mul(x, x), x)), [x], feeds);
    expect(slope[0]).toBeCloseTo(12, 8);
    expect(slope[1]).toBeCloseTo(27, 8);
  });

  it('sees a gradient that lacks a term', () => {
    // Holding one factor of x·x fixed loses half of the slope 2x.
    expect(gradientError(total(op.mul(op.stopGradient(x), x)), [x], feeds)).toBeCloseTo(0.5, 6);
  });
});

describe('gradients against central differences', () => {
  it.each(CASES.filter(({ smooth }) => smooth))('$name', (example) => {
    const { loss, wrt, feeds } = lossOfCase(example);
    expect(gradientError(loss, wrt, feeds)).toBeLessThan(TOLERANCE);
  });

  it('a tensor with several uses, some of them shared', () => {
    const x = op.input('x', 'f32', [2, 3]);
    const y = op.input('y', 'f32', [3]);
    const shared = op.tanh(op.mul(x, y));
    const loss = weigh(op.add(op.mul(shared, shared), op.add(op.sin(shared), op.mul(x, y))));
    expect(gradientError(loss, [x, y], { x: randomly([2, 3]), y: randomly([3]) })).toBeLessThan(TOLERANCE);
  });

  it('an operand on both sides of a product', () => {
    const x = op.input('x', 'f32', [3, 3]);
    expect(
      gradientError(weigh(op.matmul(op.matmul(x, x), op.matrixTranspose(x))), [x], { x: randomly([3, 3]) }),
    ).toBeLessThan(TOLERANCE);
  });

  it('one table read by gather twice and used as a matrix', () => {
    const table = op.parameter('table', [4, 3]);
    const ids = op.constant('i64', [5], BigInt64Array.from([1n, 1n, 3n, 1n, 0n]));
    const rows = c.embedding(table, ids);
    const loss = weigh(
      op.add(op.matmul(rows, op.matrixTranspose(table)), op.reduceSum(op.gather(rows, ids), [-1])),
    );
    expect(gradientError(loss, [table], { table: randomly([4, 3]) })).toBeLessThan(TOLERANCE);
  });

  it('the inside of a composite that reads one tensor twice', () => {
    const x = op.input('x', 'f32', [1, 2, 3, 4]);
    expect(
      gradientError(weigh(c.attention(x, x, x, { mask: c.causalMask(3, 3) })), [x], {
        x: randomly([1, 2, 3, 4]),
      }),
    ).toBeLessThan(TOLERANCE);
  });

  it('the mask of attention itself', () => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => op.input(name, 'f32', [1, 2, 3, 2]));
    const mask = op.input('mask', 'f32', [1, 1, 3, 3]);
    const feeds = {
      q: randomly([1, 2, 3, 2]),
      k: randomly([1, 2, 3, 2]),
      v: randomly([1, 2, 3, 2]),
      mask: randomly([1, 1, 3, 3]),
    };
    expect(gradientError(weigh(c.attention(q, k, v, { mask })), [mask, q], feeds)).toBeLessThan(TOLERANCE);
  });

  it.each<[string, readonly (readonly [from: number, to: number])[]]>([
    [
      'follow each other',
      [
        [0, 2],
        [2, 3],
        [3, 6],
      ],
    ],
    [
      'begin together',
      [
        [0, 6],
        [0, 2],
        [0, 4],
        [0, 4],
      ],
    ],
    [
      'begin together and end before the axis does',
      [
        [1, 4],
        [1, 2],
      ],
    ],
    [
      'overlap and leave gaps',
      [
        [0, 2],
        [1, 5],
        [3, 4],
        [2, 4],
      ],
    ],
  ])('slices that %s', (_, ranges) => {
    const x = op.input('x', 'f32', [2, 6, 3]);
    const squares = ranges.map(([from, to]) => {
      const part = op.slice(x, 1, from, to);
      return weigh(op.mul(part, part));
    });
    expect(gradientError(squares.reduce(op.add), [x], { x: randomly([2, 6, 3]) })).toBeLessThan(TOLERANCE);
  });

  it('a gradient of a gradient', () => {
    const x = op.input('x', 'f32', [3]);
    const [slope] = gradients(op.reduceSum(op.mul(op.exp(x), op.mul(x, x)), [0], false), [x]);
    expect(gradientError(weigh(slope), [x], { x: randomly([3]) })).toBeLessThan(TOLERANCE);
  });
});

describe('gradients', () => {
  it('of slices that cut an axis are put side by side, without zeros around each', () => {
    const x = op.input('x', 'f32', [4, 2]);
    const cut = [0, 1, 2, 3].map((i) => weigh(op.exp(op.slice(x, 0, i, i + 1))));
    const [gradient] = gradients(cut.reduce(op.add), [x]);
    const ops = reachable([gradient]).map(({ op: name }) => name);
    expect(ops.filter((name) => name === 'concat')).toHaveLength(1);
    expect(ops).not.toContain('pad');
  });

  it('are zeros where the loss does not depend on a tensor', () => {
    const x = op.input('x', 'f32', [2]);
    const idle = op.input('idle', 'f32', [2, 2]);
    const [gradient] = gradients(op.reduceSum(x, [0]), [idle]);
    expect(Array.from(interpret([gradient], {})[0].data)).toEqual([0, 0, 0, 0]);
  });

  it('stop where they are told to', () => {
    const x = op.input('x', 'f32', [2]);
    const loss = op.reduceSum(op.mul(op.stopGradient(x), op.mul(x, x)), [0]);
    const feeds = { x: { shape: [2], data: [3, -2] } };
    // d(c·x²)/dx with c = x held fixed is 2x², where the whole derivative would be 3x².
    expect(Array.from(interpret(gradients(loss, [x]), feeds)[0].data)).toEqual([18, 8]);
  });

  it('do not flow through comparisons or whole numbers', () => {
    const x = op.input('x', 'f32', [3]);
    const steps = op.cast(op.cast(x, 'i64'), 'f32');
    const loss = op.reduceSum(op.add(op.cast(op.greater(x, 0), 'f32'), op.add(steps, x)), [0]);
    const feeds = { x: { shape: [3], data: [1.5, -0.5, 2.25] } };
    expect(Array.from(interpret(gradients(loss, [x]), feeds)[0].data)).toEqual([1, 1, 1]);
  });

  it('share a tie of max, min and reduceMax evenly, as PyTorch', () => {
    const x = op.input('x', 'f32', [3]);
    const y = op.input('y', 'f32', [3]);
    const feeds = { x: { shape: [3], data: [1, 2, 2] }, y: { shape: [3], data: [1, 0, 5] } };
    const slope = (loss: Tensor): number[] => {
      return Array.from(interpret(gradients(loss, [x]), feeds)[0].data);
    };
    expect(slope(op.reduceSum(op.max(x, y), [0]))).toEqual([0.5, 1, 0]);
    expect(slope(op.reduceSum(op.min(x, y), [0]))).toEqual([0.5, 0, 1]);
    expect(slope(op.reduceMax(x, [0]))).toEqual([0, 0.5, 0.5]);
  });

  it('refuse a loss that is more than one number, with its shape', () => {
    const x = op.input('x', 'f32', [2, 3]);
    expect(() => gradients(x, [x])).toThrow('the loss has shape [2, 3]; it must be one number');
  });

  it.each(CASES.filter((example) => DIFFERENTIABLE_COMPOSITES.has(example.op)))(
    'of $name by its own rule are those of what it stands for',
    (example) => {
      const { outputs, tensors } = buildCase(example);
      const loss = weigh(outputs[0]);
      const wrt = Object.values(tensors);
      const [own] = interpret(gradients(loss, wrt), example.inputs);
      const [walked] = interpret(gradients(expandComposites([loss])[0], wrt), example.inputs);
      const worst = Math.max(...own.data.map((value, i) => Math.abs(value - walked.data[i])));
      expect(worst).toBeLessThan(1e-12);
    },
  );
});

describe('a transformer of two layers', () => {
  const [width, heads, inner, vocabulary, length] = [4, 2, 6, 5, 3];
  const headSize = width / heads;
  const parameters = new Map<string, Tensor>();
  const parameter = (name: string, shape: number[]): Tensor => {
    const tensor = parameters.get(name) ?? op.parameter(name, shape);
    parameters.set(name, tensor);
    return tensor;
  };

  function split(x: Tensor, count: number): Tensor {
    return op.transpose(op.reshape(x, [1, length, count, headSize]), [0, 2, 1, 3]);
  }

  function layer(x: Tensor, i: number): Tensor {
    const weight = (name: string, out: number, from: number): Tensor =>
      parameter(`${i}.${name}`, [out, from]);
    const normed = c.rmsNorm(x, parameter(`${i}.norm1`, [width]), 1e-6);
    const angles = op.constant('f32', [1, length, headSize / 2], Float32Array.from([0, 1, 2]));
    const turn = (part: Tensor): Tensor => c.rope(part, op.cos(angles), op.sin(angles));
    const bias = parameter(`${i}.q.bias`, [width]);
    const q = split(turn(c.linear(normed, weight('q', width, width), bias)), heads);
    const k = split(turn(c.linear(normed, weight('k', headSize, width))), 1);
    const v = split(c.linear(normed, weight('v', headSize, width)), 1);
    const mixed = op.transpose(c.attention(q, k, v, { mask: c.causalMask(length, length) }), [0, 2, 1, 3]);
    const attended = op.add(x, c.linear(op.reshape(mixed, [1, length, width]), weight('o', width, width)));
    const second = c.rmsNorm(attended, parameter(`${i}.norm2`, [width]), 1e-6);
    const gate = c.silu(c.linear(second, weight('gate', inner, width)));
    const up = c.linear(second, weight('up', inner, width));
    return op.add(attended, c.linear(op.mul(gate, up), weight('down', width, inner)));
  }

  it('has the gradients of central differences in every weight, its embedding tied', () => {
    const ids = op.input('ids', 'i64', [1, length]);
    const labels = op.input('labels', 'i64', [length]);
    const table = parameter('embedding', [vocabulary, width]);
    const hidden = [0, 1].reduce(layer, c.embedding(table, ids));
    const logits = c.linear(c.rmsNorm(hidden, parameter('norm', [width]), 1e-6), table);
    const loss = c.crossEntropy(op.reshape(logits, [length, vocabulary]), labels);
    const weights = [...parameters.entries()];
    const feeds = {
      ids: { shape: [1, length], data: [1, 3, 1] },
      labels: { shape: [length], data: [3, -100, 4] },
      ...Object.fromEntries(
        weights.map(([name, { shape }]) => [name, randomly(evaluateShape(shape, {}), 0.8)]),
      ),
    };
    expect(gradientError(loss, [...parameters.values()], feeds)).toBeLessThan(TOLERANCE);
  });
});
