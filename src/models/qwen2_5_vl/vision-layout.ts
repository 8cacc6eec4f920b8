/** @module Where each patch of each image stands in the vision tower: windows as a batch, padded to equal sizes. */
import type { Qwen2_5_VLConfig } from './config.js';

/** Rows, columns and frames of patches: transformers' `image_grid_thw`. */
export type Grid = readonly [t: number, h: number, w: number];

/**
 * The tower works on [frames, windows, slots] patches, where every frame has as many windows as the largest and every
 * window as many slots as a full one. Windows as a batch cost a small fraction of one masked square.
 */
export interface VisionLayout {
  readonly frames: number;
  readonly windows: number;
  readonly slots: number;
  /** The patch in each slot, −1 where it is padding [frames·windows·slots]. */
  readonly patchOfSlot: Int32Array;
  /** Row and column of each slot's patch, 0 in padding [frames·windows·slots·2]. */
  readonly positions: BigInt64Array;
  /** For each merged token in image order, its place among the merged slots [tokens]. */
  readonly tokenSlots: BigInt64Array;
  /** Whether any slot is padding. */
  readonly padded: boolean;
}

/** A window's side in merged tokens (transformers: get_window_index). */
function windowSide({ windowSize, spatialMergeSize, patchSize }: Qwen2_5_VLConfig['vision']): number {
  return Math.floor(windowSize / spatialMergeSize / patchSize);
}

/** Patches of a full window. */
export function slotsPerWindow(vision: Qwen2_5_VLConfig['vision']): number {
  return (windowSide(vision) * vision.spatialMergeSize) ** 2;
}

/** Lays out the patches of images, which come in 2×2 merge blocks (the image processor's order). */
export function visionLayout(grids: readonly Grid[], config: Qwen2_5_VLConfig['vision']): VisionLayout {
  const merge = config.spatialMergeSize;
  const block = merge * merge;
  const side = windowSide(config);
  const slots = slotsPerWindow(config);
  const frames = grids.reduce((sum, [t]) => sum + t, 0);
  const windows = Math.max(
    ...grids.map(([, h, w]) => Math.ceil(h / merge / side) * Math.ceil(w / merge / side)),
  );
  const patchOfSlot = new Int32Array(frames * windows * slots).fill(-1);
  const positions = new BigInt64Array(frames * windows * slots * 2);
  const tokenSlots: bigint[] = [];
  let frame = 0;
  let firstPatch = 0;
  for (const [t, h, w] of grids) {
    const columns = w / merge;
    const across = Math.ceil(columns / side);
    for (let i = 0; i < t; i++, frame++) {
      const filled = new Int32Array(windows);
      for (let row = 0; row < h / merge; row++) {
        for (let column = 0; column < columns; column++) {
          const window = Math.floor(row / side) * across + Math.floor(column / side);
          const slot = (frame * windows + window) * slots + filled[window];
          filled[window] += block;
          tokenSlots.push(BigInt(slot / block));
          for (let inner = 0; inner < block; inner++) {
            patchOfSlot[slot + inner] = firstPatch + (row * columns + column) * block + inner;
            positions[(slot + inner) * 2] = BigInt(row * merge + Math.floor(inner / merge));
            positions[(slot + inner) * 2 + 1] = BigInt(column * merge + (inner % merge));
          }
        }
      }
      firstPatch += h * w;
    }
  }
  return {
    frames,
    windows,
    slots,
    patchOfSlot,
    positions,
    tokenSlots: BigInt64Array.from(tokenSlots),
    padded: patchOfSlot.includes(-1),
  };
}
