/** @module The primitive ops: one table of how each infers its result, named as in ONNX where ONNX has it. */
import { type DType, DTYPE_BYTES, isFloat } from './dtype.js';
import { type Attributes, type OpDefinition, refuse, type TensorType } from './node.js';
import { addDims, broadcastShapes, type Dim, normalizeAxis, type Shape, sameShape, sizeOf } from './shape.js';

type Infer = OpDefinition['infer'];

const same: Infer = ([x]) => [x];

function floatOnly(op: string): Infer {
  return (inputs) => {
    if (!isFloat(inputs[0].dtype)) refuse(op, inputs, 'needs a float operand');
    return [inputs[0]];
  };
}

function broadcast(op: string, inputs: readonly TensorType[]): Dim[] {
  const [a, b] = inputs;
  if (a.dtype !== b.dtype) refuse(op, inputs, 'operands differ in dtype');
  return broadcastShapes(a.shape, b.shape) ?? refuse(op, inputs, 'shapes do not broadcast');
}

function arithmetic(op: string): Infer {
  return (inputs) => {
    if (inputs[0].dtype === 'bool') refuse(op, inputs, 'booleans have no arithmetic');
    return [{ dtype: inputs[0].dtype, shape: broadcast(op, inputs) }];
  };
}

function comparison(op: string): Infer {
  return (inputs) => [{ dtype: 'bool', shape: broadcast(op, inputs) }];
}

function logical(op: string): Infer {
  return (inputs) => {
    if (inputs.some((input) => input.dtype !== 'bool')) refuse(op, inputs, 'needs booleans');
    return [{ dtype: 'bool', shape: broadcast(op, inputs) }];
  };
}

function reduction(op: string): Infer {
  return (inputs, attributes) => {
    const [x] = inputs;
    if (x.dtype === 'bool') refuse(op, inputs, 'booleans cannot be reduced; cast first');
    const axes = new Set(numbers(attributes.axes).map((axis) => normalizeAxis(axis, x.shape.length)));
    const shape = x.shape.flatMap((dim, i) => (axes.has(i) ? (attributes.keepDims ? [1] : []) : [dim]));
    return [{ dtype: x.dtype, shape }];
  };
}

/** Reads an attribute that is a list of numbers. */
export function numbers(value: Attributes[string]): number[] {
  return [...(value as readonly number[])];
}

/** Reads an attribute that is a shape. */
export function dims(value: Attributes[string]): Dim[] {
  return [...(value as Shape)];
}

const leaf: Infer = (_, attributes) => [{ dtype: attributes.dtype as DType, shape: dims(attributes.shape) }];

const UNARY_FLOAT = ['exp', 'log', 'sqrt', 'reciprocal', 'tanh', 'sigmoid', 'erf', 'sin', 'cos'] as const;
const UNARY = ['neg', 'abs', 'sign'] as const;
const ARITHMETIC = ['add', 'sub', 'mul', 'div', 'pow', 'max', 'min'] as const;
const COMPARISON = ['equal', 'less', 'greater'] as const;
const LOGICAL = ['and', 'or'] as const;
const REDUCTION = ['reduceSum', 'reduceMean', 'reduceMax'] as const;

function table<K extends string>(names: readonly K[], infer: (op: string) => Infer): Record<K, OpDefinition> {
  return Object.fromEntries(names.map((op) => [op, { infer: infer(op) }])) as Record<K, OpDefinition>;
}

export const PRIMITIVES = {
  // Leaves: `input` is fed at each run, `parameter` is a weight, `constant` carries its data.
  input: { infer: leaf },
  parameter: { infer: leaf },
  constant: { infer: leaf },

  ...table(UNARY_FLOAT, floatOnly),
  ...table(UNARY, () => same),
  ...table(ARITHMETIC, arithmetic),
  ...table(COMPARISON, comparison),
  ...table(LOGICAL, logical),
  ...table(REDUCTION, reduction),

  not: {
    infer(inputs) {
      if (inputs[0].dtype !== 'bool') refuse('not', inputs, 'needs a boolean');
      return [inputs[0]];
    },
  },

  /** The same value, through which no gradient flows. */
  stopGradient: { infer: same },

  /** The first operand's value, computed no earlier than all the others. */
  after: { infer: same },

  cast: {
    infer: ([x], attributes) => {
      const dtype = attributes.dtype as DType;
      if (!(dtype in DTYPE_BYTES)) refuse('cast', [x], `unknown dtype '${dtype}'`);
      return [{ dtype, shape: x.shape }];
    },
  },

  where: {
    infer(inputs) {
      const [condition, a, b] = inputs;
      if (condition.dtype !== 'bool') refuse('where', inputs, 'the condition must be boolean');
      if (a.dtype !== b.dtype) refuse('where', inputs, 'the two values differ in dtype');
      const values = broadcastShapes(a.shape, b.shape);
      const shape = values && broadcastShapes(condition.shape, values);
      return [{ dtype: a.dtype, shape: shape ?? refuse('where', inputs, 'shapes do not broadcast') }];
    },
  },

  /** [..., m, k] × [..., k, n] → [..., m, n]; leading dimensions broadcast. */
  matmul: {
    infer(inputs) {
      const [a, b] = inputs;
      if (a.dtype !== b.dtype || !isFloat(a.dtype)) refuse('matmul', inputs, 'needs two floats of one dtype');
      if (a.shape.length < 2 || b.shape.length < 2)
        refuse('matmul', inputs, 'operands need two dimensions or more');
      if (a.shape[a.shape.length - 1] !== b.shape[b.shape.length - 2]) {
        refuse('matmul', inputs, 'inner dimensions differ');
      }
      const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
      if (batch === null) refuse('matmul', inputs, 'leading dimensions do not broadcast');
      return [
        { dtype: a.dtype, shape: [...batch, a.shape[a.shape.length - 2], b.shape[b.shape.length - 1]] },
      ];
    },
  },

  reshape: {
    infer(inputs, attributes) {
      const shape = dims(attributes.shape);
      if (sizeOf(shape) !== sizeOf(inputs[0].shape)) {
        refuse('reshape', inputs, `cannot become [${shape.join(', ')}]: the numbers of elements differ`);
      }
      return [{ dtype: inputs[0].dtype, shape }];
    },
  },

  transpose: {
    infer(inputs, attributes) {
      const permutation = numbers(attributes.permutation);
      const [x] = inputs;
      if (permutation.length !== x.shape.length || new Set(permutation).size !== permutation.length) {
        refuse('transpose', inputs, `[${permutation.join(', ')}] is no permutation of its axes`);
      }
      return [
        { dtype: x.dtype, shape: permutation.map((axis) => x.shape[normalizeAxis(axis, x.shape.length)]) },
      ];
    },
  },

  expand: {
    infer(inputs, attributes) {
      const shape = dims(attributes.shape);
      const result = broadcastShapes(inputs[0].shape, shape);
      if (result === null || result.some((dim, i) => dim !== shape[i])) {
        refuse('expand', inputs, `does not broadcast to [${shape.join(', ')}]`);
      }
      return [{ dtype: inputs[0].dtype, shape }];
    },
  },

  concat: {
    infer(inputs, attributes) {
      const [first] = inputs;
      const axis = normalizeAxis(attributes.axis as number, first.shape.length);
      for (const input of inputs) {
        const fits =
          input.dtype === first.dtype &&
          input.shape.length === first.shape.length &&
          input.shape.every((dim, i) => i === axis || dim === first.shape[i]);
        if (!fits) refuse('concat', inputs, `operands differ outside axis ${axis}`);
      }
      const total = inputs.map((input) => input.shape[axis]).reduce(addDims);
      return [{ dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? total : dim)) }];
    },
  },

  /** Elements start … end−1 of one axis of known size; of any axis its first, which it surely has. */
  slice: {
    infer(inputs, attributes) {
      const [x] = inputs;
      const axis = normalizeAxis(attributes.axis as number, x.shape.length);
      const { start, end } = attributes as { start: number; end: number };
      const size = x.shape[axis];
      const known = typeof size === 'number' ? size : 1;
      if (start < 0 || end > known || start >= end) {
        refuse('slice', inputs, `cannot take ${start}…${end} of axis ${axis}`);
      }
      return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === axis ? end - start : dim)) }];
    },
  },

  /** Zeros before and after one axis. */
  pad: {
    infer(inputs, attributes) {
      const [x] = inputs;
      const axis = normalizeAxis(attributes.axis as number, x.shape.length);
      const { before, after } = attributes as { before: number; after: number };
      if (before < 0 || after < 0) refuse('pad', inputs, 'cannot pad by a negative number');
      return [
        { dtype: x.dtype, shape: x.shape.map((dim, i) => (i === axis ? addDims(dim, before + after) : dim)) },
      ];
    },
  },

  /** Rows of a table: x [n, …], indices […i] of i64 → […i, …]. */
  gather: {
    infer(inputs) {
      const [x, indices] = inputs;
      if (indices.dtype !== 'i64') refuse('gather', inputs, 'indices must be i64');
      if (x.shape.length === 0) refuse('gather', inputs, 'a scalar has no rows');
      return [{ dtype: x.dtype, shape: [...indices.shape, ...x.shape.slice(1)] }];
    },
  },

  /** The transpose of gather: rows added into zeros of `shape` [n, …]; updates […i, …], indices […i]. */
  scatterAdd: {
    infer(inputs, attributes) {
      const [updates, indices] = inputs;
      const shape = dims(attributes.shape);
      if (indices.dtype !== 'i64') refuse('scatterAdd', inputs, 'indices must be i64');
      const expected = [...indices.shape, ...shape.slice(1)];
      if (expected.length !== updates.shape.length || expected.some((dim, i) => dim !== updates.shape[i])) {
        refuse('scatterAdd', inputs, `updates do not fit a table of [${shape.join(', ')}]`);
      }
      return [{ dtype: updates.dtype, shape }];
    },
  },

  /**
   * Causal attention over a key/value cache of fixed capacity, updated in place (com.microsoft.GroupQueryAttention).
   * query [B, S, heads·D], key and value [B, S, kvHeads·D], cached keys and values [B, kvHeads, capacity, D],
   * lastIndex i32 [B] (valid length including the new tokens, minus 1; rows are padded on the right),
   * total i32 [] (the longest valid length). Results: [B, S, heads·D] and the two caches with the new rows written.
   */
  groupQueryAttention: {
    infer(inputs, attributes) {
      const [query, key, value, cachedKeys, cachedValues, lastIndex, total] = inputs;
      const { heads, kvHeads } = attributes as { heads: number; kvHeads: number };
      const headDim = cachedKeys.shape[3];
      const fits =
        isFloat(query.dtype) &&
        [key, value, cachedKeys, cachedValues].every(({ dtype }) => dtype === query.dtype) &&
        query.shape.length === 3 &&
        typeof headDim === 'number' &&
        query.shape[2] === heads * headDim &&
        key.shape[2] === kvHeads * headDim &&
        sameShape(key.shape, value.shape) &&
        sameShape(cachedKeys.shape, cachedValues.shape) &&
        cachedKeys.shape[1] === kvHeads &&
        lastIndex.dtype === 'i32' &&
        total.dtype === 'i32';
      if (!fits) refuse('groupQueryAttention', inputs, `operands do not fit ${heads} heads over ${kvHeads}`);
      return [query, cachedKeys, cachedValues];
    },
  },
} as const satisfies Record<string, OpDefinition>;

export type PrimitiveName = keyof typeof PRIMITIVES;
