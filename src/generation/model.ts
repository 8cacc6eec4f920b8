/** @module A checkpoint folder ready to answer: processor, sessions, generation settings. */
import { Adapter } from '../checkpoint/adapter.js';
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { checkBelongTogether } from '../models/qwen2_5_vl/belongs.js';
import { checkTensors, parseConfig, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { type EncodedPrompt, Processor } from '../models/qwen2_5_vl/processor.js';
import { lower, type WeightSource } from '../onnx/lower.js';
import { Session } from '../runtime/session.js';
import { type GeneratedTokens, type GenerationSettings, Generator, type TokenRules } from './generator.js';
import { GrammarCompiler } from './grammar/token-masks.js';
import { cachedTextGraph, visionGraph } from './graphs.js';
import { VisionEncoder } from './vision-encoder.js';

export interface LoadOptions {
  readonly threads?: number;
  /** A PEFT adapter folder, merged into the weights while they are read. */
  readonly adapter?: string;
}

/** Tokens of Qwen's vocabulary that stand for pictures; an answer never holds one (StarsfieldAI/R1-V#91). */
const VISION_TOKENS = [
  '<|vision_start|>',
  '<|vision_end|>',
  '<|vision_pad|>',
  '<|image_pad|>',
  '<|video_pad|>',
];

/** A Qwen2.5-VL checkpoint loaded for inference. */
export class LoadedModel {
  private constructor(
    readonly config: Qwen2_5_VLConfig,
    readonly processor: Processor,
    private readonly generator: Generator,
    private readonly sessions: readonly Session[],
  ) {}

  /** Opens a folder, checks its tensors against its config, and builds both sessions. */
  static async load(folder: string, options: LoadOptions = {}): Promise<LoadedModel> {
    const checkpoint = await Checkpoint.open(folder);
    const adapter = options.adapter === undefined ? undefined : Adapter.open(options.adapter);
    try {
      const config = parseConfig(checkpoint.config);
      checkTensors(checkpoint, config);
      const weights: WeightSource = adapter?.mergedInto(checkpoint) ?? {
        read: (name) => checkpoint.readFloat32(name),
      };
      const processor = await Processor.load(folder);
      checkBelongTogether(processor, config, folder);
      const rules = tokenRules(checkpoint, config, processor);
      return await LoadedModel.fromWeights(config, processor, weights, rules, options);
    } finally {
      adapter?.close();
      checkpoint.close();
    }
  }

  /** The same from weights in memory (a model in training). */
  static async fromWeights(
    config: Qwen2_5_VLConfig,
    processor: Processor,
    weights: WeightSource,
    rules: TokenRules,
    options: LoadOptions = {},
  ): Promise<LoadedModel> {
    const sessions: Session[] = [];
    for (const graph of [visionGraph(config), cachedTextGraph(config)]) {
      const lowered = lower(graph, { fuse: 'inference', weights: 'initializer', source: weights });
      sessions.push(await Session.create(lowered, { threads: options.threads }));
    }
    return new LoadedModel(
      config,
      processor,
      new Generator(
        config,
        new VisionEncoder(config, sessions[0]),
        sessions[1],
        rules,
        new GrammarCompiler(processor.tokenizer, rules.stop),
      ),
      sessions,
    );
  }

  generate(prompts: readonly EncodedPrompt[], settings: GenerationSettings): Promise<GeneratedTokens[]> {
    return this.generator.generate(prompts, settings);
  }

  /** The log-probability of every token of each continuation of a prompt that is computed once. */
  score(
    prompt: EncodedPrompt,
    continuations: readonly (readonly number[])[],
    signal?: AbortSignal,
  ): Promise<number[][]> {
    return this.generator.score(prompt, continuations, signal);
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions) await session.dispose();
  }
}

/** Stop tokens from generation_config.json, else from the config; vision tokens are never generated. */
export function tokenRules(
  checkpoint: Checkpoint,
  config: Qwen2_5_VLConfig,
  processor: Processor,
): TokenRules {
  const generation = checkpoint.readJson('generation_config.json', { optional: true });
  const eos = generation?.eos_token_id ?? config.eosTokenId;
  const stop = (Array.isArray(eos) ? eos : [eos]).filter((id): id is number => typeof id === 'number');
  return {
    stop: new Set(stop),
    suppressed: VISION_TOKENS.flatMap((token) => processor.tokenizer.id(token) ?? []),
    pad: processor.padId,
  };
}
