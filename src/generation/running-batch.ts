/** @module The key/value caches of the rows at work, and the passes that extend them. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import type { HostTensor, HostTensors } from '../runtime/session.js';
import { cacheName } from './graphs.js';
import { noFeatures, promptFeeds } from './prompt-feeds.js';

/** What runs the cached text graph of `graphs.ts`. */
export interface TextRunner {
  run(feeds: HostTensors, fetches: HostTensors): Promise<Record<string, HostTensor>>;
}

/** What a batch must know of each row. */
export interface BatchRow {
  readonly tokens: readonly number[];
  /** Position of the next token relative to its index (transformers' rope delta). */
  readonly ropeDelta: number;
  /** Tokens in the cache. */
  length: number;
  readonly finishReason: string | null;
}

/** What is known after the prompts. */
export interface PromptPass {
  /** After each prompt's last token. */
  readonly logits: readonly Float32Array[];
  readonly ropeDeltas: readonly number[];
}

/** Rows that grow token by token. */
export interface DecodingBatch<Row extends BatchRow> {
  readonly rows: readonly Row[];
  /** One step: every row's newest token in, the logits after it out. Finished rows ride along until compacted. */
  decode(): Promise<Float32Array[]>;
  /** Drops finished rows once that is worth it. */
  compact(): void;
}

/** The rows still at work and their caches of `capacity` tokens. */
export class RunningBatch<Row extends BatchRow> implements DecodingBatch<Row> {
  rows: Row[] = [];
  private caches: Record<string, HostTensor> = {};

  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly session: TextRunner,
    private readonly capacity: number,
  ) {}

  /** Computes all prompts at once, padded on the right, and gives the logits after each one's last token. */
  async prefill(
    prompts: readonly EncodedPrompt[],
    features: HostTensor | null,
    pad: number,
  ): Promise<PromptPass> {
    const { feeds, batch, seq, lengths, ropeDeltas } = promptFeeds(prompts, this.config, { pad, features });
    this.caches = this.allocated(batch);
    const logits = await this.run({
      ...feeds,
      lengths,
      logitRows: lengths.map((length, row) => row * seq + length - 1),
    });
    return { logits, ropeDeltas };
  }

  /** Each cached row `n` times in a row, for these rows: what n answers to one prompt share is computed once. */
  expand(n: number, rows: Row[]): this {
    const { batch } = this;
    if (n > 1) this.take(Array.from({ length: batch * n }, (_, i) => Math.floor(i / n)));
    this.rows = rows;
    return this;
  }

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
      features: noFeatures(this.config),
      lengths: this.rows.map((row) => row.length),
      logitRows: this.rows.map((_, i) => i),
    });
  }

  /**
   * The logits after each of `tokens`, which stand behind the first `length` cached ones of the only row. What was
   * cached behind those is forgotten.
   */
  async extend(tokens: readonly number[], length: number, ropeDelta: number): Promise<Float32Array[]> {
    const seq = tokens.length;
    const positions = tokens.map((_, i) => BigInt(length + i + ropeDelta));
    return this.run({
      input_ids: { dtype: 'i64', shape: [1, seq], data: BigInt64Array.from(tokens, BigInt) },
      position_ids: {
        dtype: 'i64',
        shape: [3, 1, seq],
        data: BigInt64Array.from([...positions, ...positions, ...positions]),
      },
      feature_index: { dtype: 'i64', shape: [1, seq], data: new BigInt64Array(seq) },
      features: noFeatures(this.config),
      lengths: [length + seq],
      logitRows: tokens.map((_, i) => i),
    });
  }

  /** Drops finished rows once they are half of the batch: copying caches costs about as much as one step. */
  compact(): void {
    const kept = this.rows.flatMap((row, i) => (row.finishReason === null ? [i] : []));
    if (kept.length === 0 || kept.length > this.rows.length / 2) return;
    this.take(kept);
    this.rows = kept.map((row) => this.rows[row]);
  }

  private get batch(): number {
    return this.caches[cacheName('keys', 0)].shape[0];
  }

  /** New caches that hold the rows of the old ones named in `places`, in their order. */
  private take(places: readonly number[]): void {
    const { batch, caches: old } = this;
    this.caches = this.allocated(places.length);
    for (const [name, { data }] of Object.entries(this.caches)) {
      const from = old[name].data as Float32Array;
      const stride = from.length / batch;
      places.forEach((row, i) => {
        (data as Float32Array).set(from.subarray(row * stride, (row + 1) * stride), i * stride);
      });
    }
  }

  private allocated(batch: number): Record<string, HostTensor> {
    const { numHiddenLayers, numKeyValueHeads, headDim } = this.config.text;
    const shape = [batch, numKeyValueHeads, this.capacity, headDim];
    const size = shape.reduce((a, b) => a * b, 1);
    const caches: Record<string, HostTensor> = {};
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      for (const kind of ['keys', 'values'] as const) {
        caches[cacheName(kind, layer)] = { dtype: 'f32', shape, data: new Float32Array(size) };
      }
    }
    return caches;
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
