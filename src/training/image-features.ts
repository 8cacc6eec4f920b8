/** @module Features of images under a frozen vision tower: computed once an image, kept as long as there is room. */
import { createHash } from 'node:crypto';
import { visionGraph } from '../generation/graphs.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import { lower } from '../onnx/lower.js';
import { type HostTensor, Session } from '../runtime/session.js';
import { assert } from '../util/errors.js';
import type { ModelWeights } from './weights.js';

const BYTES_PER_MEGABYTE = 1e6;
/** Features of some ten thousand small pictures of a small model, or of a few hundred large ones of the 3B model. */
const DEFAULT_CACHE_MB = 512;

/** Arrays by key; the one that was asked for longest ago goes first. */
export class FeatureCache {
  private readonly kept = new Map<string, Float32Array>();
  private bytes = 0;

  constructor(readonly capacity: number) {}

  get(key: string): Float32Array | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    // A Map remembers the order of insertion: the newest stands last.
    this.kept.delete(key);
    this.kept.set(key, found);
    return found;
  }

  set(key: string, values: Float32Array): void {
    if (values.byteLength > this.capacity || this.kept.has(key)) return;
    this.kept.set(key, values);
    this.bytes += values.byteLength;
    for (const [oldest, { byteLength }] of this.kept) {
      if (this.bytes <= this.capacity) break;
      this.kept.delete(oldest);
      this.bytes -= byteLength;
    }
  }
}

export interface FrozenVisionOptions {
  readonly threads?: number;
  readonly cacheMegabytes?: number;
}

/** A vision tower that is not trained. */
export class FrozenVision {
  private readonly cache: FeatureCache;
  /** Images that went through the tower so far: each counts as often as it was not in the cache. */
  computed = 0;

  private constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly session: Session,
    private readonly weightFeeds: Readonly<Record<string, HostTensor>>,
    cacheMegabytes: number,
  ) {
    this.cache = new FeatureCache(cacheMegabytes * BYTES_PER_MEGABYTE);
  }

  static async create(
    config: Qwen2_5_VLConfig,
    weights: ModelWeights,
    { threads, cacheMegabytes = DEFAULT_CACHE_MB }: FrozenVisionOptions = {},
  ): Promise<FrozenVision> {
    // Fed, the weights are held once; as part of the session they would be held twice.
    const model = lower(visionGraph(config), { fuse: 'inference', weights: 'input' });
    const session = await Session.create(model, { threads });
    const fed = session.inputNames.flatMap((name) => {
      const weight = weights.get(name);
      return weight === undefined ? [] : [[name, weight] as const];
    });
    return new FrozenVision(config, session, Object.fromEntries(fed), cacheMegabytes);
  }

  /** The merged tokens of all images, one after the other: `features` [tokens, D] of the SFT graph. */
  async features(images: readonly ProcessedImage[]): Promise<HostTensor> {
    const parts: Float32Array[] = [];
    for (const image of images) parts.push(await this.one(image));
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let start = 0;
    for (const part of parts) {
      data.set(part, start);
      start += part.length;
    }
    const width = this.config.vision.outHiddenSize;
    return { dtype: 'f32', shape: [data.length / width, width], data };
  }

  async dispose(): Promise<void> {
    await this.session.dispose();
  }

  /** Each image by itself: its last bits must not depend on its neighbours, or a resumed run would differ. */
  private async one(image: ProcessedImage): Promise<Float32Array> {
    const key = contentKey(image);
    const known = this.cache.get(key);
    if (known !== undefined) return known;
    const { patches, positions, present, tokenSlots } = visionFeeds([image], this.config);
    const { features } = await this.session.run({
      patches,
      patch_positions: positions,
      patch_present: present,
      token_slots: tokenSlots,
      ...this.weightFeeds,
    });
    assert(features.data instanceof Float32Array, 'image features are f32');
    this.computed++;
    this.cache.set(key, features.data);
    return features.data;
  }
}

function contentKey({ grid, pixelValues }: ProcessedImage): string {
  const bytes = new Uint8Array(pixelValues.buffer, pixelValues.byteOffset, pixelValues.byteLength);
  return createHash('sha256').update(grid.join()).update(bytes).digest('base64');
}
