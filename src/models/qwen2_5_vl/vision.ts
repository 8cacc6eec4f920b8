/** @module The vision tower and its merger (transformers:modeling_qwen2_5_vl.py, Qwen2_5_VisionTransformer). */
import { attention, gelu, MASKED, rope } from '../../graph/composites.js';
import type { Tensor } from '../../graph/node.js';
import * as op from '../../graph/ops.js';
import { type Dim, multiplyDims } from '../../graph/shape.js';
import { gatedMlp, linear, rmsNorm } from '../../nn/layers.js';
import type { Parameters } from '../../nn/parameters.js';
import { type Rotary, rope2d } from '../../nn/rotary.js';
import type { Qwen2_5_VLConfig } from './config.js';
import { slotsPerWindow } from './vision-layout.js';

/** transformers fixes this in the code, not in the config. */
const NORM_EPSILON = 1e-6;

/** The tower's inputs in the order of {@link VisionLayout}. */
export interface VisionInputs {
  /** [frames, windows, slots, patch values] f32, zeros in padding. */
  readonly patches: Tensor;
  /** [frames, windows, slots, 2] i64. */
  readonly positions: Tensor;
  /** [frames, windows, slots] bool, true where a patch is; left out where no slot is padding. */
  readonly present?: Tensor;
}

/**
 * The inputs `patches`, `patch_positions`, `patch_present` (only where slots are padded) and `token_slots` of a graph
 * with the tower in it.
 */
export function visionInputs(
  config: Qwen2_5_VLConfig,
  padded: boolean,
): { inputs: VisionInputs; tokenSlots: Tensor } {
  const shape = ['frames', 'windows', slotsPerWindow(config.vision)];
  return {
    inputs: {
      patches: op.input('patches', 'f32', [...shape, patchSize(config)]),
      positions: op.input('patch_positions', 'i64', [...shape, 2]),
      present: padded ? op.input('patch_present', 'bool', shape) : undefined,
    },
    tokenSlots: op.input('token_slots', 'i64', ['features']),
  };
}

/** What attends to what in one block: all patches of a window, or of a frame. */
interface Span {
  readonly groups: Dim;
  readonly length: Dim;
  readonly rotary: Rotary;
  readonly mask?: Tensor;
}

/** Hidden states of the patches in layout order [frames·windows·slots, D]: the embeddings, then each block's output. */
export function visionBlocks(weights: Parameters, config: Qwen2_5_VLConfig, inputs: VisionInputs): Tensor[] {
  const { vision } = config;
  const [frames, windows, slots] = inputs.patches.shape;
  const total = [frames, windows, slots].reduce(multiplyDims);
  const headDim = vision.hiddenSize / vision.numHeads;
  const span = (groups: Dim, length: Dim): Span => ({
    groups,
    length,
    rotary: rope2d(op.reshape(inputs.positions, [groups, length, 2]), headDim),
    mask:
      inputs.present &&
      op.where(op.reshape(inputs.present, [groups, 1, 1, length]), op.scalar(0), op.scalar(MASKED)),
  });
  const window = span(multiplyDims(frames, windows), slots);
  const frame = span(frames, multiplyDims(windows, slots));

  let hidden = embedPatches(weights, config, op.reshape(inputs.patches, [total, patchSize(config)]));
  const states = [hidden];
  for (let block = 0; block < vision.depth; block++) {
    const name = `visual.blocks.${block}`;
    const reach = vision.fullattBlockIndexes.includes(block) ? frame : window;
    const normed = rmsNorm(weights, `${name}.norm1`, hidden, NORM_EPSILON);
    hidden = op.add(hidden, blockAttention(weights, config, `${name}.attn`, normed, reach));
    const normedAgain = rmsNorm(weights, `${name}.norm2`, hidden, NORM_EPSILON);
    hidden = op.add(hidden, gatedMlp(weights, `${name}.mlp`, normedAgain, vision.intermediateSize, true));
    states.push(hidden);
  }
  return states;
}

/** Values of one flattened patch: channels × frames × rows × columns. */
export function patchSize({ vision }: Qwen2_5_VLConfig): number {
  return vision.inChannels * vision.temporalPatchSize * vision.patchSize * vision.patchSize;
}

/** The 3-D convolution with a stride of one patch, which is a product with the flattened kernel. */
function embedPatches(weights: Parameters, config: Qwen2_5_VLConfig, patches: Tensor): Tensor {
  const { hiddenSize, inChannels, temporalPatchSize, patchSize: side } = config.vision;
  const kernel = weights.get('visual.patch_embed.proj.weight', [
    hiddenSize,
    inChannels,
    temporalPatchSize,
    side,
    side,
  ]);
  return op.matmul(patches, op.matrixTranspose(op.reshape(kernel, [hiddenSize, patchSize(config)])));
}

const headsFirst = (y: Tensor): Tensor => op.transpose(y, [0, 2, 1, 3]);

function blockAttention(
  weights: Parameters,
  { vision }: Qwen2_5_VLConfig,
  name: string,
  x: Tensor,
  { groups, length, rotary, mask }: Span,
): Tensor {
  const { hiddenSize, numHeads } = vision;
  const qkv = linear(weights, `${name}.qkv`, x, 3 * hiddenSize, true);
  const [query, key, value] = [0, 1, 2].map((part) =>
    op.reshape(op.slice(qkv, -1, part * hiddenSize, (part + 1) * hiddenSize), [groups, length, hiddenSize]),
  );
  const apart = (y: Tensor): Tensor =>
    headsFirst(op.reshape(y, [groups, length, numHeads, hiddenSize / numHeads]));
  const mixed = attention(
    apart(rope(query, rotary.cos, rotary.sin)),
    apart(rope(key, rotary.cos, rotary.sin)),
    apart(value),
    { mask },
  );
  return linear(weights, `${name}.proj`, op.reshape(headsFirst(mixed), x.shape), hiddenSize, true);
}

/**
 * Merges each 2×2 block of patches into one token: states [patches in layout order, D] and the place of each token
 * among the merged slots (i64 [tokens]) → features [tokens, outHiddenSize] in image order.
 */
export function mergePatches(
  weights: Parameters,
  { vision }: Qwen2_5_VLConfig,
  states: Tensor,
  tokenSlots: Tensor,
): Tensor {
  const width = vision.hiddenSize * vision.spatialMergeSize ** 2;
  const normed = rmsNorm(weights, 'visual.merger.ln_q', states, NORM_EPSILON);
  const blocks = op.gather(op.reshape(normed, [-1, width]), tokenSlots);
  const inner = gelu(linear(weights, 'visual.merger.mlp.0', blocks, width, true));
  return linear(weights, 'visual.merger.mlp.2', inner, vision.outHiddenSize, true);
}
