/** @module Layers: a composite op and the weights it reads from the checkpoint, under PyTorch's names. */
import * as composite from '../graph/composites.js';
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import type { Parameters } from './parameters.js';

const widthOf = (x: Tensor): number => x.shape[x.shape.length - 1] as number;

/** x […, in] → […, out] with `NAME.weight` [out, in] and, where `bias`, `NAME.bias` [out]; an adapter's part is added. */
export function linear(weights: Parameters, name: string, x: Tensor, out: number, bias: boolean): Tensor {
  const weight = weights.get(`${name}.weight`, [out, widthOf(x)]);
  const y = composite.linear(x, weight, bias ? weights.get(`${name}.bias`, [out]) : undefined);
  const update = weights.lowRank?.update(weights, name, x, out);
  return update === undefined ? y : op.add(y, update);
}

/** RMS normalization of the last axis with `NAME.weight`. */
export function rmsNorm(weights: Parameters, name: string, x: Tensor, epsilon: number): Tensor {
  return composite.rmsNorm(x, weights.get(`${name}.weight`, [widthOf(x)]), epsilon);
}

/** down(silu(gate(x)) · up(x)), the gated MLP of Qwen's text and vision blocks. */
export function gatedMlp(
  weights: Parameters,
  name: string,
  x: Tensor,
  intermediate: number,
  bias: boolean,
): Tensor {
  const gate = composite.silu(linear(weights, `${name}.gate_proj`, x, intermediate, bias));
  const up = linear(weights, `${name}.up_proj`, x, intermediate, bias);
  return linear(weights, `${name}.down_proj`, op.mul(gate, up), widthOf(x), bias);
}
