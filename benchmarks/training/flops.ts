/**
 * @module Useful floating-point operations of one SFT step: those of the forward pass's matrix products (2·m·n·k each),
 * times 3, since the backward pass has two products for each of them. Attention counts the whole square although half
 * of it is masked; logits count only where a label is; padding, norms, softmax and the optimizer count nothing.
 */
import type { Qwen2_5_VLConfig } from '../../src/models/qwen2_5_vl/config.js';
import type { Grid } from '../../src/models/qwen2_5_vl/vision-layout.js';

/** The backward pass's products: one for the gradient of each operand. */
const STEP_TO_FORWARD = 3;

export interface CountedBatch {
  readonly rows: number;
  readonly seq: number;
  readonly answerLength: number;
  readonly grids: readonly Grid[];
}

export function stepFlops(config: Qwen2_5_VLConfig, batch: CountedBatch): number {
  const vision = batch.grids.reduce((sum, grid) => sum + visionFlops(config, grid), 0);
  return STEP_TO_FORWARD * (textFlops(config, batch) + vision);
}

function textFlops({ text }: Qwen2_5_VLConfig, { rows, seq, answerLength }: CountedBatch): number {
  const tokens = rows * seq;
  const queries = text.numAttentionHeads * text.headDim;
  const keys = text.numKeyValueHeads * text.headDim;
  const projections = text.hiddenSize * (2 * queries + 2 * keys);
  const mlp = 3 * text.hiddenSize * text.intermediateSize;
  // Scores and the mixing of values, each queries·S² a row.
  const attention = 2 * queries * seq * seq * rows;
  const head = rows * answerLength * text.hiddenSize * text.vocabSize;
  return 2 * (text.numHiddenLayers * (tokens * (projections + mlp) + attention) + head);
}

function visionFlops({ vision }: Qwen2_5_VLConfig, [t, h, w]: Grid): number {
  const { hiddenSize, intermediateSize, patchSize, temporalPatchSize, inChannels, spatialMergeSize } = vision;
  const patches = t * h * w;
  const embedding = patches * inChannels * temporalPatchSize * patchSize ** 2 * hiddenSize;
  const linear = patches * (4 * hiddenSize ** 2 + 3 * hiddenSize * intermediateSize);
  const side = Math.floor(vision.windowSize / spatialMergeSize / patchSize) * spatialMergeSize;
  const pairs = { frame: t * (h * w) ** 2, window: t * cutSquares(h, side) * cutSquares(w, side) };
  const full = vision.fullattBlockIndexes.filter((block) => block < vision.depth).length;
  const attention = 2 * hiddenSize * (full * pairs.frame + (vision.depth - full) * pairs.window);
  const merged = hiddenSize * spatialMergeSize ** 2;
  const merger = (patches / spatialMergeSize ** 2) * (merged ** 2 + merged * vision.outHiddenSize);
  return 2 * (embedding + vision.depth * linear + attention + merger);
}

/** The sum of the squares of the pieces that a length is cut into. */
function cutSquares(length: number, piece: number): number {
  return Math.floor(length / piece) * piece ** 2 + (length % piece) ** 2;
}
