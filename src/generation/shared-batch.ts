/** @module Answers at work that share their prompts' caches. */
import { MASKED } from '../graph/composites.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { type HostTensor, hostTensor } from '../runtime/host-tensor.js';
import { cacheName } from './graphs.js';
import type { BatchRow, DecodingBatch, TextRunner } from './running-batch.js';
import { ownCacheName } from './shared-prompt-graph.js';

type Caches = Record<string, HostTensor>;

/** What is known of the prompts: `keys.L`, `values.L` [prompts, kvHeads, capacity, headDim], and their lengths. */
export interface CachedPrompts {
  readonly caches: Caches;
  readonly lengths: readonly number[];
}

/** The same number of rows for each prompt, one prompt's after the other's, each as many tokens behind its prompt. */
export class SharedBatch<Row extends BatchRow> implements DecodingBatch<Row> {
  private own: Caches = {};
  private mask: HostTensor;

  constructor(
    config: Qwen2_5_VLConfig,
    /** Runs the graph of `shared-prompt-graph.ts`. */
    private readonly session: TextRunner,
    private prompts: CachedPrompts,
    public rows: readonly Row[],
  ) {
    this.mask = maskOf(prompts);
    const { numHiddenLayers, numKeyValueHeads, headDim } = config.text;
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      for (const kind of ['keys', 'values'] as const) {
        const shape = [prompts.lengths.length, this.answers, numKeyValueHeads, 0, headDim];
        this.own[ownCacheName(kind, layer)] = hostTensor('f32', shape);
      }
    }
  }

  private get answers(): number {
    return this.rows.length / this.prompts.lengths.length;
  }

  async decode(): Promise<Float32Array[]> {
    const shape = [this.prompts.lengths.length, this.answers];
    const positions = this.rows.map((row) => BigInt(row.length + row.ropeDelta));
    for (const row of this.rows) row.length++;
    const { logits, ...own } = await this.session.run(
      {
        input_ids: {
          dtype: 'i64',
          shape,
          data: BigInt64Array.from(this.rows, (row) => BigInt(row.tokens.at(-1) ?? 0)),
        },
        position_ids: {
          dtype: 'i64',
          shape: [3, ...shape],
          data: BigInt64Array.from([...positions, ...positions, ...positions]),
        },
        prompt_mask: this.mask,
        ...this.prompts.caches,
        ...this.own,
      },
      {},
    );
    this.own = own;
    const width = logits.shape[1];
    const data = logits.data as Float32Array;
    return this.rows.map((_, i) => data.subarray(i * width, (i + 1) * width));
  }

  /**
   * Drops prompts that are answered, and of the others as many finished rows as each of them can spare, once half of the
   * rows can go.
   */
  compact(): void {
    const { answers } = this;
    const places = this.prompts.lengths.map((_, prompt) =>
      Array.from({ length: answers }, (__, i) => prompt * answers + i),
    );
    const atWork = places.map((rows) => rows.filter((row) => this.rows[row].finishReason === null));
    const kept = atWork.flatMap((rows, prompt) => (rows.length > 0 ? [prompt] : []));
    const most = Math.max(...atWork.map((rows) => rows.length));
    if (kept.length === 0 || kept.length * most > this.rows.length / 2) return;
    const rows = kept.flatMap((prompt) => {
      const done = places[prompt].filter((row) => this.rows[row].finishReason !== null);
      return [...atWork[prompt], ...done].slice(0, most);
    });
    const { lengths } = this.prompts;
    if (kept.length < lengths.length) {
      this.prompts = {
        caches: mapValues(this.prompts.caches, (cache) => taken(cache, lengths.length, kept)),
        lengths: kept.map((prompt) => lengths[prompt]),
      };
      this.mask = maskOf(this.prompts);
    }
    const before = this.rows.length;
    this.own = mapValues(this.own, (cache) => {
      const [, , ...inner] = cache.shape;
      return { ...taken(cache, before, rows), shape: [kept.length, most, ...inner] };
    });
    this.rows = rows.map((row) => this.rows[row]);
  }
}

/** Zero where a prompt has a token, {@link MASKED} behind its end. */
function maskOf({ caches, lengths }: CachedPrompts): HostTensor {
  const capacity = caches[cacheName('keys', 0)].shape[2];
  const data = Float32Array.from({ length: lengths.length * capacity }, (_, i) =>
    i % capacity < lengths[Math.floor(i / capacity)] ? 0 : MASKED,
  );
  return { dtype: 'f32', shape: [lengths.length, 1, 1, capacity], data };
}

/** Some of the `count` equal pieces of a tensor; the first dimension counts them. */
function taken({ dtype, shape, data }: HostTensor, count: number, places: readonly number[]): HostTensor {
  const from = data as Float32Array;
  const stride = from.length / count;
  const to = new Float32Array(stride * places.length);
  places.forEach((place, i) => to.set(from.subarray(place * stride, (place + 1) * stride), i * stride));
  return { dtype, shape: [places.length, ...shape.slice(1)], data: to };
}

const mapValues = (caches: Caches, change: (cache: HostTensor) => HostTensor): Caches =>
  Object.fromEntries(Object.entries(caches).map(([name, cache]) => [name, change(cache)]));
