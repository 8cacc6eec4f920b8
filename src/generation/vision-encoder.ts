/** @module Images through the vision tower, each once. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import type { HostTensor, Session } from '../runtime/session.js';
import { assert } from '../util/errors.js';
import type { ImageEncoder } from './generator.js';

/** Features are kept of the last images, so many bytes of them: 3 of the largest that a 7B model sees, thousands of small ones. */
const KEPT_BYTES = 64_000_000;

/** A session of `visionGraph`, with its weights inside. */
export class VisionEncoder implements ImageEncoder {
  /** Features of the images seen last, in their order; an image is known by its object, as the processor gives it. */
  readonly #kept = new Map<ProcessedImage, Float32Array>();
  #keptBytes = 0;

  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly session: Session,
  ) {}

  /** The merged features of all images, in order [tokens, D]; an image that stands several times is computed once. */
  async features(images: readonly ProcessedImage[]): Promise<HostTensor> {
    const known = new Map<ProcessedImage, Float32Array>();
    for (const image of images) {
      const features = this.#kept.get(image);
      if (features !== undefined) known.set(image, features);
    }
    const missing = [...new Set(images)].filter((image) => !known.has(image));
    const width = this.config.vision.outHiddenSize;
    if (missing.length > 0) {
      const data = await this.computed(missing);
      let start = 0;
      for (const image of missing) {
        const size = this.tokensOf(image) * width;
        known.set(image, data.slice(start, start + size));
        start += size;
      }
      assert(start === data.length, 'the vision tower gave features of another number of tokens');
    }
    const parts = images.flatMap((image) => known.get(image) ?? []);
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let to = 0;
    for (const part of parts) {
      data.set(part, to);
      to += part.length;
    }
    this.keep(known);
    return { dtype: 'f32', shape: [data.length / width, width], data };
  }

  private async computed(images: readonly ProcessedImage[]): Promise<Float32Array> {
    const feeds = visionFeeds(images, this.config);
    const { features } = await this.session.run({
      patches: feeds.patches,
      patch_positions: feeds.positions,
      patch_present: feeds.present,
      token_slots: feeds.tokenSlots,
    });
    assert(features.data instanceof Float32Array, 'image features are f32');
    return features.data;
  }

  private tokensOf({ grid: [times, rows, columns] }: ProcessedImage): number {
    return (times * rows * columns) / this.config.vision.spatialMergeSize ** 2;
  }

  private keep(features: ReadonlyMap<ProcessedImage, Float32Array>): void {
    for (const [image, data] of features) {
      if (!this.#kept.delete(image)) this.#keptBytes += this.weight(image, data);
      this.#kept.set(image, data);
    }
    for (const [oldest, data] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= this.weight(oldest, data);
    }
  }

  /** An image that is kept keeps its patches too. */
  private weight({ pixelValues }: ProcessedImage, features: Float32Array): number {
    return pixelValues.byteLength + features.byteLength;
  }
}
