/** @module Small builders of ONNX's protobuf messages (onnx:onnx/onnx.proto). */
import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { DType, TensorData } from '../graph/dtype.js';
import type { Shape } from '../graph/shape.js';
import { InternalError } from '../util/errors.js';

/** Our dtypes as ONNX numbers them. */
export const ONNX_TYPES = {
  f32: TensorProto_DataType.FLOAT,
  f16: TensorProto_DataType.FLOAT16,
  i64: TensorProto_DataType.INT64,
  i32: TensorProto_DataType.INT32,
  bool: TensorProto_DataType.BOOL,
  u8: TensorProto_DataType.UINT8,
} as const satisfies Record<DType, TensorProto_DataType>;

/** ONNX Runtime's own operators (onnxruntime:docs/ContribOperators.md). */
export const MICROSOFT = 'com.microsoft';

/** An attribute's value with its type: ONNX tells 1 from 1.0. */
export type NodeAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] };

/** Sets the field of the attribute's type and no other: ONNX Runtime rejects a second one. */
function attributeProto(name: string, value: NodeAttribute): AttributeProto {
  if ('int' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) });
  if ('float' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  if ('string' in value)
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.STRING,
      s: new TextEncoder().encode(value.string),
    });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.ints.map(BigInt) });
}

/** One ONNX node to be. */
export interface NodeSpec {
  readonly type: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, NodeAttribute>>;
}

export function nodeProto({ type, domain = '', inputs, outputs, attributes = {} }: NodeSpec): NodeProto {
  return create(NodeProtoSchema, {
    name: outputs[0],
    opType: type,
    domain,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
  });
}

/** The bytes of an array, without a copy where that is possible. ONNX's raw data is little-endian, as are all our platforms. */
function bytesOf(data: TensorData): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** A tensor that carries its data. */
export function tensorProto(
  name: string,
  dtype: DType,
  shape: readonly number[],
  data: TensorData,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: ONNX_TYPES[dtype],
    dims: shape.map(BigInt),
    rawData: bytesOf(data),
  });
}

/** Where a tensor's bytes lie in a file beside the model. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** A tensor whose data is read from another file. */
export function externalTensorProto(
  name: string,
  dtype: DType,
  shape: readonly number[],
  { location, offset, length }: ExternalPlace,
): TensorProto {
  const entries = { location, offset: String(offset), length: String(length) };
  return create(TensorProtoSchema, {
    name,
    dataType: ONNX_TYPES[dtype],
    dims: shape.map(BigInt),
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  });
}

/** A graph input or output; symbolic dimensions keep their expression as ONNX's dim_param. */
export function valueInfoProto(name: string, dtype: DType, shape: Shape): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: ONNX_TYPES[dtype],
          shape: {
            dim: shape.map((dim) =>
              create(TensorShapeProto_DimensionSchema, {
                value:
                  typeof dim === 'number'
                    ? { case: 'dimValue', value: BigInt(dim) }
                    : { case: 'dimParam', value: dim },
              }),
            ),
          },
        },
      },
    },
  });
}

/** The numbers of a shape that must not be symbolic. */
export function staticShape(shape: Shape, what: string): number[] {
  return shape.map((dim) => {
    if (typeof dim !== 'number') throw new InternalError(`${what} has the symbolic size '${dim}'`);
    return dim;
  });
}
