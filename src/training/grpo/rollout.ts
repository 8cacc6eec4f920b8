/**
 * @module Completions sampled from the weights as they are now. Prompts are computed by a session that is fed the weights, so
 * that updates reach it; the many steps of decoding by one that has them built in, made again after an update.
 */
import { GrammarCompiler } from '../../generation/grammar/token-masks.js';
import { type ImageEncoder, Generator, type TokenRules } from '../../generation/generator.js';
import { promptGraph } from '../../generation/prompt-graph.js';
import type { TextRunner } from '../../generation/running-batch.js';
import type { SharedRunners } from '../../generation/cached-prompts.js';
import { sharedPromptGraph } from '../../generation/shared-prompt-graph.js';
import type { Tensor } from '../../graph/node.js';
import type { Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import type { EncodedPrompt, Processor } from '../../models/qwen2_5_vl/processor.js';
import { LoraGraph, type LoraSettings } from '../../nn/lora.js';
import { lower, type LoweredModel } from '../../onnx/lower.js';
import { weightRoom } from '../../runtime/external-weights.js';
import { type HostTensor, type HostTensors, Session } from '../../runtime/session.js';
import { assert } from '../../util/errors.js';
import type { ModelWeights } from '../weights.js';

export interface Completion {
  /** With the token that ended it. */
  readonly tokens: readonly number[];
  readonly text: string;
  /** Cut off at the most tokens a completion may have. */
  readonly truncated: boolean;
  /** Of each token under the sampler, at its temperature, over the whole vocabulary. */
  readonly logProbs: readonly number[];
}

export interface RolloutSettings {
  readonly maxNewTokens: number;
  /** Completions of each prompt. */
  readonly n: number;
  /** Absent for greedy answers. */
  readonly sampling?: {
    readonly seed: string;
    readonly temperature: number;
    readonly topP: number;
    readonly topK: number;
  };
  readonly signal?: AbortSignal;
}

export interface RolloutParts {
  readonly config: Qwen2_5_VLConfig;
  readonly processor: Processor;
  readonly weights: ModelWeights;
  readonly images: ImageEncoder;
  readonly rules: TokenRules;
  readonly threads?: number;
  readonly lora?: LoraSettings;
}

export class Rollout {
  private constructor(
    private readonly processor: Processor,
    private readonly runners: RolloutRunners,
    private readonly generator: Generator,
  ) {}

  static create({ config, processor, weights, images, rules, threads, lora }: RolloutParts): Rollout {
    const runners = new RolloutRunners(config, weights, threads, lora && new LoraGraph(lora));
    const grammars = new GrammarCompiler(processor.tokenizer, rules.stop);
    return new Rollout(processor, runners, new Generator(config, images, runners, rules, grammars));
  }

  /** To be called after every update: completions are then those of the weights as they have become. */
  weightsChanged(): Promise<void> {
    return this.runners.weightsChanged();
  }

  /** `n` completions of each prompt, in their order; prompts are computed once. */
  async complete(
    prompts: readonly EncodedPrompt[],
    { maxNewTokens, n, sampling, signal }: RolloutSettings,
  ): Promise<Completion[][]> {
    const answers = await this.generator.generate(prompts, {
      maxNewTokens,
      n,
      signal,
      ...(sampling === undefined ? {} : { ...sampling, logProbTemperature: sampling.temperature }),
    });
    const completions = answers.map(({ tokens, stopId, logProbs }) => ({
      tokens: stopId === null ? tokens : [...tokens, stopId],
      text: this.processor.tokenizer.decode(tokens, { skipSpecialTokens: true }),
      truncated: stopId === null,
      logProbs,
    }));
    return prompts.map((_, i) => completions.slice(i * n, (i + 1) * n));
  }

  dispose(): Promise<void> {
    return this.runners.dispose();
  }
}

/** Made as they are needed: one session for long prompts and one for short ones, and one for answers. */
class RolloutRunners implements SharedRunners {
  private readonly ofPrompts = new Map<number, FedSession>();
  private readonly ofAnswers: BuiltInSession;

  constructor(
    private readonly config: Qwen2_5_VLConfig,
    private readonly weights: ModelWeights,
    private readonly threads: number | undefined,
    private readonly lowRank: LoraGraph | undefined,
  ) {
    this.ofAnswers = new BuiltInSession(sharedPromptGraph(config, lowRank), weights, threads);
  }

  async prompts(pieces: number): Promise<TextRunner> {
    const known = this.ofPrompts.get(pieces);
    if (known !== undefined) return known;
    const graph = promptGraph(this.config, pieces, this.lowRank);
    const model = lower(graph, { fuse: 'inference', weights: 'input' });
    const made = new FedSession(await Session.create(model, { threads: this.threads }), this.weights);
    this.ofPrompts.set(pieces, made);
    return made;
  }

  answers(): Promise<TextRunner> {
    return this.ofAnswers.current();
  }

  /** Lets go of what has the weights built in. */
  weightsChanged(): Promise<void> {
    return this.ofAnswers.dispose();
  }

  async dispose(): Promise<void> {
    await this.ofAnswers.dispose();
    for (const session of this.ofPrompts.values()) await session.dispose();
    this.ofPrompts.clear();
  }
}

/** A session that is fed the weights, as they are, at every run. */
class FedSession implements TextRunner {
  private readonly fed: Record<string, HostTensor> = {};

  constructor(
    private readonly session: Session,
    weights: ModelWeights,
  ) {
    for (const name of session.inputNames) {
      const weight = weights.get(name);
      if (weight !== undefined) this.fed[name] = weight;
    }
  }

  run(feeds: HostTensors, fetches: HostTensors): Promise<Record<string, HostTensor>> {
    return this.session.run({ ...feeds, ...this.fed }, fetches);
  }

  dispose(): Promise<void> {
    return this.session.dispose();
  }
}

/**
 * A session with the weights as they were when it was made: ONNX Runtime then packs them once, not at every token. Once
 * disposed of, the next is made when it is asked for.
 */
class BuiltInSession {
  private readonly model: LoweredModel;
  /** Kept: taking fresh memory costs more than filling it. */
  private room: Uint8Array | undefined;
  private session: Promise<Session> | null = null;

  constructor(
    graph: Record<string, Tensor>,
    weights: ModelWeights,
    private readonly threads: number | undefined,
  ) {
    const read = (name: string): Float32Array => {
      const weight = weights.get(name);
      assert(weight !== undefined, `the graph uses the weight '${name}', which the model does not have`);
      return weight.data;
    };
    // Beside the model, whose bytes then stay the same.
    this.model = lower(graph, {
      fuse: 'inference',
      weights: 'initializer',
      source: { read },
      externalThreshold: 0,
    });
  }

  current(): Promise<Session> {
    const { model, threads } = this;
    this.room ??= model.external && weightRoom(model.external);
    this.session ??= Session.create(model, { threads, weightRoom: this.room });
    return this.session;
  }

  async dispose(): Promise<void> {
    const made = this.session;
    this.session = null;
    await (await made)?.dispose();
  }
}
