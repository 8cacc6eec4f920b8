/** @module How each primitive is said in ONNX: one table. */
import { type DType, isFloat, type TensorData } from '../graph/dtype.js';
import type { AttributeValue, Node, Tensor } from '../graph/node.js';
import { type PrimitiveName, dims, numbers } from '../graph/primitives.js';
import type { Dim, Shape } from '../graph/shape.js';
import { InternalError } from '../util/errors.js';
import type { Emitter } from './emitter.js';
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

/**
 * As {@link direct}, but in `stand` and back for the dtypes ONNX Runtime's CPU provider has no kernel for
 * (onnxruntime:docs/OperatorKernels.md). What is compared comes back as bool by itself.
 */
function through(type: string, missing: readonly DType[], stand: DType): Lowering {
  return (node, emitter) => {
    const [{ dtype }] = node.inputs;
    if (!missing.includes(dtype)) {
      direct(type)(node, emitter);
      return;
    }
    const cast = (value: string, to: DType): string =>
      emitter.emit('Cast', [value], { attributes: { to: { int: ONNX_TYPES[to] } } });
    const operands = emitter.namesOf(node.inputs).map((name) => cast(name, stand));
    if (node.outputs[0].dtype !== dtype) {
      emitter.define(node, type, operands);
      return;
    }
    const result = emitter.emit(type, operands);
    emitter.define(node, 'Cast', [result], { attributes: { to: { int: ONNX_TYPES[dtype] } } });
  };
}

function reduction(type: string): Lowering {
  return (node, emitter) => {
    const [x] = node.inputs;
    const inputs = [emitter.nameOf(x), emitter.ints(numbers(node.attributes.axes))];
    emitter.define(node, type, inputs, { attributes: { keepdims: { int: node.attributes.keepDims ? 1 : 0 } } });
  };
}

function count(value: AttributeValue): number {
  if (typeof value !== 'number') throw new InternalError(`an attribute should be a number, not ${String(value)}`);
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

function unsqueezed(emitter: Emitter, indices: Tensor): string {
  return emitter.emit('Unsqueeze', [emitter.nameOf(indices), emitter.ints([indices.shape.length])]);
}

function zeros(dtype: DType, shape: Shape, emitter: Emitter): string {
  const one = dtype === 'i64' ? new BigInt64Array(1) : dtype === 'f32' ? new Float32Array(1) : new Int32Array(1);
  const as = isFloat(dtype) || dtype === 'i64' ? dtype : 'i32';
  if (as !== dtype || dtype === 'f16') throw new InternalError(`scatterAdd has no kernel for ${dtype}`);
  return emitter.emit('Expand', [emitter.constant(dtype, [], one), emitter.shape(shape)]);
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
  where: direct('Where'),

  reduceSum: reduction('ReduceSum'),
  reduceMean: reduction('ReduceMean'),
  reduceMax: reduction('ReduceMax'),

  stopGradient(node, emitter) {
    emitter.bind(node.outputs[0], emitter.nameOf(node.inputs[0]));
  },
  cast(node, emitter) {
    const [{ dtype }] = node.outputs;
    emitter.define(node, 'Cast', emitter.namesOf(node.inputs), { attributes: { to: { int: ONNX_TYPES[dtype] } } });
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
  scatterAdd(node, emitter) {
    const [updates, indices] = node.inputs;
    const [{ dtype, shape }] = node.outputs;
    const inputs = [zeros(dtype, shape, emitter), unsqueezed(emitter, indices), emitter.nameOf(updates)];
    emitter.define(node, 'ScatterND', inputs, { attributes: { reduction: { string: 'add' } } });
  },

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
void through;
