/** @module Composites that ONNX Runtime has one kernel for: one table. The others are expanded before lowering. */
import type { CompositeName } from '../graph/composites.js';
import { DIFFERENTIABLE_COMPOSITES } from '../graph/gradients.js';
import type { Attributes } from '../graph/node.js';
import type { NodeAttribute } from './proto.js';
import { MICROSOFT } from './proto.js';
import type { Lowering } from './lowerings.js';

function kernel(
  type: string,
  attributes: (own: Attributes) => Readonly<Record<string, NodeAttribute>> = () => ({}),
  domain?: string,
): Lowering {
  return (node, emitter) => {
    const options = { domain, attributes: attributes(node.attributes) };
    emitter.define(node, type, emitter.namesOf(node.inputs), options);
  };
}

const LAST_AXIS: Readonly<Record<string, NodeAttribute>> = { axis: { int: -1 } };
const normalization = ({ epsilon }: Attributes): Readonly<Record<string, NodeAttribute>> => ({
  ...LAST_AXIS,
  epsilon: { float: Number(epsilon) },
});

export const FUSED_LOWERINGS: Partial<Readonly<Record<CompositeName, Lowering>>> = {
  softmax: kernel('Softmax', () => LAST_AXIS),
  logSoftmax: kernel('LogSoftmax', () => LAST_AXIS),
  gelu: kernel('Gelu', () => ({ approximate: { string: 'none' } })),
  // x·σ(αx) with α = 1.
  silu: kernel('QuickGelu', () => ({ alpha: { float: 1 } }), MICROSOFT),
  rmsNorm(node, emitter) {
    const [normed, scale] = node.outputs;
    const outputs = emitter.isUsed(scale) ? [normed, scale] : [normed];
    const options = { attributes: normalization(node.attributes), outputs };
    emitter.define(node, 'SimplifiedLayerNormalization', emitter.namesOf(node.inputs), options);
  },
  layerNorm: kernel('LayerNormalization', normalization),
  rope(node, emitter) {
    const [x, cosine] = node.inputs.map(({ shape }) => shape[2] as number);
    const attributes = { num_heads: { int: x / (2 * cosine) } };
    emitter.define(node, 'RotaryEmbedding', emitter.namesOf(node.inputs), { attributes });
  },
};

/** What `lower` keeps whole: everything with a kernel, or what training differentiates as one node. */
export const FUSE_PRESETS = {
  inference: new Set(Object.keys(FUSED_LOWERINGS)),
  training: DIFFERENTIABLE_COMPOSITES,
} as const satisfies Record<string, ReadonlySet<string>>;
export type FusePreset = keyof typeof FUSE_PRESETS;
