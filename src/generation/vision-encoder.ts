/** @module Images through the vision tower, each once. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import type { HostTensor, Session } from '../runtime/session.js';
import { assert } from '../util/errors.js';
import type { ImageEncoder } from './generator.js';

/** A session of `visionGraph`, with its weights inside. */
export class VisionEncoder implements ImageEncoder {
  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly session: Session,
  ) {}

  /** The merged features of all images, in order [tokens, D]; an image that stands several times is computed once. */
  async features(images: readonly ProcessedImage[]): Promise<HostTensor> {
    const own = [...new Set(images)];
    const feeds = visionFeeds(own, this.config);
    const { features } = await this.session.run({
      patches: feeds.patches,
      patch_positions: feeds.positions,
      patch_present: feeds.present,
      token_slots: feeds.tokenSlots,
    });
    return own.length === images.length ? features : this.repeated(features, own, images);
  }

  /** The features of each image again where it stands again. */
  private repeated(
    features: HostTensor,
    own: readonly ProcessedImage[],
    images: readonly ProcessedImage[],
  ): HostTensor {
    const width = features.shape[1];
    const merged = this.config.vision.spatialMergeSize ** 2;
    const sizeOf = ({ grid: [t, h, w] }: ProcessedImage): number => ((t * h * w) / merged) * width;
    const parts = new Map<ProcessedImage, Float32Array>();
    assert(features.data instanceof Float32Array, 'image features are f32');
    let start = 0;
    for (const image of own) {
      parts.set(image, features.data.subarray(start, start + sizeOf(image)));
      start += sizeOf(image);
    }
    const data = new Float32Array(images.reduce((sum, image) => sum + sizeOf(image), 0));
    let to = 0;
    for (const image of images) {
      data.set(parts.get(image) ?? [], to);
      to += sizeOf(image);
    }
    return { dtype: 'f32', shape: [data.length / width, width], data };
  }
}
