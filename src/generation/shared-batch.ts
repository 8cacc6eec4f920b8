/** @module Answers at work that share their prompts' caches. */
import { MASKED } from '../graph/composites.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { type HostTensor, hostTensor } from '../runtime/host-tensor.js';
import type { CachedPrompts } from './cached-prompts.js';
import { cacheName } from './graphs.js';
import type { BatchRow, DecodingBatch, TextRunner } from './running-batch.js';
import { newestName, ownCacheName } from './shared-prompt-graph.js';

type Caches = Record<string, HostTensor>;

/** Own tokens there is room for in one go; full buffers are laid out anew with so many places more. */
const OWN_STEP = 32;

/** The same number of rows for each prompt, one prompt's after the other's, each as many tokens behind its prompt. */
export class SharedBatch<Row extends BatchRow> implements DecodingBatch<Row> {
  /** [prompts, kvHeads, answers, places, headDim], of which the first `used` places are filled. */
  private own: Caches = {};
  /** Where each of the graph's newest keys and values goes. */
  private readonly appended: { readonly own: string; readonly newest: string }[] = [];
  private ownMask: HostTensor;
  private used = 0;
  private mask: HostTensor;

  constructor(
    config: Qwen2_5_VLConfig,
    /** Runs the graph of `shared-prompt-graph.ts`. */
    private readonly session: TextRunner,
    private prompts: CachedPrompts,
    public rows: readonly Row[],
  ) {
    this.mask = maskOf(prompts);
    this.ownMask = maskedPlaces(OWN_STEP);
    const { numHiddenLayers, numKeyValueHeads, headDim } = config.text;
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      for (const kind of ['keys', 'values'] as const) {
        const shape = [prompts.lengths.length, numKeyValueHeads, this.answers, OWN_STEP, headDim];
        this.own[ownCacheName(kind, layer)] = hostTensor('f32', shape);
        this.appended.push({ own: ownCacheName(kind, layer), newest: newestName(kind, layer) });
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
    const { logits, ...newest } = await this.session.run(
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
        own_mask: this.ownMask,
        ...this.prompts.caches,
        ...this.own,
      },
      {},
    );
    this.append(newest);
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
    const rows = kept.map((prompt) => {
      const done = places[prompt].filter((row) => this.rows[row].finishReason !== null);
      return [...atWork[prompt], ...done].slice(0, most);
    });
    const { lengths } = this.prompts;
    if (kept.length < lengths.length) {
      this.prompts = {
        caches: mapValues(this.prompts.caches, (cache) => {
          const [, ...inner] = cache.shape;
          return { ...cache, shape: [kept.length, ...inner], data: taken(cache.data, lengths.length, kept) };
        }),
        lengths: kept.map((prompt) => lengths[prompt]),
      };
      this.mask = maskOf(this.prompts);
    }
    this.own = mapValues(this.own, (cache) => {
      const [, kvHeads, , ...inner] = cache.shape;
      // A prompt's rows of one head stand together.
      const pieces = rows.flatMap((of, i) =>
        Array.from({ length: kvHeads }, (_, head) =>
          of.map((row) => (kept[i] * kvHeads + head) * answers + (row % answers)),
        ).flat(),
      );
      const count = lengths.length * kvHeads * answers;
      return {
        ...cache,
        shape: [kept.length, kvHeads, most, ...inner],
        data: taken(cache.data, count, pieces),
      };
    });
    this.rows = rows.flat().map((row) => this.rows[row]);
  }

  /** Writes the newest tokens' keys and values behind the others. */
  private append(newest: Caches): void {
    for (const names of this.appended) {
      const { shape, data } = this.own[names.own];
      const [, , , places, size] = shape;
      const from = newest[names.newest].data as Float32Array;
      for (let row = 0; row * size < from.length; row++) {
        const part = from.subarray(row * size, (row + 1) * size);
        (data as Float32Array).set(part, (row * places + this.used) * size);
      }
    }
    const mask = this.ownMask.data as Float32Array;
    mask[this.used++] = 0;
    if (this.used === mask.length) this.grow();
  }

  private grow(): void {
    this.own = mapValues(this.own, ({ dtype, shape, data }) => {
      const [prompts, kvHeads, answers, places, size] = shape;
      const grown = hostTensor(dtype, [prompts, kvHeads, answers, places + OWN_STEP, size]);
      for (let row = 0; row < prompts * kvHeads * answers; row++) {
        const part = (data as Float32Array).subarray(row * places * size, (row + 1) * places * size);
        (grown.data as Float32Array).set(part, row * (places + OWN_STEP) * size);
      }
      return grown;
    });
    this.ownMask = maskedPlaces(this.used + OWN_STEP, this.used);
  }
}

/** So many places, of which the first `used` may be seen. */
function maskedPlaces(places: number, used = 0): HostTensor {
  const data = new Float32Array(places).fill(MASKED).fill(0, 0, used);
  return { dtype: 'f32', shape: [places], data };
}

/** Zero where a prompt has a token, {@link MASKED} behind its end. */
function maskOf({ caches, lengths }: CachedPrompts): HostTensor {
  const capacity = caches[cacheName('keys', 0)].shape[2];
  const data = Float32Array.from({ length: lengths.length * capacity }, (_, i) =>
    i % capacity < lengths[Math.floor(i / capacity)] ? 0 : MASKED,
  );
  return { dtype: 'f32', shape: [lengths.length, 1, 1, capacity], data };
}

/** Some of the `count` equal pieces of a tensor's data. */
function taken(data: HostTensor['data'], count: number, places: readonly number[]): Float32Array {
  const from = data as Float32Array;
  const stride = from.length / count;
  const to = new Float32Array(stride * places.length);
  places.forEach((place, i) => to.set(from.subarray(place * stride, (place + 1) * stride), i * stride));
  return to;
}

const mapValues = (caches: Caches, change: (cache: HostTensor) => HostTensor): Caches =>
  Object.fromEntries(Object.entries(caches).map(([name, cache]) => [name, change(cache)]));
