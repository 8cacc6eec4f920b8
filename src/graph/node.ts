import { InternalError } from '../util/errors.js';
import type { DType, TensorData } from './dtype.js';
import { formatShape, type Shape } from './shape.js';

export type AttributeValue = number | string | boolean | null | readonly (number | string)[] | TensorData;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A dtype and a shape: all that inference knows of a value. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One application of an op. Immutable; shared by everything that uses its outputs. */
export interface Node {
  /** Creation order: an input's id is always smaller than its user's. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly outputs: readonly Tensor[];
}

/** One output of a node. */
export interface Tensor extends TensorType {
  readonly node: Node;
  /** Which of the node's outputs this is. */
  readonly index: number;
}

/** What the tables say of an op: how its result types follow from its operands, and, for composites, what it stands for. */
export interface OpDefinition {
  /** Throws through {@link refuse} where the operands do not fit. */
  infer(inputs: readonly TensorType[], attributes: Attributes): readonly TensorType[];
  /** The same values from smaller ops; primitives have none. */
  decompose?(inputs: readonly Tensor[], attributes: Attributes): readonly Tensor[];
}

let nextId = 0;

/** Makes a node; only the tables' builders call this. */
export function makeNode(
  op: string,
  definition: OpDefinition,
  inputs: readonly Tensor[],
  attributes: Attributes = {},
): Node {
  const types = definition.infer(inputs, attributes);
  const outputs: Tensor[] = [];
  const node: Node = { id: nextId++, op, inputs: [...inputs], attributes, outputs };
  types.forEach((type, index) => {
    outputs.push({ node, index, dtype: type.dtype, shape: [...type.shape] });
  });
  return node;
}

/** Refuses operands, naming the op and every operand's type. */
export function refuse(op: string, inputs: readonly TensorType[], why: string): never {
  const operands = inputs.map((input) => `${input.dtype}${formatShape(input.shape)}`).join(', ');
  throw new InternalError(`${op}(${operands}): ${why}`);
}

/** All nodes that `outputs` reach, inputs before users. */
export function reachable(outputs: readonly Tensor[]): Node[] {
  const found = new Map<number, Node>();
  const pending = outputs.map((output) => output.node);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (found.has(node.id)) continue;
    found.set(node.id, node);
    for (const input of node.inputs) pending.push(input.node);
  }
  return [...found.values()].sort((a, b) => a.id - b.id);
}
