import { InternalError } from '../util/errors.js';
import { sha256 } from '../util/hash.js';
import type { Attributes, AttributeValue, Node, Tensor } from './node.js';
import { rebuild, rewrite } from './rewrite.js';
import { formatShape } from './shape.js';

/** Bytes up to this many stand in the key themselves; more are hashed. */
const INLINE_BYTES = 32;

/** Tells any two attribute values apart, −0 from 0 and typed arrays by their bytes. */
function attributeKey(value: AttributeValue): string {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const content = bytes.length <= INLINE_BYTES ? Buffer.from(bytes).toString('hex') : sha256(bytes);
    return `${value.constructor.name}:${bytes.length}:${content}`;
  }
  if (Array.isArray(value)) return `[${value.map(attributeKey).join(',')}]`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  return JSON.stringify(value);
}

function attributesKey(attributes: Attributes): string {
  const names = Object.keys(attributes).sort();
  return names.map((name) => `${name}=${attributeKey(attributes[name])}`).join(' ');
}

/** Inputs and parameters are what their name says; everything else is its op, operands and attributes. */
function keyOf(node: Node, inputs: readonly Tensor[]): string {
  const operands = inputs.map((input) => `${input.node.id}.${input.index}`).join(',');
  return `${node.op}(${operands}) ${attributesKey(node.attributes)}`;
}

/** Notes each fed name's type; two types, or an input and a parameter, under one name are refused. */
export class NamedLeaves {
  private readonly found = new Map<string, string>();

  note(node: Node): void {
    if (node.op !== 'input' && node.op !== 'parameter') return;
    const name = String(node.attributes.name);
    const [{ dtype, shape }] = node.outputs;
    const type = `${node.op} ${dtype}${formatShape(shape)}`;
    const before = this.found.get(name) ?? type;
    if (before !== type) throw new InternalError(`'${name}' is both ${before} and ${type}`);
    this.found.set(name, type);
  }
}

/**
 * Merges equal nodes: same op, same inputs, same attributes; constants by dtype, shape and bytes, inputs and
 * parameters by name. Refuses two inputs or parameters of one name but different types.
 */
export function shareSubexpressions(outputs: readonly Tensor[]): Tensor[] {
  const shared = new Map<string, readonly Tensor[]>();
  const leaves = new NamedLeaves();
  return rewrite(outputs, (node, inputs) => {
    leaves.note(node);
    const key = keyOf(node, inputs);
    const values = shared.get(key) ?? rebuild(node, inputs).outputs;
    shared.set(key, values);
    return values;
  });
}
