import type { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import type { Qwen2_5_VLConfig } from '../../src/models/qwen2_5_vl/config.js';
import { featureIndex, visionFeeds } from '../../src/models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../../src/models/qwen2_5_vl/image-processing.js';
import { getRopeIndex } from '../../src/models/qwen2_5_vl/rope-index.js';
import type { HostTensor } from '../../src/runtime/session.js';
import { askedStatesFeeds } from '../../src/models/qwen2_5_vl/asked-rows.js';
import { type PaddedBatch, paddedMask } from '../../test/support/naive.js';

/** One golden file of a forward pass and its generations. */
export class GoldenCase {
  readonly batch: PaddedBatch;
  readonly rows: { inputIds: number[]; images: ProcessedImage[] }[];

  constructor(
    readonly file: SafetensorsFile,
    private readonly config: Qwen2_5_VLConfig,
  ) {
    const [batch, seq] = this.shape('input_ids');
    const inputIds = this.ints('input_ids');
    const attentionMask = this.ints('attention_mask');
    const images = this.images();
    this.batch = { inputIds, attentionMask, batch, seq, images };
    let next = 0;
    this.rows = Array.from({ length: batch }, (_, row) => {
      const ids = Array.from(inputIds.subarray(row * seq, (row + 1) * seq), Number).filter(
        (_, i) => attentionMask[row * seq + i] === 1n,
      );
      const own: ProcessedImage[] = [];
      let pads = ids.filter((id) => id === config.imageTokenId).length;
      while (pads > 0) {
        const image = images[next++];
        own.push(image);
        pads -= (image.grid[0] * image.grid[1] * image.grid[2]) / config.vision.spatialMergeSize ** 2;
      }
      return { inputIds: ids, images: own };
    });
  }

  has(name: string): boolean {
    return this.file.tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.file.tensors.get(name)?.shape ?? [];
  }

  floats(name: string): Float32Array {
    return this.file.readFloat32(name);
  }

  ints(name: string): BigInt64Array {
    return this.file.read(name) as BigInt64Array;
  }

  /** Rows of ids, cut at the token that ended them. */
  generated(name: string, stop: ReadonlySet<number>): number[][] {
    const [batch, length] = this.shape(name);
    const ids = this.ints(name);
    return Array.from({ length: batch }, (_, row) => {
      const tokens = Array.from(ids.subarray(row * length, (row + 1) * length), Number);
      const end = tokens.findIndex((id) => stop.has(id));
      return end < 0 ? tokens : tokens.slice(0, end);
    });
  }

  /** The batch and its labels as feeds of the SFT graph that takes any padding. */
  trainingFeeds(): Record<string, HostTensor> {
    const { inputIds, attentionMask, batch, seq, images } = this.batch;
    const { config } = this;
    const shape = [batch, seq];
    const { positionIds } = getRopeIndex({ ...this.batch, grids: images.map((image) => image.grid), config });
    const labels = this.ints('labels');
    // Position i predicts label i + 1 of its row; −100 is not counted.
    const counted = Array.from(labels.keys()).filter((i) => i % seq > 0 && labels[i] >= 0n);
    const i64 = (dims: readonly number[], data: BigInt64Array): HostTensor => ({
      dtype: 'i64',
      shape: dims,
      data,
    });
    const mask = paddedMask({ inputIds, attentionMask, batch, seq, images });
    const feeds: Record<string, HostTensor> = {
      input_ids: i64(shape, inputIds),
      position_ids: i64([3, ...shape], positionIds),
      mask,
      ...askedStatesFeeds(
        counted.map((i) => i - 1),
        { batch, mask },
      ),
      labels: i64(
        [counted.length],
        BigInt64Array.from(counted, (i) => labels[i]),
      ),
      label_weights: {
        dtype: 'f32',
        shape: [counted.length],
        data: new Float32Array(counted.length).fill(1 / counted.length),
      },
    };
    if (images.length === 0) return feeds;
    const vision = visionFeeds(images, config);
    return {
      ...feeds,
      feature_index: i64(shape, featureIndex(inputIds, config.imageTokenId)),
      patches: vision.patches,
      patch_positions: vision.positions,
      patch_present: vision.present,
      token_slots: vision.tokenSlots,
    };
  }

  private images(): ProcessedImage[] {
    if (!this.has('pixel_values')) return [];
    const values = this.floats('pixel_values');
    const grids = this.ints('image_grid_thw');
    const width = values.length / this.shape('pixel_values')[0];
    let start = 0;
    return Array.from({ length: grids.length / 3 }, (_, i) => {
      const grid = [0, 1, 2].map((axis) => Number(grids[i * 3 + axis])) as [number, number, number];
      const size = grid[0] * grid[1] * grid[2] * width;
      start += size;
      return { grid, pixelValues: values.slice(start - size, start) };
    });
  }
}
