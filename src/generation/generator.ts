/** @module Batched generation with a key/value cache: prompts of different lengths, tokens chosen per row. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { featureIndex, visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import { collate } from '../models/qwen2_5_vl/collate.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { getRopeIndex } from '../models/qwen2_5_vl/rope-index.js';
import type { HostTensor, Session } from '../runtime/session.js';
import { UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import { cacheName } from './graphs.js';
import { chooseToken, logSumExp, type SamplingSettings } from './sampling.js';

export interface GenerationSettings extends SamplingSettings {
  readonly maxNewTokens: number;
  /** Decides every sampled token together with the prompt's place in the list. */
  readonly seed?: number;
  /** Token ids whose log-probability is reported at every step. */
  readonly watch?: readonly number[];
  /** Ends generation between two tokens. */
  readonly signal?: AbortSignal;
}

/** Ids that end an answer, and ids that are never generated. */
export interface TokenRules {
  readonly stop: ReadonlySet<number>;
  readonly suppressed: readonly number[];
  readonly pad: number;
}

export interface GeneratedTokens {
  /** The new ids, without the one that ended the answer. */
  readonly tokens: readonly number[];
  readonly finishReason: 'stop' | 'length';
  /** Log-softmax of the raw logits at each chosen id, the stop token's last where there is one. */
  readonly logProbs: readonly number[];
  /** For each chosen id (the stop token left out), the log-probabilities of the watched ids. */
  readonly watched: readonly Float32Array[];
}

/** One row of the running batch. */
interface Row {
  readonly prompt: EncodedPrompt;
  readonly random: Random;
  readonly seen: Set<number>;
  readonly tokens: number[];
  readonly logProbs: number[];
  readonly watched: Float32Array[];
  /** Position of the next token relative to its index (transformers' rope delta). */
  readonly ropeDelta: number;
  length: number;
  finishReason: 'stop' | 'length' | null;
}

/** Runs prompts through a vision session and a cached text session; see `graphs.ts` for their feeds. */
export class Generator {
  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly vision: Session,
    private readonly text: Session,
    private readonly rules: TokenRules,
  ) {}

  /** Completions in the order of the prompts. A row's tokens do not depend on the others. */
  async generate(
    prompts: readonly EncodedPrompt[],
    settings: GenerationSettings,
  ): Promise<GeneratedTokens[]> {
    if (prompts.length === 0) return [];
    const longest = Math.max(...prompts.map((prompt) => prompt.inputIds.length));
    this.checkLength(longest, settings.maxNewTokens);
    const batch = new RunningBatch(this.config, this.text, longest + settings.maxNewTokens);
    const rows = await this.prefill(batch, prompts, settings);
    while (rows.some((row) => row.finishReason === null) && !settings.signal?.aborted) {
      batch.compact();
      const logits = await batch.decode();
      batch.rows.forEach((row, i) => {
        if (row.finishReason === null) this.choose(row, logits[i], settings);
      });
    }
    settings.signal?.throwIfAborted();
    return rows.map(({ tokens, finishReason, logProbs, watched }) => ({
      tokens,
      finishReason: finishReason ?? 'length',
      logProbs,
      watched,
    }));
  }

  private checkLength(promptTokens: number, newTokens: number): void {
    const limit = this.config.text.maxPositionEmbeddings;
    if (promptTokens + newTokens > limit) {
      throw new UserError(
        `The prompt has ${promptTokens} tokens and the answer may have ${newTokens}, together more than the model's ${limit}: shorten the policy, lower --max-pixels or --max-new-tokens.`,
      );
    }
  }

  private async prefill(
    batch: RunningBatch,
    prompts: readonly EncodedPrompt[],
    settings: GenerationSettings,
  ): Promise<Row[]> {
    const images = prompts.flatMap((prompt) => prompt.images);
    const { logits, ropeDeltas } = await batch.prefill(
      prompts,
      images.length > 0 ? await this.imageFeatures(images) : null,
      this.rules.pad,
    );
    const rows = prompts.map((prompt, i): Row => {
      return {
        prompt,
        random: new Random(`${settings.seed ?? 0}/sample/${i}`),
        seen: new Set(prompt.inputIds),
        tokens: [],
        logProbs: [],
        watched: [],
        ropeDelta: ropeDeltas[i],
        length: prompt.inputIds.length,
        finishReason: null,
      };
    });
    rows.forEach((row, i) => this.choose(row, logits[i], settings));
    batch.rows = rows;
    return rows;
  }

  /** The merged features of all images, in order [tokens, D]. */
  async imageFeatures(images: EncodedPrompt['images']): Promise<HostTensor> {
    const feeds = visionFeeds(images, this.config);
    const { features } = await this.vision.run({
      patches: feeds.patches,
      patch_positions: feeds.positions,
      patch_present: feeds.present,
      token_slots: feeds.tokenSlots,
    });
    return features;
  }

  /** Chooses a row's next token and decides whether the row ends with it. */
  private choose(row: Row, raw: Float32Array, settings: GenerationSettings): void {
    const logits = Float32Array.from(raw);
    for (const id of this.rules.suppressed) logits[id] = -Infinity;
    const id = chooseToken(logits, settings, row.seen, row.random);
    const normalizer = logSumExp(raw);
    row.logProbs.push(raw[id] - normalizer);
    if (this.rules.stop.has(id)) {
      row.finishReason = 'stop';
      return;
    }
    row.watched.push(Float32Array.from(settings.watch ?? [], (watched) => raw[watched] - normalizer));
    row.tokens.push(id);
    row.seen.add(id);
    if (row.tokens.length >= settings.maxNewTokens) row.finishReason = 'length';
  }
}

/** The rows still at work and their caches. */
class RunningBatch {
  rows: Row[] = [];
  private caches: Record<string, HostTensor> = {};

  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly session: Session,
    private readonly capacity: number,
  ) {}

  /** Computes all prompts at once, padded on the right, and gives the logits after each one's last token. */
  async prefill(
    prompts: readonly EncodedPrompt[],
    features: HostTensor | null,
    pad: number,
  ): Promise<{ logits: Float32Array[]; ropeDeltas: number[] }> {
    const collated = collate(prompts, { padId: pad, side: 'right' });
    const { batch, seq, inputIds } = collated;
    const { positionIds, ropeDeltas } = getRopeIndex({ ...collated, config: this.config });
    this.allocate(batch);
    const lengths = prompts.map((prompt) => prompt.inputIds.length);
    const logits = await this.run({
      input_ids: { dtype: 'i64', shape: [batch, seq], data: inputIds },
      position_ids: { dtype: 'i64', shape: [3, batch, seq], data: positionIds },
      feature_index: {
        dtype: 'i64',
        shape: [batch, seq],
        data: featureIndex(inputIds, this.config.imageTokenId),
      },
      features: features ?? this.noFeatures(),
      lengths,
      logitRows: lengths.map((length, row) => row * seq + length - 1),
    });
    return { logits, ropeDeltas: [...ropeDeltas] };
  }

  /** One step: every row's newest token in, the logits after it out. Finished rows ride along until compacted. */
  async decode(): Promise<Float32Array[]> {
    const batch = this.rows.length;
    const inputIds = BigInt64Array.from(this.rows, (row) => BigInt(row.tokens.at(-1) ?? 0));
    const positions = this.rows.map((row) => BigInt(row.length + row.ropeDelta));
    for (const row of this.rows) if (row.length < this.capacity) row.length++;
    return this.run({
      input_ids: { dtype: 'i64', shape: [batch, 1], data: inputIds },
      position_ids: {
        dtype: 'i64',
        shape: [3, batch, 1],
        data: BigInt64Array.from([...positions, ...positions, ...positions]),
      },
      feature_index: { dtype: 'i64', shape: [batch, 1], data: new BigInt64Array(batch) },
      features: this.noFeatures(),
      lengths: this.rows.map((row) => row.length),
      logitRows: this.rows.map((_, i) => i),
    });
  }

  /** Drops finished rows once they are half of the batch: copying caches costs about as much as one step. */
  compact(): void {
    const kept = this.rows.flatMap((row, i) => (row.finishReason === null ? [i] : []));
    if (kept.length === 0 || kept.length > this.rows.length / 2) return;
    const old = this.caches;
    this.allocate(kept.length);
    for (const [name, { data }] of Object.entries(this.caches)) {
      const stride = data.length / kept.length;
      const from = old[name].data as Float32Array;
      kept.forEach((row, i) => {
        (data as Float32Array).set(from.subarray(row * stride, (row + 1) * stride), i * stride);
      });
    }
    this.rows = kept.map((row) => this.rows[row]);
  }

  private noFeatures(): HostTensor {
    const width = this.config.vision.outHiddenSize;
    return { dtype: 'f32', shape: [1, width], data: new Float32Array(width) };
  }

  private allocate(batch: number): void {
    const { numHiddenLayers, numKeyValueHeads, headDim } = this.config.text;
    const shape = [batch, numKeyValueHeads, this.capacity, headDim];
    const size = shape.reduce((a, b) => a * b, 1);
    this.caches = {};
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      for (const kind of ['keys', 'values'] as const) {
        this.caches[cacheName(kind, layer)] = { dtype: 'f32', shape, data: new Float32Array(size) };
      }
    }
  }

  private async run({ lengths, logitRows, ...feeds }: StepFeeds): Promise<Float32Array[]> {
    const results = await this.session.run(
      {
        ...feeds,
        ...this.caches,
        last_index: {
          dtype: 'i32',
          shape: [lengths.length],
          data: Int32Array.from(lengths, (length) => length - 1),
        },
        total: { dtype: 'i32', shape: [], data: Int32Array.of(Math.max(...lengths)) },
        logit_rows: { dtype: 'i64', shape: [logitRows.length], data: BigInt64Array.from(logitRows, BigInt) },
      },
      // The caches are written where they stand.
      this.caches,
    );
    const logits = results.logits.data as Float32Array;
    const width = logits.length / logitRows.length;
    return logitRows.map((_, i) => logits.subarray(i * width, (i + 1) * width));
  }
}

interface StepFeeds {
  readonly input_ids: HostTensor;
  readonly position_ids: HostTensor;
  readonly feature_index: HostTensor;
  readonly features: HostTensor;
  readonly lengths: readonly number[];
  readonly logitRows: readonly number[];
}
