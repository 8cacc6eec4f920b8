import { describe, expect, it } from 'vitest';
import { buildCase } from './case.test-util.js';
import { CASES } from './cases.test-util.js';
import type { Node, Tensor } from './node.js';
import * as op from './ops.js';
import { verify } from './verify.js';

const x = op.input('x', 'f32', [2, 3]);
const sum = op.reduceSum(x, [1]);

/** The output of a node forged from `node` with some of its fields changed. */
function forged(
  node: Node,
  changes: Partial<Node>,
  type: Partial<Pick<Tensor, 'dtype' | 'shape'>> = {},
): Tensor {
  const outputs: Tensor[] = [];
  const copy: Node = { ...node, ...changes, outputs };
  for (const output of node.outputs) outputs.push({ ...output, ...type, node: copy });
  return outputs[0];
}

describe('verify', () => {
  it.each(CASES)('accepts $name as it was built', (example) => {
    expect(() => verify(buildCase(example).outputs)).not.toThrow();
  });

  it.each<[string, Tensor, string]>([
    ['an unknown op', forged(sum.node, { op: 'sum' }), "there is no op 'sum'"],
    ['a wrong shape', forged(sum.node, {}, { shape: [2] }), 'inference gives f32[2, 1] for output 0'],
    ['a wrong dtype', forged(sum.node, {}, { dtype: 'f16' }), 'inference gives f32[2, 1] for output 0'],
    ['an input made after its user', forged(sum.node, { id: 0 }), 'an input was created after its user'],
    [
      'an input that is no output of its node',
      forged(sum.node, { inputs: [{ ...x }] }),
      'an input is no output of its node',
    ],
    [
      'a missing attribute',
      forged(sum.node, { attributes: { axes: [1] } }),
      "the attribute 'keepDims' is missing",
    ],
    [
      'an attribute of the wrong kind',
      forged(sum.node, { attributes: { axes: [-1], keepDims: true } }),
      "the attribute 'axes' is no axes",
    ],
    [
      'an attribute that the op does not have',
      forged(sum.node, { attributes: { axes: [1], keepDims: true, epsilon: 1 } }),
      "reduceSum has no attribute 'epsilon'",
    ],
    [
      'operands that no longer fit',
      forged(sum.node, { attributes: { axes: [2], keepDims: true } }),
      'axis 2 is outside a tensor of rank 2',
    ],
    [
      'an unknown dtype',
      forged(x.node, { attributes: { name: 'x', dtype: 'f8', shape: [2] } }),
      'is no dtype',
    ],
    ['too little data', op.constant('f32', [3], new Float32Array(2)), 'it carries 2 elements for [3]'],
    ['data of another dtype', op.constant('f32', [2], new Int32Array(2)), 'its data is no Float32Array'],
  ])('refuses %s', (_, output, message) => {
    expect(() => verify([output])).toThrow(message);
  });

  it('prints the node that is wrong', () => {
    const wrong = forged(sum.node, {}, { shape: [2] });
    expect(() => verify([wrong])).toThrow(
      `%${sum.node.id} f32[2] = reduceSum(%${x.node.id}) {axes: [1], keepDims: true}: `,
    );
  });

  it('refuses two types under one name', () => {
    expect(() => verify([x, op.input('x', 'i64', [2, 3])])).toThrow(
      "'x' is both input f32[2, 3] and input i64[2, 3]",
    );
  });
});
