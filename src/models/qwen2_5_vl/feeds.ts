/** @module From processed images and token ids to the arrays that the graphs take. */
import { MASKED } from '../../graph/composites.js';
import type { HostTensor } from '../../runtime/session.js';
import type { Qwen2_5_VLConfig } from './config.js';
import type { ProcessedImage } from './image-processing.js';
import { type VisionLayout, visionLayout } from './vision-layout.js';

/** The vision tower's feeds by input name; see `VisionInputs`. */
export interface VisionFeeds {
  readonly layout: VisionLayout;
  readonly patches: HostTensor;
  readonly positions: HostTensor;
  readonly present: HostTensor;
  readonly tokenSlots: HostTensor;
}

/** Lays the patches of all images out in windows. There must be at least one image. */
export function visionFeeds(images: readonly ProcessedImage[], config: Qwen2_5_VLConfig): VisionFeeds {
  const layout = visionLayout(
    images.map((image) => image.grid),
    config.vision,
  );
  const { frames, windows, slots, patchOfSlot, positions, tokenSlots } = layout;
  const width = config.vision.inChannels * config.vision.temporalPatchSize * config.vision.patchSize ** 2;
  const patches = new Float32Array(patchOfSlot.length * width);
  const starts = images.map(({ grid: [t, h, w] }) => t * h * w);
  let image = 0;
  let first = 0;
  const owner: { image: number; first: number }[] = [];
  for (const count of starts) {
    for (let i = 0; i < count; i++) owner.push({ image, first });
    image++;
    first += count;
  }
  for (let slot = 0; slot < patchOfSlot.length; slot++) {
    const patch = patchOfSlot[slot];
    if (patch < 0) continue;
    const from = owner[patch];
    const start = (patch - from.first) * width;
    patches.set(images[from.image].pixelValues.subarray(start, start + width), slot * width);
  }
  return {
    layout,
    patches: { dtype: 'f32', shape: [frames, windows, slots, width], data: patches },
    positions: { dtype: 'i64', shape: [frames, windows, slots, 2], data: positions },
    present: {
      dtype: 'bool',
      shape: [frames, windows, slots],
      data: Uint8Array.from(patchOfSlot, (patch) => (patch < 0 ? 0 : 1)),
    },
    tokenSlots: { dtype: 'i64', shape: [tokenSlots.length], data: tokenSlots },
  };
}

/** For each token the feature it takes if it is an image token, else 0: counts through the batch row by row. */
export function featureIndex(inputIds: BigInt64Array, imageTokenId: number): BigInt64Array {
  const token = BigInt(imageTokenId);
  let next = 0n;
  return inputIds.map((id) => (id === token ? next++ : 0n));
}

/** Masks kept: neighbouring micro-batches are of like length, and a mask of 4096 positions has 64 MB. */
const KEPT_MASKS = 4;
const masks = new Map<number, HostTensor>();

/** [1, 1, S, S]: each position sees itself and what stands before. */
export function causalFeed(length: number): HostTensor {
  const known = masks.get(length);
  if (known !== undefined) return known;
  const data = new Float32Array(length * length);
  for (let row = 0; row < length; row++) data.fill(MASKED, row * length + row + 1, (row + 1) * length);
  const mask: HostTensor = { dtype: 'f32', shape: [1, 1, length, length], data };
  for (const oldest of masks.keys()) if (masks.size >= KEPT_MASKS) masks.delete(oldest);
  masks.set(length, mask);
  return mask;
}
