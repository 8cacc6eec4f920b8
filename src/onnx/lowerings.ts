/** @module How each primitive is said in ONNX: one table. */
import { allocate, type DType, type TensorData } from '../graph/dtype.js';
import type { AttributeValue, Node } from '../graph/node.js';
import { type PrimitiveName, dims, numbers } from '../graph/primitives.js';
import { type Dim, type Shape, sizeOf } from '../graph/shape.js';
import { InternalError } from '../util/errors.js';
import type { EmitOptions, Emitter } from './emitter.js';
import { lowerAdd, lowerMatmul } from './matmul.js';
import { MICROSOFT, ONNX_TYPES, staticShape } from './proto.js';

/** Emits the ONNX nodes that compute `node`'s outputs and binds their names. */
export type Lowering = (node: Node, emitter: Emitter) => void;

/** One ONNX node of the same operands. */
function direct(type: string): Lowering {
  return (node, emitter) => {
    emitter.define(node, type, emitter.namesOf(node.inputs));
  };
}

const castTo = (dtype: DType): EmitOptions => ({ attributes: { to: { int: ONNX_TYPES[dtype] } } });

function reduction(type: string): Lowering {
  return (node, emitter) => {
    const [x] = node.inputs;
    const axes = emitter.ints(numbers(node.attributes.axes));
    const options = { attributes: { keepdims: { int: node.attributes.keepDims ? 1 : 0 } } };
    if (x.dtype !== 'u8') {
      emitter.define(node, type, [emitter.nameOf(x), axes], options);
      return;
    }
    // ONNX reduces no bytes.
    const wide = emitter.emit('Cast', [emitter.nameOf(x)], castTo('i32'));
    emitter.define(node, 'Cast', [emitter.emit(type, [wide, axes], options)], castTo('u8'));
  };
}

function count(value: AttributeValue): number {
  if (typeof value !== 'number')
    throw new InternalError(`an attribute should be a number, not ${String(value)}`);
  return value;
}

/** The leaves are named by `lower` itself. */
const bound: Lowering = () => undefined;

/**
 * Reshape takes 0 for "as in the operand" and one −1 for "what is left": only shapes with more unknowns than that are
 * computed when the graph runs.
 */
function reshapeTarget(x: Shape, target: Shape, emitter: Emitter): string {
  if (target.includes(0)) return emitter.shape(target);
  const codes: Dim[] = target.map((dim, i) => (typeof dim === 'string' && dim === x[i] ? 0 : dim));
  const open = codes.flatMap((dim, i) => (typeof dim === 'string' ? [i] : []));
  // The longest expression is the most work to compute.
  open.sort((a, b) => String(codes[b]).length - String(codes[a]).length);
  if (open.length > 0) codes[open[0]] = -1;
  return emitter.shape(codes);
}

/** Expand leaves an axis as it is where the target says 1. */
function expandTarget(x: Shape, target: Shape, emitter: Emitter): string {
  const extra = target.length - x.length;
  return emitter.shape(target.map((dim, i) => (i >= extra && dim === x[i - extra] ? 1 : dim)));
}

/**
 * Indices […i] as ScatterElements takes them: one for every element of the updates, all axes but the first two of
 * `updates` […i, …] flattened.
 */
function scatterAdd(node: Node, emitter: Emitter): void {
  const [updates, indices] = node.inputs;
  const [{ dtype, shape }] = node.outputs;
  const count = sizeOf(indices.shape);
  const width = sizeOf(shape.slice(1));
  const column = emitter.emit('Reshape', [emitter.nameOf(indices), emitter.ints([-1, 1])]);
  const flat = [count, width];
  const places = emitter.emit('Expand', [column, emitter.shape([1, width])]);
  const rows = emitter.emit('Reshape', [
    emitter.nameOf(updates),
    reshapeTarget(updates.shape, flat, emitter),
  ]);
  const zero = emitter.constant(dtype, [], allocate(dtype, 1));
  const zeros = emitter.emit('Expand', [zero, emitter.shape([shape[0], width])]);
  // ScatterND would be shorter, but its kernel adds in parallel without locks: equal indices lose updates.
  const sum = emitter.emit('ScatterElements', [zeros, places, rows], {
    attributes: { axis: { int: 0 }, reduction: { string: 'add' } },
  });
  emitter.define(node, 'Reshape', [sum, emitter.shape(shape)]);
}

/**
 * Reshape gives its operand's own memory, and 0 in its target means "as in the operand": a target of zeros made from the
 * others' sizes changes no bit, copies nothing, and cannot be computed before them. ONNX Runtime folds no Size.
 */
function after(node: Node, emitter: Emitter): void {
  const [x, ...others] = node.inputs;
  const sizes = others.map((other) => emitter.emit('Size', [emitter.nameOf(other)]));
  const any = sizes.length === 1 ? sizes[0] : emitter.emit('Max', sizes);
  const asInOperand = emitter.ints(x.shape.map(() => 0));
  emitter.define(node, 'Reshape', [emitter.nameOf(x), emitter.emit('Mul', [any, asInOperand])]);
}

export const LOWERINGS: Readonly<Record<PrimitiveName, Lowering>> = {
  input: bound,
  parameter: bound,
  constant(node, emitter) {
    const [{ dtype, shape }] = node.outputs;
    const data = node.attributes.data as TensorData;
    emitter.bind(node.outputs[0], emitter.constant(dtype, staticShape(shape, 'a constant'), data));
  },

  exp: direct('Exp'),
  log: direct('Log'),
  sqrt: direct('Sqrt'),
  reciprocal: direct('Reciprocal'),
  tanh: direct('Tanh'),
  sigmoid: direct('Sigmoid'),
  erf: direct('Erf'),
  sin: direct('Sin'),
  cos: direct('Cos'),
  neg: direct('Neg'),
  abs: direct('Abs'),
  sign: direct('Sign'),

  add: lowerAdd,
  sub: direct('Sub'),
  mul: direct('Mul'),
  div: direct('Div'),
  pow: direct('Pow'),
  max: direct('Max'),
  min: direct('Min'),
  equal: direct('Equal'),
  less: direct('Less'),
  greater: direct('Greater'),
  and: direct('And'),
  or: direct('Or'),
  not: direct('Not'),
  where(node, emitter) {
    const [condition, ...values] = node.inputs;
    if (node.outputs[0].dtype !== 'bool') {
      emitter.define(node, 'Where', emitter.namesOf(node.inputs));
      return;
    }
    // ONNX Runtime's CPU provider chooses no booleans.
    const bytes = emitter.namesOf(values).map((name) => emitter.emit('Cast', [name], castTo('u8')));
    const chosen = emitter.emit('Where', [emitter.nameOf(condition), ...bytes]);
    emitter.define(node, 'Cast', [chosen], castTo('bool'));
  },

  reduceSum: reduction('ReduceSum'),
  reduceMean: reduction('ReduceMean'),
  reduceMax: reduction('ReduceMax'),

  stopGradient(node, emitter) {
    emitter.bind(node.outputs[0], emitter.nameOf(node.inputs[0]));
  },
  after,
  cast(node, emitter) {
    emitter.define(node, 'Cast', emitter.namesOf(node.inputs), castTo(node.outputs[0].dtype));
  },

  matmul: lowerMatmul,

  reshape(node, emitter) {
    const [x] = node.inputs;
    const target = dims(node.attributes.shape);
    const attributes = target.includes(0) ? { allowzero: { int: 1 } } : undefined;
    const inputs = [emitter.nameOf(x), reshapeTarget(x.shape, target, emitter)];
    emitter.define(node, 'Reshape', inputs, { attributes });
  },
  transpose(node, emitter) {
    const attributes = { perm: { ints: numbers(node.attributes.permutation) } };
    emitter.define(node, 'Transpose', emitter.namesOf(node.inputs), { attributes });
  },
  expand(node, emitter) {
    const [x] = node.inputs;
    const target = expandTarget(x.shape, dims(node.attributes.shape), emitter);
    emitter.define(node, 'Expand', [emitter.nameOf(x), target]);
  },
  concat(node, emitter) {
    const attributes = { axis: { int: count(node.attributes.axis) } };
    emitter.define(node, 'Concat', emitter.namesOf(node.inputs), { attributes });
  },
  slice(node, emitter) {
    const range = [node.attributes.start, node.attributes.end, node.attributes.axis].map(count);
    const inputs = [...emitter.namesOf(node.inputs), ...range.map((value) => emitter.ints([value]))];
    emitter.define(node, 'Slice', inputs);
  },
  pad(node, emitter) {
    const { before, after, axis } = node.attributes;
    const inputs = [
      ...emitter.namesOf(node.inputs),
      emitter.ints([count(before), count(after)]),
      '', // the value to pad with: 0
      emitter.ints([count(axis)]),
    ];
    emitter.define(node, 'Pad', inputs);
  },

  gather(node, emitter) {
    emitter.define(node, 'Gather', emitter.namesOf(node.inputs), { attributes: { axis: { int: 0 } } });
  },
  scatterAdd,

  groupQueryAttention(node, emitter) {
    emitter.define(node, 'GroupQueryAttention', emitter.namesOf(node.inputs), {
      domain: MICROSOFT,
      attributes: {
        num_heads: { int: count(node.attributes.heads) },
        kv_num_heads: { int: count(node.attributes.kvHeads) },
      },
    });
  },
};
