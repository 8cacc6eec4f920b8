import type { Attributes, AttributeValue, Node, Tensor } from './node.js';
import { reachable } from './node.js';
import { formatShape } from './shape.js';

/** Longer lists are cut after this many elements. */
const SHOWN_ELEMENTS = 4;

/** Attributes that repeat what the result's type already says. */
const IMPLIED: ReadonlySet<string> = new Set(['dtype', 'shape']);

function formatElements(items: ArrayLike<number | string | bigint>): string {
  const shown = Array.from({ length: Math.min(items.length, SHOWN_ELEMENTS) }, (_, i) => String(items[i]));
  if (items.length > SHOWN_ELEMENTS) shown.push(`… ${items.length} elements`);
  return `[${shown.join(', ')}]`;
}

function formatAttribute(value: AttributeValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return value !== null && typeof value === 'object' ? formatElements(value) : String(value);
}

function formatAttributes(attributes: Attributes): string {
  const shown = Object.entries(attributes).filter(([name]) => !IMPLIED.has(name));
  if (shown.length === 0) return '';
  return ` {${shown.map(([name, value]) => `${name}: ${formatAttribute(value)}`).join(', ')}}`;
}

/** One node as a line; `nameOf` gives `%12` for a tensor. */
export function printNode(node: Node, nameOf: (tensor: Tensor) => string): string {
  const results = node.outputs.map(
    (output) => `${nameOf(output)} ${output.dtype}${formatShape(output.shape)}`,
  );
  const operands = node.inputs.map(nameOf).join(', ');
  return `${results.join(', ')} = ${node.op}(${operands})${formatAttributes(node.attributes)}`;
}

/** `%12`, or `%12.1` for the second of several outputs. */
export function nameTensor(tensor: Tensor, number: number): string {
  return tensor.node.outputs.length === 1 ? `%${number}` : `%${number}.${tensor.index}`;
}

/**
 * The graph that `outputs` reach, a node a line, numbered in order, e.g.
 * `%2 f32[batch, seq, 256] = matmul(%0, %1)`; the last line names the outputs.
 */
export function printGraph(outputs: readonly Tensor[]): string {
  const nodes = reachable(outputs);
  const order = new Map(nodes.map((node, i) => [node, i]));
  const nameOf = (tensor: Tensor): string => nameTensor(tensor, order.get(tensor.node) ?? -1);
  return [...nodes.map((node) => printNode(node, nameOf)), `return ${outputs.map(nameOf).join(', ')}`].join(
    '\n',
  );
}
