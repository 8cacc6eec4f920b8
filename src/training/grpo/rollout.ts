/** @module Completions sampled from the weights as they are now: sessions take the weights as feeds, so updates reach them. */
import { GrammarCompiler } from '../../generation/grammar/token-masks.js';
import { type ImageEncoder, Generator, type TokenRules } from '../../generation/generator.js';
import { cachedTextGraph } from '../../generation/graphs.js';
import type { Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import type { EncodedPrompt, Processor } from '../../models/qwen2_5_vl/processor.js';
import { LoraGraph, type LoraSettings } from '../../nn/lora.js';
import { lower } from '../../onnx/lower.js';
import { type HostTensor, Session } from '../../runtime/session.js';
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
    private readonly session: Session,
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
    const model = lower(cachedTextGraph(config, lora && new LoraGraph(lora)), {
      fuse: 'inference',
      weights: 'input',
    });
    const session = await Session.create(model, { threads });
    const fed: Record<string, HostTensor> = {};
    for (const name of session.inputNames) {
      const weight = weights.get(name);
      if (weight !== undefined) fed[name] = weight;
    }
    const generator = new Generator(
      config,
      images,
      { run: (feeds, fetches) => session.run({ ...feeds, ...fed }, fetches) },
      rules,
      new GrammarCompiler(processor.tokenizer, rules.stop),
    );
    return new Rollout(processor, session, generator);
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
    await this.session.dispose();
  }
}
