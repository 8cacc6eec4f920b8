/** @module Graphs are immutable: a pass rebuilds what its changes reach and shares the rest. */
import { assert, InternalError } from '../util/errors.js';
import { definitionOf, isComposite } from './definitions.js';
import { makeNode, type Node, reachable, type Tensor } from './node.js';

/** What takes the place of a node's outputs, given its inputs after replacement; null keeps the node. */
export type Replace = (node: Node, inputs: readonly Tensor[]) => readonly Tensor[] | null;

/** The node over other inputs: itself where they are its own, else inferred again. */
export function rebuild(node: Node, inputs: readonly Tensor[]): Node {
  if (inputs.every((input, i) => input === node.inputs[i])) return node;
  return makeNode(node.op, definitionOf(node.op), inputs, node.attributes);
}

/** The graph with every node offered to `replace`, inputs before users. Nodes that no change reaches stay themselves. */
export function rewrite(outputs: readonly Tensor[], replace: Replace): Tensor[] {
  const replaced = new Map<Tensor, Tensor>();
  const current = (tensor: Tensor): Tensor => {
    const found = replaced.get(tensor);
    if (found === undefined)
      throw new InternalError(`an output of ${tensor.node.op} is used before its node`);
    return found;
  };
  for (const node of reachable(outputs)) {
    const inputs = node.inputs.map(current);
    const values = replace(node, inputs) ?? rebuild(node, inputs).outputs;
    assert(
      values.length === node.outputs.length,
      `${node.op} has ${node.outputs.length} outputs, its replacement ${values.length}`,
    );
    node.outputs.forEach((output, i) => {
      replaced.set(output, values[i]);
    });
  }
  return outputs.map(current);
}

/** Replaces composites by what they stand for until only primitives and the composites in `keep` are left. */
export function expandComposites(
  outputs: readonly Tensor[],
  keep: ReadonlySet<string> = new Set(),
): Tensor[] {
  const expands = (node: Node): boolean => isComposite(node.op) && !keep.has(node.op);
  let expanded = [...outputs];
  // One round per level of nesting: a decomposition may hold composites itself.
  while (reachable(expanded).some(expands)) {
    expanded = rewrite(expanded, (node, inputs) => {
      return expands(node) ? (definitionOf(node.op).decompose?.(inputs, node.attributes) ?? null) : null;
    });
  }
  return expanded;
}
