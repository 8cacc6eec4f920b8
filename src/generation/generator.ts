/** @module Batched generation with a key/value cache: prompts of different lengths, tokens chosen per row. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import type { HostTensor } from '../runtime/session.js';
import { assert, UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import type { GrammarCompiler, TokenMasks } from './grammar/token-masks.js';
import {
  type BatchRow,
  type DecodingBatch,
  type PromptPass,
  RunningBatch,
  type TextRunner,
} from './running-batch.js';
import { cachePrompts, type SharedRunners } from './cached-prompts.js';
import { SharedBatch } from './shared-batch.js';
import {
  chooseToken,
  exponentials,
  largestIds,
  logOfSum,
  logSumExp,
  type SamplingSettings,
} from './sampling.js';

export interface GenerationSettings extends SamplingSettings {
  readonly maxNewTokens: number;
  /** Answers to each prompt, which is computed once; as if it stood so many times in the list. Default 1. */
  readonly n?: number;
  /** Decides every sampled token together with the answer's place in the list. */
  readonly seed?: number | string;
  /** Log-probabilities are those of logits divided by this, as a sampler at that temperature has them. Default 1. */
  readonly logProbTemperature?: number;
  /** Token ids whose log-probability is reported at every step. */
  readonly watch?: readonly number[];
  /** How many of the likeliest tokens are reported at every step. Default 0. */
  readonly topLogProbs?: number;
  /**
   * A regular expression (see `grammar/regex.ts`) that an answer matches as a whole, unless `maxNewTokens` cuts it off.
   * Log-probabilities stay those of the model without it.
   */
  readonly grammar?: string;
  /** Called with every new token, the one that ends an answer left out, and the answer's place in the list. */
  readonly onToken?: (row: number, id: number) => void;
  /** Ends generation between two tokens; what is thrown is its reason. */
  readonly signal?: AbortSignal;
}

/** Ids that end an answer, and ids that are never generated. */
export interface TokenRules {
  readonly stop: ReadonlySet<number>;
  readonly suppressed: readonly number[];
  readonly pad: number;
}

export interface LikelyToken {
  readonly id: number;
  readonly logProb: number;
}

export interface GeneratedTokens {
  /** The new ids, without the one that ended the answer. */
  readonly tokens: readonly number[];
  readonly finishReason: 'stop' | 'length';
  /** The id that ended the answer; null where its length did. */
  readonly stopId: number | null;
  /** Log-softmax of the logits (before the warpers) at each chosen id, the stop token's last where there is one. */
  readonly logProbs: readonly number[];
  /** For each chosen id (the stop token left out), the log-probabilities of the watched ids. */
  readonly watched: readonly Float32Array[];
  /** For each chosen id (the stop token left out), the likeliest tokens of its step, the likeliest first. */
  readonly top: readonly (readonly LikelyToken[])[];
}

/** One row of the running batch. */
interface Row extends BatchRow {
  /** Its place among the answers. */
  readonly place: number;
  readonly random: Random;
  readonly seen: Set<number>;
  readonly tokens: number[];
  readonly logProbs: number[];
  readonly watched: Float32Array[];
  readonly top: LikelyToken[][];
  /** Where the answer stands in the grammar. */
  state: number;
  finishReason: 'stop' | 'length' | null;
  stopId: number | null;
}

interface Prefilled extends PromptPass {
  readonly answersOf: (n: number, rows: Row[]) => DecodingBatch<Row>;
}

/** Tokens of a given continuation that are computed together: their logits take memory. */
const SCORED_AT_ONCE = 64;

/** Gives the merged features of images, one after the other: [tokens, D]. */
export interface ImageEncoder {
  features(images: EncodedPrompt['images']): Promise<HostTensor>;
}

/** Prompts in, answers out, over a cached text model. */
export class Generator {
  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly images: ImageEncoder,
    /** One session for all, which gives each answer a copy of its prompt's cache, or those that copy nothing. */
    private readonly text: TextRunner | SharedRunners,
    private readonly rules: TokenRules,
    private readonly grammars: GrammarCompiler,
  ) {}

  /** The answers to each prompt in the order of the prompts. A row's tokens do not depend on the others. */
  async generate(
    prompts: readonly EncodedPrompt[],
    settings: GenerationSettings,
  ): Promise<GeneratedTokens[]> {
    const { maxNewTokens, n = 1, signal } = settings;
    if (!Number.isInteger(n) || n < 1) throw new UserError(`n must be a whole number from 1, not ${n}.`);
    signal?.throwIfAborted();
    if (prompts.length === 0) return [];
    const masks = settings.grammar === undefined ? null : this.grammars.compile(settings.grammar);
    const longest = Math.max(...prompts.map((prompt) => prompt.inputIds.length));
    this.checkLength(longest, maxNewTokens);
    const { logits, ropeDeltas, answersOf } = await this.prefill(prompts, longest + maxNewTokens);
    const rows = prompts.flatMap((prompt, i) =>
      Array.from({ length: n }, (_, k) => ({
        ...newRow(prompt, i * n + k, settings.seed),
        ropeDelta: ropeDeltas[i],
        state: masks?.start ?? 0,
      })),
    );
    signal?.throwIfAborted();
    for (const row of rows) this.choose(row, logits[Math.floor(row.place / n)], settings, masks);
    const batch = answersOf(n, rows);
    while (rows.some((row) => row.finishReason === null)) {
      batch.compact();
      const next = await batch.decode();
      signal?.throwIfAborted();
      batch.rows.forEach((row, i) => {
        if (row.finishReason === null) this.choose(row, next[i], settings, masks);
      });
    }
    return rows.map(({ tokens, finishReason, stopId, logProbs, watched, top }) => ({
      tokens,
      finishReason: finishReason ?? 'length',
      stopId,
      logProbs,
      watched,
      top,
    }));
  }

  /**
   * The log-probability of every token of each continuation of the prompt, which is computed once. The signal is looked
   * at between two passes.
   */
  async score(
    prompt: EncodedPrompt,
    continuations: readonly (readonly number[])[],
    signal?: AbortSignal,
  ): Promise<number[][]> {
    signal?.throwIfAborted();
    const longest = continuations.reduce((most, { length }) => Math.max(most, length), 0);
    if (longest === 0) return continuations.map(() => []);
    const start = prompt.inputIds.length;
    this.checkLength(start, longest);
    assert('run' in this.text, 'continuations are scored over a copied cache');
    const batch = new RunningBatch(this.config, this.text, start + longest);
    const features = await this.features([prompt]);
    const { logits, ropeDeltas } = await batch.prefill([prompt], features, this.rules.pad);
    const scores: number[][] = [];
    for (const tokens of continuations) {
      const logProbs: number[] = [];
      let before = logits;
      for (let at = 0; at < tokens.length; at += before.length) {
        signal?.throwIfAborted();
        if (at > 0) {
          const fed = tokens.slice(at - 1, Math.min(at - 1 + SCORED_AT_ONCE, tokens.length - 1));
          before = await batch.extend(fed, start + at - 1, ropeDeltas[0]);
        }
        before.forEach((raw, i) => logProbs.push(raw[tokens[at + i]] - logSumExp(raw)));
      }
      scores.push(logProbs);
    }
    return scores;
  }

  private checkLength(promptTokens: number, newTokens: number): void {
    const limit = this.config.text.maxPositionEmbeddings;
    if (promptTokens + newTokens > limit) {
      throw new UserError(
        `The prompt has ${promptTokens} tokens and the answer may have ${newTokens}, together more than the model's ${limit}: shorten the policy, lower --max-pixels or --max-new-tokens.`,
      );
    }
  }

  /** Computes the prompts; `answersOf` gives the rows that go on from them, `n` a prompt. */
  private async prefill(prompts: readonly EncodedPrompt[], capacity: number): Promise<Prefilled> {
    const { config, text, rules } = this;
    const features = await this.features(prompts);
    if ('run' in text) {
      const batch = new RunningBatch<Row>(config, text, capacity);
      const pass = await batch.prefill(prompts, features, rules.pad);
      return { ...pass, answersOf: (n, rows) => batch.expand(n, rows) };
    }
    const { cached, answers, ...pass } = await cachePrompts(config, text, prompts, {
      pad: rules.pad,
      features,
    });
    return { ...pass, answersOf: (_, rows) => new SharedBatch(config, answers, cached, rows) };
  }

  private async features(prompts: readonly EncodedPrompt[]): Promise<HostTensor | null> {
    const images = prompts.flatMap((prompt) => prompt.images);
    return images.length > 0 ? this.images.features(images) : null;
  }

  /** Chooses a row's next token and decides whether the row ends with it. */
  private choose(row: Row, raw: Float32Array, settings: GenerationSettings, masks: TokenMasks | null): void {
    const logits = raw.slice();
    for (const id of this.rules.suppressed) logits[id] = -Infinity;
    masks?.restrict(row.state, logits);
    const { temperature, logProbTemperature = 1 } = settings;
    const scaled = logProbTemperature === 1 ? raw : raw.map((logit) => logit / logProbTemperature);
    const known = temperature === logProbTemperature ? exponentials(scaled) : undefined;
    const id = chooseToken(logits, settings, row.seen, row.random, known);
    assert(logits[id] > -Infinity, `token ${id} was chosen though it is not allowed`);
    const normalizer = known === undefined ? logSumExp(scaled) : logOfSum(known);
    row.logProbs.push(scaled[id] - normalizer);
    if (this.rules.stop.has(id)) {
      row.finishReason = 'stop';
      row.stopId = id;
      return;
    }
    if (masks !== null) row.state = masks.next(row.state, id);
    row.watched.push(Float32Array.from(settings.watch ?? [], (watched) => scaled[watched] - normalizer));
    row.top.push(
      largestIds(scaled, settings.topLogProbs ?? 0).map((top) => ({
        id: top,
        logProb: scaled[top] - normalizer,
      })),
    );
    row.tokens.push(id);
    row.seen.add(id);
    if (row.tokens.length >= settings.maxNewTokens) row.finishReason = 'length';
    settings.onToken?.(row.place, id);
  }
}

function newRow(
  prompt: EncodedPrompt,
  place: number,
  seed: number | string = 0,
): Omit<Row, 'ropeDelta' | 'state'> {
  return {
    place,
    random: new Random(`${seed}/sample/${place}`),
    seen: new Set(prompt.inputIds),
    tokens: [],
    logProbs: [],
    watched: [],
    top: [],
    length: prompt.inputIds.length,
    finishReason: null,
    stopId: null,
  };
}
