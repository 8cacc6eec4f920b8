import { describe, expect, it } from 'vitest';
import { buildCase } from './case.test-util.js';
import { CASES } from './cases.test-util.js';
import { crossEntropy, linear, softmax } from './composites.js';
import { isComposite } from './definitions.js';
import { interpret } from './interpreter.js';
import { reachable, type Tensor } from './node.js';
import * as op from './ops.js';
import { expandComposites, rewrite } from './rewrite.js';
import { verify } from './verify.js';

const opsOf = (outputs: readonly Tensor[]): string[] => reachable(outputs).map((node) => node.op);

describe('rewrite', () => {
  it('gives the same graph where nothing is replaced', () => {
    const x = op.input('x', 'f32', [2]);
    const y = op.add(op.exp(x), x);
    expect(rewrite([y, x], () => null)).toEqual([y, x]);
    expect(rewrite([y], () => null)[0]).toBe(y);
  });

  it('rebuilds what a replacement reaches and keeps the rest', () => {
    const x = op.input('x', 'f32', [2]);
    const kept = op.sin(x);
    const [replaced] = rewrite([op.add(op.exp(x), kept)], (node, inputs) =>
      node.op === 'exp' ? [op.tanh(inputs[0])] : null,
    );
    expect(opsOf([replaced])).toEqual(['input', 'sin', 'tanh', 'add']);
    expect(replaced.node.inputs[1]).toBe(kept);
    verify([replaced]);
  });

  it('hands each node its replaced inputs', () => {
    const x = op.input('x', 'f32', [2]);
    const [y] = rewrite([op.exp(op.exp(x))], (node, inputs) =>
      node.op === 'exp' ? [op.sin(inputs[0])] : null,
    );
    expect(opsOf([y])).toEqual(['input', 'sin', 'sin']);
  });

  it('infers again, so that a misfit is refused with its shapes', () => {
    const x = op.input('x', 'f32', [2, 3]);
    const y = op.matmul(x, op.input('y', 'f32', [3, 4]));
    expect(() => rewrite([y], (node) => (node === x.node ? [op.input('z', 'f32', [2, 5])] : null))).toThrow(
      'matmul(f32[2, 5], f32[3, 4]): inner dimensions differ',
    );
  });

  it('refuses a replacement with another number of outputs', () => {
    const x = op.input('x', 'f32', [2]);
    expect(() => rewrite([x], () => [])).toThrow('input has 1 outputs, its replacement 0');
  });

  it('walks graphs far deeper than the stack', () => {
    let x = op.input('x', 'f32', [1]);
    for (let i = 0; i < 50_000; i++) x = op.add(x, x);
    const [y] = rewrite([x], (node) => (node.op === 'input' ? [op.input('y', 'f32', [1])] : null));
    expect(reachable([y])).toHaveLength(50_001);
  });
});

describe('expandComposites', () => {
  it.each(CASES)('leaves only primitives of $name', (example) => {
    const { outputs } = buildCase(example);
    const expanded = expandComposites(outputs);
    verify(expanded);
    expect(opsOf(expanded).filter(isComposite)).toEqual([]);
    expect(expanded.map(({ dtype, shape }) => ({ dtype, shape }))).toEqual(
      outputs.map(({ dtype, shape }) => ({ dtype, shape })),
    );
  });

  it('keeps what it is told to keep, inside other composites too', () => {
    const logits = op.input('logits', 'f32', [3, 4]);
    const labels = op.input('labels', 'i64', [3]);
    const expanded = expandComposites([crossEntropy(logits, labels)], new Set(['logSoftmax']));
    expect(opsOf(expanded).filter(isComposite)).toEqual(['logSoftmax']);
  });

  it('expands a composite over what became of its inputs', () => {
    const x = op.input('x', 'f32', [2, 3]);
    const weight = op.input('weight', 'f32', [3, 3]);
    const feeds = {
      x: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
      weight: { shape: [3, 3], data: [1, 0, 0, 0, 0, 0, 0, 0, 0] },
    };
    const y = softmax(linear(x, weight));
    const [value] = interpret(expandComposites([y]), feeds);
    const e = Math.E;
    expect(value.data[0]).toBeCloseTo(e / (e + 2), 12);
    expect(value.data[4]).toBeCloseTo(1 / (e ** 4 + 2), 12);
  });
});
