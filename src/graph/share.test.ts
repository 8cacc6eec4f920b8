import { describe, expect, it } from 'vitest';
import { buildCase } from './case.test-util.js';
import { CASES } from './cases.test-util.js';
import { rmsNorm } from './composites.js';
import { interpret } from './interpreter.js';
import { reachable, type Tensor } from './node.js';
import * as op from './ops.js';
import { shareSubexpressions } from './share.js';
import { verify } from './verify.js';

const count = (outputs: readonly Tensor[]): number => reachable(outputs).length;
const x = (): Tensor => op.input('x', 'f32', [2, 3]);

describe('shareSubexpressions', () => {
  it('merges equal chains down to their leaves', () => {
    const [y] = shareSubexpressions([op.add(op.exp(op.sin(x())), op.exp(op.sin(x())))]);
    expect(reachable([y]).map((node) => node.op)).toEqual(['input', 'sin', 'exp', 'add']);
    expect(y.node.inputs[0]).toBe(y.node.inputs[1]);
    verify([y]);
  });

  it('merges equal outputs', () => {
    const [a, b] = shareSubexpressions([op.exp(x()), op.exp(x())]);
    expect(a).toBe(b);
  });

  it('keeps apart what differs in op, operands, order or attributes', () => {
    const a = x();
    const weight = op.parameter('weight', [3]);
    const different = [
      op.sin(a),
      op.cos(a),
      op.sub(a, op.sin(a)),
      op.sub(op.sin(a), a),
      op.slice(a, 1, 0, 2),
      op.slice(a, 1, 1, 3),
      rmsNorm(a, weight, 1e-5),
      rmsNorm(a, weight, 1e-6),
      op.reduceSum(a, [0]),
      op.reduceSum(a, [0], false),
    ];
    expect(new Set(shareSubexpressions(different)).size).toBe(different.length);
  });

  it('merges constants by dtype, shape and bytes, small and large', () => {
    const zeros = (length: number, shape: number[] = [length]): Tensor =>
      op.constant('f32', shape, new Float32Array(length));
    const almost = new Float32Array(10_000);
    almost[9_999] = 1;
    const alike = shareSubexpressions([zeros(10_000), zeros(10_000), zeros(2), zeros(2)]);
    expect(new Set(alike).size).toBe(2);
    const apart = [
      zeros(10_000),
      op.constant('f32', [10_000], almost),
      zeros(10_000, [100, 100]),
      op.constant('i32', [10_000], new Int32Array(10_000)),
      op.scalar(0),
      op.scalar(-0),
      op.scalar(0, 'i64'),
      zeros(1),
    ];
    expect(new Set(shareSubexpressions(apart)).size).toBe(apart.length);
  });

  it('reads a view of a larger buffer at its own bytes', () => {
    const buffer = Float32Array.from([1, 2, 3, 4]);
    const views = [0, 1, 2].map((start) => op.constant('f32', [2], buffer.subarray(start, start + 2)));
    expect(
      new Set(shareSubexpressions([...views, op.constant('f32', [2], Float32Array.of(2, 3))])).size,
    ).toBe(3);
  });

  it('merges the outputs of equal nodes one by one', () => {
    const example = CASES.find(({ name }) => name === 'groupQueryAttention of a prompt');
    if (example === undefined) throw new Error('the case is gone');
    const shared = shareSubexpressions([...buildCase(example).outputs, ...buildCase(example).outputs]);
    expect(shared.slice(0, 3)).toEqual(shared.slice(3));
    expect(new Set(shared).size).toBe(3);
  });

  it('refuses two types under one name, and an input and a parameter under one', () => {
    const clash = [x(), op.input('x', 'f32', [2, 4])];
    expect(() => shareSubexpressions(clash)).toThrow("'x' is both input f32[2, 3] and input f32[2, 4]");
    expect(() => shareSubexpressions([x(), op.parameter('x', [2, 3])])).toThrow(
      "'x' is both input f32[2, 3] and parameter f32[2, 3]",
    );
  });

  it.each(CASES)('changes no value of $name and never grows it', (example) => {
    const { outputs } = buildCase(example);
    const shared = shareSubexpressions(outputs);
    verify(shared);
    expect(count(shared)).toBeLessThanOrEqual(count(outputs));
    expect(interpret(shared, example.inputs)).toEqual(interpret(outputs, example.inputs));
  });
});
