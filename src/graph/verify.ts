/** @module What must hold of every graph, checked after each pass and before a backend is given one. */
import { InternalError, messageOf } from '../util/errors.js';
import { definitionOf } from './definitions.js';
import { allocate, DTYPE_BYTES } from './dtype.js';
import { type AttributeValue, type Node, reachable, type Tensor } from './node.js';
import { nameTensor, printNode } from './print.js';
import { formatShape, sameShape, sizeOf } from './shape.js';
import { NamedLeaves } from './share.js';

const isInteger = (value: AttributeValue): boolean => Number.isInteger(value);
const isCount = (value: AttributeValue): boolean => isInteger(value) && Number(value) >= 0;

/** The kinds of attributes there are, and how each is recognized. */
const KINDS = {
  name: (value) => typeof value === 'string' && value !== '',
  dtype: (value) => typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value),
  flag: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  count: isCount,
  axes: (value) => Array.isArray(value) && value.every(isCount),
  shape: (value) => {
    return (
      Array.isArray(value) && value.every((dim) => (typeof dim === 'string' ? dim !== '' : isCount(dim)))
    );
  },
  data: (value) => ArrayBuffer.isView(value),
} as const satisfies Record<string, (value: AttributeValue) => boolean>;
type Kind = keyof typeof KINDS;

const NAMED = { name: 'name', dtype: 'dtype', shape: 'shape' } as const;
const REDUCTION = { axes: 'axes', keepDims: 'flag' } as const;

/** The attributes of each op that has any; all are required. */
const ATTRIBUTES: Readonly<Record<string, Readonly<Record<string, Kind>> | undefined>> = {
  input: NAMED,
  parameter: NAMED,
  constant: { dtype: 'dtype', shape: 'shape', data: 'data' },
  cast: { dtype: 'dtype' },
  reduceSum: REDUCTION,
  reduceMean: REDUCTION,
  reduceMax: REDUCTION,
  reshape: { shape: 'shape' },
  expand: { shape: 'shape' },
  transpose: { permutation: 'axes' },
  concat: { axis: 'count' },
  slice: { axis: 'count', start: 'count', end: 'count' },
  pad: { axis: 'count', before: 'count', after: 'count' },
  scatterAdd: { shape: 'shape' },
  groupQueryAttention: { heads: 'count', kvHeads: 'count' },
  rmsNorm: { epsilon: 'number' },
  layerNorm: { epsilon: 'number' },
  attention: { scale: 'number' },
};

function checkAttributes({ op, attributes }: Node): void {
  const expected: Readonly<Record<string, Kind>> = ATTRIBUTES[op] ?? {};
  for (const [name, kind] of Object.entries(expected)) {
    if (!(name in attributes)) throw new InternalError(`the attribute '${name}' is missing`);
    if (!KINDS[kind](attributes[name])) throw new InternalError(`the attribute '${name}' is no ${kind}`);
  }
  for (const name of Object.keys(attributes)) {
    if (!Object.hasOwn(expected, name)) throw new InternalError(`${op} has no attribute '${name}'`);
  }
}

function checkInputs(node: Node): void {
  for (const input of node.inputs) {
    if (input.node.id >= node.id) throw new InternalError('an input was created after its user');
    if (input.node.outputs[input.index] !== input)
      throw new InternalError('an input is no output of its node');
  }
}

function checkTypes({ op, inputs, attributes, outputs }: Node): void {
  const types = definitionOf(op).infer(inputs, attributes);
  if (types.length !== outputs.length) {
    throw new InternalError(`it has ${outputs.length} outputs, inference gives ${types.length}`);
  }
  types.forEach(({ dtype, shape }, i) => {
    if (dtype !== outputs[i].dtype || !sameShape(shape, outputs[i].shape)) {
      throw new InternalError(`inference gives ${dtype}${formatShape(shape)} for output ${i}`);
    }
  });
}

function checkConstant({ op, attributes, outputs }: Node): void {
  if (op !== 'constant') return;
  const { data } = attributes;
  const [{ dtype, shape }] = outputs;
  const expected = allocate(dtype, 0).constructor;
  if (!ArrayBuffer.isView(data) || !(data instanceof expected)) {
    throw new InternalError(`its data is no ${expected.name}`);
  }
  if (data.length !== sizeOf(shape)) {
    throw new InternalError(`it carries ${data.length} elements for ${formatShape(shape)}`);
  }
}

/**
 * Throws an InternalError that prints the first node that breaks a rule: its op is known, its attributes are those
 * the op has, its types are what inference gives again, its inputs were created before it, a constant holds as much as
 * its shape says, and inputs and parameters of one name agree in type.
 */
export function verify(outputs: readonly Tensor[]): void {
  const leaves = new NamedLeaves();
  for (const node of reachable(outputs)) {
    try {
      definitionOf(node.op);
      checkInputs(node);
      checkAttributes(node);
      checkTypes(node);
      checkConstant(node);
      leaves.note(node);
    } catch (error) {
      const line = printNode(node, (tensor) => nameTensor(tensor, tensor.node.id));
      throw new InternalError(`${line}: ${messageOf(error)}`, { cause: error });
    }
  }
}
