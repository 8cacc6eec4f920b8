/** @module Completions sampled from the weights as they are now: sessions take the weights as feeds, so updates reach them. */
import { GrammarCompiler } from '../../generation/grammar/token-masks.js';
import { type ImageEncoder, Generator, type TokenRules } from '../../generation/generator.js';
import { cachedTextGraph } from '../../generation/graphs.js';
import { sharedPromptGraph } from '../../generation/shared-prompt-graph.js';
import type { Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import type { EncodedPrompt, Processor } from '../../models/qwen2_5_vl/processor.js';
import { LoraGraph, type LoraSettings } from '../../nn/lora.js';
import { lower } from '../../onnx/lower.js';
import { type HostTensor, type HostTensors, Session } from '../../runtime/session.js';
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
    private readonly sessions: readonly WeightedSession[],
    private readonly generator: Generator,
  ) {}

  static async create({
    config,
    processor,
    weights,
    images,
    rules,
    threads,
    lora,
  }: RolloutParts): Promise<Rollout> {
    const runnerOf = async (graph: typeof cachedTextGraph): Promise<WeightedSession> => {
      const model = lower(graph(config, lora && new LoraGraph(lora)), {
        fuse: 'inference',
        weights: 'input',
      });
      return new WeightedSession(await Session.create(model, { threads }), weights);
    };
    const sessions = [await runnerOf(cachedTextGraph), await runnerOf(sharedPromptGraph)];
    const generator = new Generator(
      config,
      images,
      sessions[0],
      rules,
      new GrammarCompiler(processor.tokenizer, rules.stop),
      sessions[1],
    );
    return new Rollout(processor, sessions, generator);
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

  async dispose(): Promise<void> {
    for (const session of this.sessions) await session.dispose();
  }
}

/** A session that is fed the weights, as they are, at every run. */
class WeightedSession {
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
