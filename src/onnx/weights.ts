/** @module Where a model's weights go: into the model itself, into a file beside it, or into its inputs. */
import type { TensorProto } from 'onnx-buf';
import type { Tensor } from '../graph/node.js';
import { sizeOf } from '../graph/shape.js';
import { InternalError } from '../util/errors.js';
import { externalTensorProto, staticShape, tensorProto } from './proto.js';

/** Reads weights as f32 by the names the graph's parameters have. */
export interface WeightSource {
  read(name: string): Float32Array;
}

/** One weight's place in the file beside the model. */
export interface ExternalWeight {
  readonly name: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** Weights that are read one at a time when a session is created, and are never held all at once. */
export interface ExternalWeights {
  /** The file's name as the model knows it. */
  readonly location: string;
  readonly weights: readonly ExternalWeight[];
  readonly source: WeightSource;
}

/** A protobuf message ends at 2 GiB, and its bytes are held twice while a session is created: well below that. */
export const DEFAULT_EXTERNAL_THRESHOLD = 128 * 2 ** 20;

/** Memory maps start at pages (also of 16 kB on ARM), so each weight does. */
const ALIGNMENT = 16_384;

/** Weights below this stay in the model: they cost a page each outside. */
const SMALLEST_EXTERNAL = 4096;

const LOCATION = 'weights.bin';

const nameOf = ({ node }: Tensor): string => String(node.attributes.name);

function checked(parameter: Tensor, data: Float32Array): Float32Array {
  const size = sizeOf(parameter.shape);
  if (data.length !== size) {
    throw new InternalError(
      `the weight '${nameOf(parameter)}' has ${data.length} elements instead of ${size}`,
    );
  }
  return data;
}

/** Initializers for `parameters`; with more than `threshold` bytes in all, the large ones as external data. */
export function planWeights(
  parameters: readonly Tensor[],
  source: WeightSource,
  threshold: number,
): { initializers: TensorProto[]; external?: ExternalWeights } {
  const sized = parameters.map((parameter) => {
    const name = nameOf(parameter);
    if (parameter.dtype !== 'f32') throw new InternalError(`the weight '${name}' is not f32`);
    const shape = staticShape(parameter.shape, `the weight '${name}'`);
    const byteLength = shape.reduce((product, dim) => product * dim, Float32Array.BYTES_PER_ELEMENT);
    return { parameter, name, shape, byteLength };
  });
  const total = sized.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const smallest = total > threshold ? Math.min(SMALLEST_EXTERNAL, threshold) : Infinity;
  const weights: ExternalWeight[] = [];
  let end = 0;
  const initializers = sized.map(({ parameter, name, shape, byteLength }) => {
    if (byteLength < smallest) return tensorProto(name, 'f32', shape, checked(parameter, source.read(name)));
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = offset + byteLength;
    weights.push({ name, offset, byteLength });
    return externalTensorProto(name, 'f32', shape, { location: LOCATION, offset, length: byteLength });
  });
  return weights.length === 0
    ? { initializers }
    : { initializers, external: { location: LOCATION, weights, source } };
}
