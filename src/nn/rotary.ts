/** @module Rotary position embeddings: the cosines and sines that `rope` multiplies by. */
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';

/** Cosines and sines [B, S, D/2]. */
export interface Rotary {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** θ^(−2i/size) for i in 0 … size/2−1, rounded to f32 as PyTorch does. */
export function inverseFrequencies(size: number, theta: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => 1 / Math.fround(theta ** ((2 * i) / size)));
}

const rotary = (angles: Tensor): Rotary => ({ cos: op.cos(angles), sin: op.sin(angles) });

/**
 * Multimodal rope (Qwen2-VL): the head's frequencies are split into sections that turn with the temporal, the
 * height and the width position. positions [3, B, S] i64 → cos and sin [B, S, headDim/2].
 */
export function mrope(
  positions: Tensor,
  headDim: number,
  theta: number,
  sections: readonly number[],
): Rotary {
  const [, batch, length] = positions.shape;
  const frequencies = inverseFrequencies(headDim, theta);
  const asFloat = op.cast(positions, 'f32');
  let start = 0;
  const parts = sections.map((size, axis) => {
    const position = op.reshape(op.slice(asFloat, 0, axis, axis + 1), [batch, length, 1]);
    start += size;
    return op.mul(position, op.constant('f32', [size], frequencies.slice(start - size, start)));
  });
  return rotary(op.concat(parts, -1));
}

/**
 * Two-dimensional rope of the vision tower: half the frequencies turn with the row, half with the column.
 * positions […, T, 2] i64 (row, column) → cos and sin […, T, headDim/2].
 */
export function rope2d(positions: Tensor, headDim: number): Rotary {
  // Qwen2.5-VL's vision tower has no setting for this base (transformers:modeling_qwen2_5_vl.py).
  const theta = 10_000;
  const frequencies = inverseFrequencies(headDim / 2, theta);
  const shape = positions.shape.slice(0, -1);
  const asFloat = op.cast(positions, 'f32');
  const constant = op.constant('f32', [frequencies.length], frequencies);
  const parts = [0, 1].map((axis) =>
    op.mul(op.reshape(op.slice(asFloat, -1, axis, axis + 1), [...shape, 1]), constant),
  );
  return rotary(op.concat(parts, -1));
}
