/** @module Products whose transposed operands are read in place instead of being copied. */
import type { Node, Tensor } from '../graph/node.js';
import { numbers } from '../graph/primitives.js';
import type { Emitter } from './emitter.js';
import { MICROSOFT } from './proto.js';

interface Operand {
  readonly tensor: Tensor;
  readonly transposed: boolean;
}

/** Looks through a transposition of the last two axes. */
function operandOf(tensor: Tensor): Operand {
  const { node } = tensor;
  if (node.op !== 'transpose') return { tensor, transposed: false };
  const permutation = numbers(node.attributes.permutation);
  const last = permutation.length - 1;
  const swaps = permutation.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i));
  return swaps ? { tensor: node.inputs[0], transposed: true } : { tensor, transposed: false };
}

function defineGemm(node: Node, product: Node, bias: readonly Tensor[], emitter: Emitter): void {
  const [a, b] = product.inputs.map(operandOf);
  emitter.define(node, 'Gemm', emitter.namesOf([a.tensor, b.tensor, ...bias]), {
    attributes: { transA: { int: a.transposed ? 1 : 0 }, transB: { int: b.transposed ? 1 : 0 } },
  });
}

const isMatrixProduct = ({ inputs }: Node): boolean => inputs.every(({ shape }) => shape.length === 2);

/** MatMul, or where an operand is transposed Gemm (two dimensions) or FusedMatMul (more). */
export function lowerMatmul(node: Node, emitter: Emitter): void {
  const [a, b] = node.inputs.map(operandOf);
  if (!a.transposed && !b.transposed) {
    emitter.define(node, 'MatMul', emitter.namesOf(node.inputs));
  } else if (isMatrixProduct(node)) {
    defineGemm(node, node, [], emitter);
  } else {
    emitter.define(node, 'FusedMatMul', emitter.namesOf([a.tensor, b.tensor]), {
      domain: MICROSOFT,
      attributes: { transA: { int: a.transposed ? 1 : 0 }, transB: { int: b.transposed ? 1 : 0 } },
    });
  }
}

/** Add, or Gemm where a bias is added to a product that nothing else reads. */
export function lowerAdd(node: Node, emitter: Emitter): void {
  const [x, bias] = node.inputs;
  const joins =
    x.node.op === 'matmul' &&
    isMatrixProduct(x.node) &&
    bias.shape.length === 1 &&
    bias.shape[0] === x.shape[1] &&
    emitter.isUsedOnce(x);
  if (joins) defineGemm(node, x.node, [bias], emitter);
  else emitter.define(node, 'Add', emitter.namesOf(node.inputs));
}
