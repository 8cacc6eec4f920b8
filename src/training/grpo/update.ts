/** @module One optimizer step's worth of groups through the policy graph: scores, losses, gradients. */
import type { Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import type { ProcessedImage } from '../../models/qwen2_5_vl/image-processing.js';
import type { OptimizedParameter } from '../../optim/adamw.js';
import type { HostTensor } from '../../runtime/session.js';
import type { LoraSettings } from '../../nn/lora.js';
import { assert } from '../../util/errors.js';
import { layersBetweenStates } from '../config.js';
import type { ImagePath } from '../sft-graph.js';
import { StepSession } from '../step-session.js';
import type { ModelWeights } from '../weights.js';
import type { GrpoConfig } from './config.js';
import type { AdvantagedGroup } from './groups.js';
import { packGroups, type PackedRows, perToken, segmentFeeds, tokenValues } from './pack.js';
import { policyGraph } from './policy-graph.js';

export interface UpdaterParts {
  readonly config: GrpoConfig;
  readonly model: Qwen2_5_VLConfig;
  readonly padId: number;
  readonly weights: ModelWeights;
  /** The start model; needed where `beta` is not 0. */
  readonly reference: ModelWeights | null;
  readonly optimized: ReadonlyMap<string, OptimizedParameter>;
  readonly lora: LoraSettings | undefined;
  /** Features of a frozen tower's images; null where the tower is trained. */
  readonly features: ((images: readonly ProcessedImage[]) => Promise<HostTensor>) | null;
}

/** Sums over tokens of what was computed, for means over a step. */
export interface UpdateSums {
  loss: number;
  tokens: number;
  entropy: number;
  kl: number;
  clippedLow: number;
  clippedHigh: number;
  /** The largest |log p of the update − log p of the sampler|. */
  mismatch: number;
  /** Seconds of the reference's log-probabilities. */
  scoringSeconds: number;
}

export const noSums = (): UpdateSums => ({
  loss: 0,
  tokens: 0,
  entropy: 0,
  kl: 0,
  clippedLow: 0,
  clippedHigh: 0,
  mismatch: 0,
  scoringSeconds: 0,
});

export class Updater {
  private readonly sessions = new Map<string, StepSession>();
  private readonly buffers = new Map<string, Float32Array>();

  constructor(private readonly parts: UpdaterParts) {}

  /** Whether log-probabilities of the sampler are needed: only where it is not the policy itself. */
  get isOffPolicy(): boolean {
    return this.parts.config.batches > 1 || this.parts.config.num_iterations > 1;
  }

  /**
   * Adds the gradients of some groups, the `first` of an update or more. `weights`: what a token of each completion counts, group by
   * group.
   */
  async accumulate(
    groups: readonly AdvantagedGroup[],
    weights: readonly (readonly number[])[],
    sums: UpdateSums,
    { first }: { readonly first: boolean },
  ): Promise<void> {
    const { config, optimized } = this.parts;
    const packed = this.pack(groups);
    const { lengths } = packed;
    const advantages = groups.flatMap((group) => group.advantages);
    const sampled = groups.flatMap(({ completions }) => completions.map(({ logProbs }) => logProbs));
    const feeds: Record<string, HostTensor> = {
      ...(await this.feedsOf(packed)),
      advantages: perToken(advantages, lengths),
      token_weights: perToken(weights.flat(), lengths),
      old_log_probs: tokenValues(sampled),
      ...(config.importance_sampling_level === 'sequence' ? segmentFeeds(lengths) : {}),
    };
    if (config.beta !== 0) {
      const started = process.uptime();
      const { logProbs } = await (await this.session(packed, 'reference')).accumulate(feeds, optimized);
      feeds.ref_log_probs = { dtype: 'f32', shape: [logProbs.length], data: logProbs };
      sums.scoringSeconds += process.uptime() - started;
    }
    const { loss, logProbs, results } = await (await this.session(packed, 'update')).accumulate(
      feeds,
      optimized,
      { first },
    );
    sums.loss += loss;
    this.addTokens(sums, { logProbs, results, sampled: sampled.flat(), advantages, lengths });
  }

  /** Log-probabilities of all tokens; `blank` hides the pictures. */
  async score(groups: readonly AdvantagedGroup[], { blank = false } = {}): Promise<Float32Array> {
    const packed = this.pack(groups);
    const feeds = await this.feedsOf(packed);
    const shown = blank ? ['features', 'patches'] : [];
    for (const name of shown.filter((one) => one in feeds)) {
      const { dtype, shape, data } = feeds[name];
      feeds[name] = { dtype, shape, data: new Float32Array(data.length) };
    }
    const session = await this.session(packed, 'score');
    return (await session.accumulate(feeds, this.parts.optimized)).logProbs;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.dispose();
    this.sessions.clear();
  }

  private pack(groups: readonly AdvantagedGroup[]): PackedRows {
    const { model, padId, features } = this.parts;
    return packGroups(
      groups.map(({ encoded, completions }) => ({
        prompt: encoded,
        completions: completions.map(({ tokens }) => tokens),
      })),
      { config: model, padId, images: features === null ? 'tower' : 'features' },
    );
  }

  private async feedsOf({ feeds, images }: PackedRows): Promise<Record<string, HostTensor>> {
    const { features } = this.parts;
    if (images.length === 0 || features === null) return { ...feeds };
    return { ...feeds, features: await features(images) };
  }

  private async session(
    { images, padded, pieces }: PackedRows,
    purpose: 'update' | 'score' | 'reference',
  ): Promise<StepSession> {
    const { config, model, weights, reference, optimized, features } = this.parts;
    const path: ImagePath = images.length === 0 ? 'none' : features === null ? 'tower' : 'features';
    const key = `${purpose}/${path}/${padded}/${pieces}`;
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const from = purpose === 'reference' ? reference : weights;
    assert(from !== null, 'a loss with beta needs reference weights');
    const graph = policyGraph(model, {
      images: path,
      paddedSlots: padded,
      temperature: config.temperature,
      lora: purpose === 'reference' ? undefined : this.parts.lora,
      keptEvery: layersBetweenStates(config.gradient_checkpointing),
      pieces,
      update:
        purpose === 'update'
          ? { loss: config, isOffPolicy: this.isOffPolicy, trainable: (name) => optimized.has(name) }
          : null,
    });
    const made = await StepSession.create(graph, from, { threads: config.threads, buffers: this.buffers });
    this.sessions.set(key, made);
    return made;
  }

  private addTokens(
    sums: UpdateSums,
    { logProbs, results, sampled, advantages, lengths }: TokenResults,
  ): void {
    const { epsilon, epsilon_high: high = epsilon } = this.parts.config;
    const entropy = results.entropy.data as Float32Array;
    const kl = results.kl?.data as Float32Array | undefined;
    let at = 0;
    lengths.forEach((length, i) => {
      for (const end = at + length; at < end; at++) {
        const ratio = Math.exp(logProbs[at] - sampled[at]);
        sums.entropy += entropy[at];
        sums.kl += kl?.[at] ?? 0;
        sums.clippedLow += Number(ratio < 1 - epsilon && advantages[i] < 0);
        sums.clippedHigh += Number(ratio > 1 + high && advantages[i] > 0);
        sums.mismatch = Math.max(sums.mismatch, Math.abs(logProbs[at] - sampled[at]));
      }
    });
    sums.tokens += at;
  }
}

interface TokenResults {
  readonly logProbs: Float32Array;
  readonly results: Readonly<Record<string, HostTensor>>;
  readonly sampled: readonly number[];
  readonly advantages: readonly number[];
  readonly lengths: readonly number[];
}
