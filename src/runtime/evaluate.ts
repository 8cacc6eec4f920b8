/** @module One-shot evaluation of a graph, for tests and small tools. */
import { type GraphOutputs, lower, type LowerOptions } from '../onnx/lower.js';
import type { WeightSource } from '../onnx/weights.js';
import { type HostTensor, type HostTensors, Session, type SessionOptions } from './session.js';

export interface EvaluateOptions extends SessionOptions {
  /** Default: inference. */
  readonly fuse?: LowerOptions['fuse'];
}

/** The values of `outputs` for `feeds`; weights come from `weights`. A session is made and thrown away. */
export async function evaluate(
  outputs: GraphOutputs,
  feeds: HostTensors,
  weights?: WeightSource,
  { fuse = 'inference', ...options }: EvaluateOptions = {},
): Promise<Record<string, HostTensor>> {
  const model = lower(
    outputs,
    weights === undefined ? { fuse, weights: 'input' } : { fuse, weights: 'initializer', source: weights },
  );
  const session = await Session.create(model, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}
