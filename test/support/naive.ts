/** @module The slow honest path: one full forward pass a token, no cache. The fast path is held against it. */
import type { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { argmax, warpLogits } from '../../src/generation/sampling.js';
import { MASKED } from '../../src/graph/composites.js';
import type { Tensor } from '../../src/graph/node.js';
import * as op from '../../src/graph/ops.js';
import type { Qwen2_5_VLConfig } from '../../src/models/qwen2_5_vl/config.js';
import { featureIndex, visionFeeds } from '../../src/models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../../src/models/qwen2_5_vl/image-processing.js';
import { getRopeIndex } from '../../src/models/qwen2_5_vl/rope-index.js';
import { attendWithin, embedInputs, languageHead, textModel } from '../../src/models/qwen2_5_vl/text.js';
import { mergePatches, visionBlocks, visionInputs } from '../../src/models/qwen2_5_vl/vision.js';
import { Parameters } from '../../src/nn/parameters.js';
import { lower, type WeightSource } from '../../src/onnx/lower.js';
import { type HostTensor, Session } from '../../src/runtime/session.js';

/** A batch as transformers pads it: ids and mask [batch, seq] row by row, images in the order of their tokens. */
export interface PaddedBatch {
  readonly inputIds: BigInt64Array;
  readonly attentionMask: BigInt64Array;
  readonly batch: number;
  readonly seq: number;
  readonly images: readonly ProcessedImage[];
}

/** Everything a full pass shows. */
export interface FullForward {
  /** [batch, seq, V] */
  readonly logits: Float32Array;
  /** One [batch, seq, D] a layer, the embeddings first. */
  readonly hiddenStates: readonly Float32Array[];
  /** [tokens, D] in image order; empty without images. */
  readonly imageFeatures: Float32Array;
  /** One [patches, D] a block, in window order, the embeddings first; empty without images. */
  readonly visionStates: readonly Float32Array[];
}

function fullGraph(config: Qwen2_5_VLConfig, withImages: boolean): Record<string, Tensor> {
  const weights = new Parameters();
  const inputIds = op.input('input_ids', 'i64', ['batch', 'seq']);
  const outputs: Record<string, Tensor> = {};
  let images: { features: Tensor; featureIndex: Tensor } | undefined;
  if (withImages) {
    const { inputs, tokenSlots } = visionInputs(config, true);
    const states = visionBlocks(weights, config, inputs);
    const features = mergePatches(weights, config, states[states.length - 1], tokenSlots);
    outputs.features = features;
    states.forEach((state, i) => {
      outputs[`vision.${i}`] = state;
    });
    images = { features, featureIndex: op.input('feature_index', 'i64', ['batch', 'seq']) };
  }
  const embeddings = embedInputs(weights, config, inputIds, images);
  const positionIds = op.input('position_ids', 'i64', [3, 'batch', 'seq']);
  const mask = op.input('mask', 'f32', ['batch', 1, 'seq', 'seq']);
  const states = textModel(weights, config, embeddings, positionIds, attendWithin(mask));
  states.forEach((state, i) => {
    outputs[`hidden.${i}`] = state;
  });
  return { ...outputs, logits: languageHead(weights, config, states[states.length - 1]) };
}

/** Causal, and blind to padding. */
export function paddedMask({ attentionMask, batch, seq }: PaddedBatch): HostTensor {
  const data = new Float32Array(batch * seq * seq);
  for (let i = 0; i < data.length; i++) {
    const key = i % seq;
    const query = Math.floor(i / seq) % seq;
    const row = Math.floor(i / (seq * seq));
    if (key > query || attentionMask[row * seq + key] === 0n) data[i] = MASKED;
  }
  return { dtype: 'f32', shape: [batch, 1, seq, seq], data };
}

export class NaiveModel {
  private readonly sessions = new Map<boolean, Session>();

  constructor(
    readonly config: Qwen2_5_VLConfig,
    private readonly weights: WeightSource,
  ) {}

  static of(config: Qwen2_5_VLConfig, checkpoint: Checkpoint): NaiveModel {
    return new NaiveModel(config, { read: (name) => checkpoint.readFloat32(name) });
  }

  async forward(batch: PaddedBatch): Promise<FullForward> {
    const { config } = this;
    const { inputIds, seq, images } = batch;
    const shape = [batch.batch, seq];
    const { positionIds } = getRopeIndex({ ...batch, grids: images.map((image) => image.grid), config });
    const feeds: Record<string, HostTensor> = {
      input_ids: { dtype: 'i64', shape, data: inputIds },
      position_ids: { dtype: 'i64', shape: [3, ...shape], data: positionIds },
      mask: paddedMask(batch),
    };
    let order: number[] = [];
    if (images.length > 0) {
      const vision = visionFeeds(images, config);
      feeds.patches = vision.patches;
      feeds.patch_positions = vision.positions;
      feeds.patch_present = vision.present;
      feeds.token_slots = vision.tokenSlots;
      feeds.feature_index = { dtype: 'i64', shape, data: featureIndex(inputIds, config.imageTokenId) };
      order = Array.from(vision.layout.patchOfSlot.keys()).filter(
        (slot) => vision.layout.patchOfSlot[slot] >= 0,
      );
    }
    const results = await (await this.session(images.length > 0)).run(feeds);
    const float = (name: string): Float32Array => results[name].data as Float32Array;
    const width = config.vision.hiddenSize;
    return {
      logits: float('logits'),
      hiddenStates: Array.from({ length: config.text.numHiddenLayers + 1 }, (_, i) => float(`hidden.${i}`)),
      imageFeatures: images.length > 0 ? float('features') : new Float32Array(0),
      visionStates:
        images.length === 0
          ? []
          : Array.from({ length: config.vision.depth + 1 }, (_, i) => {
              const state = float(`vision.${i}`);
              const kept = order.map((slot) => state.subarray(slot * width, (slot + 1) * width));
              return Float32Array.from(kept.flatMap((row) => [...row]));
            }),
    };
  }

  /** Greedy tokens of one prompt, the whole sequence computed anew for each. */
  async generate(
    prompt: { readonly inputIds: readonly number[]; readonly images: readonly ProcessedImage[] },
    options: {
      maxNewTokens: number;
      stop: ReadonlySet<number>;
      suppressed: readonly number[];
      repetitionPenalty?: number;
    },
  ): Promise<number[]> {
    const ids = [...prompt.inputIds];
    const tokens: number[] = [];
    while (tokens.length < options.maxNewTokens) {
      const { logits } = await this.forward({
        inputIds: BigInt64Array.from(ids, BigInt),
        attentionMask: new BigInt64Array(ids.length).fill(1n),
        batch: 1,
        seq: ids.length,
        images: prompt.images,
      });
      const last = logits.slice(-this.config.text.vocabSize);
      for (const id of options.suppressed) last[id] = -Infinity;
      const next = argmax(warpLogits(last, { repetitionPenalty: options.repetitionPenalty }, new Set(ids)));
      if (options.stop.has(next)) break;
      tokens.push(next);
      ids.push(next);
    }
    return tokens;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.dispose();
  }

  private async session(withImages: boolean): Promise<Session> {
    const known = this.sessions.get(withImages);
    if (known !== undefined) return known;
    const model = lower(fullGraph(this.config, withImages), {
      fuse: 'training',
      weights: 'initializer',
      source: this.weights,
    });
    const made = await Session.create(model, {});
    this.sessions.set(withImages, made);
    return made;
  }
}
