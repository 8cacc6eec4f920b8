import { fromBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { attention, embedding, gelu, rmsNorm, silu, softmax } from '../graph/composites.js';
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import { type GraphOutputs, lower, type LowerOptions } from './lower.js';

const TRAINING: LowerOptions = { fuse: 'training', weights: 'input' };
const INFERENCE: LowerOptions = { fuse: 'inference', weights: 'input' };

function modelOf(outputs: GraphOutputs, options = INFERENCE): ModelProto {
  return fromBinary(ModelProtoSchema, lower(outputs, options).proto);
}

function typesOf(outputs: GraphOutputs, options = INFERENCE): string[] {
  return modelOf(outputs, options).graph?.node.map(({ opType }) => opType) ?? [];
}

const x = op.input('x', 'f32', ['batch', 'seq', 8]);

describe('inputs and outputs', () => {
  it('keep their names, dtypes and symbolic sizes', () => {
    const { inputs, outputs } = lower({ y: op.cast(x, 'f16') }, INFERENCE);
    expect(inputs).toEqual([{ name: 'x', onnxName: 'x', dtype: 'f32', shape: ['batch', 'seq', 8] }]);
    expect(outputs).toEqual([{ name: 'y', onnxName: 'y', dtype: 'f16', shape: ['batch', 'seq', 8] }]);
    const dims = modelOf({ y: op.neg(x) }).graph?.input[0].type?.value;
    expect(dims?.case === 'tensorType' && dims.value.shape?.dim.map(({ value }) => value)).toEqual([
      { case: 'dimParam', value: 'batch' },
      { case: 'dimParam', value: 'seq' },
      { case: 'dimValue', value: 8n },
    ]);
  });

  it('may share a name, or a tensor', () => {
    const y = op.neg(x);
    const model = lower({ x: y, again: y, same: x }, INFERENCE);
    expect(model.outputs.map(({ name, onnxName }) => [name, onnxName])).toEqual([
      ['x', 'x~out'],
      ['again', 'again'],
      ['same', 'same'],
    ]);
    expect(typesOf({ x: y, again: y, same: x })).toEqual(['Neg', 'Identity', 'Identity']);
  });

  it('must be there', () => {
    expect(() => lower({}, INFERENCE)).toThrow('a graph without outputs');
  });
});

describe('composites', () => {
  const weight = op.parameter('w', [8]);

  it('become one kernel each for inference', () => {
    const all = { a: silu(x), b: gelu(x), c: softmax(x), d: rmsNorm(x, weight, 1e-6) };
    expect(typesOf(all)).toEqual(['QuickGelu', 'Gelu', 'Softmax', 'SimplifiedLayerNormalization']);
  });

  it('stay whole for training where their gradient is one rule', () => {
    const all = { a: silu(x), c: softmax(x), d: rmsNorm(x, weight, 1e-6) };
    expect(typesOf(all, TRAINING)).toEqual(['QuickGelu', 'Softmax', 'SimplifiedLayerNormalization']);
    expect(typesOf({ b: gelu(x) }, TRAINING)).toContain('Erf');
  });

  it('are expanded where there is no kernel, whatever is asked', () => {
    const ids = op.input('ids', 'i64', [2]);
    const words = { y: embedding(op.parameter('words', [3, 4]), ids) };
    expect(typesOf(words, { fuse: new Set(['embedding']), weights: 'input' })).toEqual(['Gather']);
  });

  it('are emitted once where they are equal', () => {
    expect(typesOf({ y: op.add(softmax(x), softmax(x)) })).toEqual(['Softmax', 'Add']);
  });
});

describe('transposed operands of a product are not copied', () => {
  const a = op.input('a', 'f32', [6, 4]);
  const b = op.input('b', 'f32', [5, 4]);
  const bias = op.input('bias', 'f32', [5]);

  it.each<[string, Tensor, string[]]>([
    ['neither', op.matmul(a, op.input('c', 'f32', [4, 5])), ['MatMul']],
    ['the second', op.matmul(a, op.matrixTranspose(b)), ['Gemm']],
    ['the first', op.matmul(op.matrixTranspose(a), op.input('d', 'f32', [6, 5])), ['Gemm']],
    ['with a bias', op.add(op.matmul(a, op.matrixTranspose(b)), bias), ['Gemm']],
    ['batched', op.matmul(x, op.matrixTranspose(x)), ['FusedMatMul']],
    ['other axes', op.matmul(op.transpose(x, [1, 0, 2]), op.parameter('p', [8, 2])), ['Transpose', 'MatMul']],
  ])('%s', (_, y, types) => {
    expect(typesOf({ y })).toEqual(types);
  });

  it('keeps a product that something else reads beside the bias', () => {
    const product = op.matmul(a, op.matrixTranspose(b));
    expect(typesOf({ y: op.add(product, bias), product })).toEqual(['Gemm', 'Add']);
  });
});

describe('symbolic shapes', () => {
  it('need no run-time computation where 0 and −1 say enough', () => {
    const heads = op.transpose(op.reshape(x, ['batch', 'seq', 2, 4]), [0, 2, 1, 3]);
    expect(typesOf({ rows: op.reshape(x, [-1, 8]), heads })).not.toContain('Shape');
  });

  it('are computed from the inputs otherwise', () => {
    const rows = op.reshape(x, [-1, 8]);
    expect(typesOf({ y: op.reshape(op.neg(rows), ['batch', 'seq', 2, 4]) })).toContain('Shape');
  });

  it('may be read off an input that comes later', () => {
    const ones = op.expand(op.scalar(1), ['later', 2]);
    expect(
      typesOf({ y: op.add(ones, op.input('z', 'f32', [2])), n: op.input('n', 'f32', ['4*later+1']) }),
    ).toEqual(['Shape', 'Sub', 'Div', 'Concat', 'Expand', 'Add', 'Identity']);
  });

  it('need an input that tells each size', () => {
    expect(() => lower({ y: op.expand(op.scalar(1), ['lost', 2]) }, INFERENCE)).toThrow(
      "no input's shape tells the size 'lost'",
    );
  });
});

describe('weights', () => {
  const w = op.parameter('w', [2, 4096]);
  const v = op.parameter('v', [4096]);
  const y = op.add(op.add(w, v), op.parameter('small', [1]));
  const sizes: Record<string, number> = { w: 8192, v: 4096, small: 1 };
  const source = { read: (name: string) => new Float32Array(sizes[name]).fill(1) };

  it('are inputs when fed', () => {
    expect(lower({ y }, INFERENCE).inputs.map(({ name }) => name)).toEqual(['w', 'v', 'small']);
  });

  it('are part of a small model', () => {
    const model = lower({ y }, { fuse: 'inference', weights: 'initializer', source });
    expect(model.inputs).toEqual([]);
    expect(model.external).toBeUndefined();
    expect(model.proto.byteLength).toBeGreaterThan(4 * (8192 + 4096));
  });

  it('lie outside a large one, each on its own pages, and are not read yet', () => {
    const unread = {
      read(name: string): Float32Array {
        if (name === 'small') return new Float32Array(1);
        throw new Error(`'${name}' was read`);
      },
    };
    const options = {
      fuse: 'inference',
      weights: 'initializer',
      source: unread,
      externalThreshold: 4096,
    } as const;
    const { proto, external } = lower({ y }, options);
    expect(external?.weights).toEqual([
      { name: 'w', offset: 0, byteLength: 32768 },
      { name: 'v', offset: 32768, byteLength: 16384 },
    ]);
    const outside = fromBinary(ModelProtoSchema, proto).graph?.initializer.filter(
      ({ dataLocation }) => dataLocation === TensorProto_DataLocation.EXTERNAL,
    );
    expect(outside?.map(({ name }) => name)).toEqual(['w', 'v']);
  });

  it('must have the size of their parameter', () => {
    const short = { read: () => new Float32Array(3) };
    expect(() => lower({ y }, { fuse: 'inference', weights: 'initializer', source: short })).toThrow(
      "the weight 'w' has 3 elements instead of 8192",
    );
  });
});

it('verifies the graph before it lowers it', () => {
  const other = op.input('x', 'f32', [3]);
  expect(() => lower({ y: op.neg(x), z: op.neg(other) }, INFERENCE)).toThrow("'x' is both");
});

it('lowers attention with and without a mask', () => {
  const q = op.input('q', 'f32', ['batch', 4, 'seq', 8]);
  const mask = op.input('mask', 'f32', [1, 1, 'seq', 'seq']);
  const types = typesOf({ y: attention(q, q, q, { mask }), z: attention(q, q, q) });
  expect(types.filter((type) => type === 'Softmax')).toHaveLength(2);
  expect(types).toContain('FusedMatMul');
});
