/** @module A policy in training: what it samples, what that earns, and what is learned from it, between two steps. */
import { Checkpoint } from '../../checkpoint/checkpoint.js';
import { resolveModel, type ResolveOptions } from '../../checkpoint/hub/index.js';
import { tokenRules } from '../../generation/model.js';
import type { GuardProfile } from '../../guard/profile.js';
import { checkBelongTogether } from '../../models/qwen2_5_vl/belongs.js';
import { checkTensors, parseConfig, type Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import { Processor } from '../../models/qwen2_5_vl/processor.js';
import { AdamW, clipFactor, gradientNorm, type OptimizedParameter } from '../../optim/adamw.js';
import { scheduleFactor } from '../../optim/schedules.js';
import { isLoraName, type LoraSettings } from '../../nn/lora.js';
import { assert } from '../../util/errors.js';
import { promptMessages } from '../examples.js';
import { FrozenVision } from '../image-features.js';
import { advantagesOf } from '../rewards/advantages.js';
import { CompletionReader } from '../rewards/guard-rewards.js';
import type { RewardTable } from '../rewards/table.js';
import { adapterStore, loraSettings, withLora } from '../lora.js';
import type { ModelStore } from '../run-folder.js';
import { isVision, trainableNames } from '../trainable.js';
import { groupSettings, type ModelWeights, optimizedParameters, readWeights } from '../weights.js';
import type { GrpoConfig } from './config.js';
import { type AdvantagedGroup, type Group, hasSpread } from './groups.js';
import { tokenWeights } from './loss.js';
import type { GrpoPrompt, PromptSource } from './prompts.js';
import { type Completion, Rollout } from './rollout.js';
import { noSums, Updater, type UpdateSums } from './update.js';

/** What one step gathered before anything was learned. */
export interface Gathered {
  /** All groups in the order of their prompts, those without spread too. */
  readonly groups: readonly Group[];
  /** Those that are learned from. */
  readonly learned: readonly AdvantagedGroup[];
  /** Prompts taken from the stream. */
  readonly drawn: number;
  /** Groups drawn in place of others. */
  readonly replaced: number;
  /** Share of the first drawn groups without spread. */
  readonly zeroSpread: number;
}

export interface UpdateOutcome {
  readonly loss: number;
  readonly gradNorm: number;
  readonly lr: number;
  /** Optimizer updates made. */
  readonly updates: number;
  readonly sums: UpdateSums;
}

interface Parts {
  readonly config: GrpoConfig;
  readonly source: PromptSource;
  readonly rewards: RewardTable;
  readonly profile: GuardProfile;
  /** The checkpoint folder that training starts from. */
  readonly folder: string;
  readonly model: Qwen2_5_VLConfig;
  readonly processor: Processor;
  readonly weights: ModelWeights;
  readonly reference: ModelWeights | null;
  readonly optimized: readonly OptimizedParameter[];
  readonly rollout: Rollout;
  readonly vision: FrozenVision;
  readonly lora: LoraSettings | undefined;
}

export interface GrpoTrainerOptions {
  readonly source: PromptSource;
  readonly rewards: RewardTable;
  readonly profile: GuardProfile;
  readonly onDownload?: ResolveOptions['onProgress'];
}

export class GrpoTrainer {
  private readonly optimizer: AdamW;
  private readonly reader: CompletionReader;
  private readonly updater: Updater;

  private constructor(private readonly parts: Parts) {
    const { config, model, processor, weights, reference, optimized, vision } = parts;
    const trainsTower = optimized.some(({ name }) => isVision(name));
    this.optimizer = new AdamW(optimized);
    this.reader = new CompletionReader(parts.profile);
    this.updater = new Updater({
      config,
      model,
      padId: processor.padId,
      weights,
      reference,
      optimized: new Map(optimized.map((parameter) => [parameter.name, parameter])),
      lora: parts.lora,
      features: trainsTower ? null : (images) => vision.features(images),
    });
  }

  /** Loads the model, fetching it first where it is the hub's. A UserError for a folder that cannot be trained from or settings that do not fit it. */
  static async create(
    config: GrpoConfig,
    { source, rewards, profile, onDownload: onProgress }: GrpoTrainerOptions,
  ): Promise<GrpoTrainer> {
    const checkpoint = await Checkpoint.open(await resolveModel(config.model, { onProgress }));
    const { folder } = checkpoint;
    const model = parseConfig(checkpoint.config);
    checkTensors(checkpoint, model);
    const base = readWeights(checkpoint, model);
    const lora = config.lora && loraSettings(config.lora, base);
    const weights = lora === undefined ? base : withLora(base, lora, config.seed);
    const names =
      lora === undefined ? trainableNames(weights.keys(), config) : [...weights.keys()].filter(isLoraName);
    const processor = await Processor.load(folder);
    checkBelongTogether(processor, model, folder);
    const rules = tokenRules(checkpoint, model, processor);
    checkpoint.close();
    const optimized = optimizedParameters(weights, names, groupSettings(config));
    const vision = await FrozenVision.create(model, weights, {
      threads: config.threads,
      // What is kept would be out of date after an update of the tower.
      cacheMegabytes: optimized.some(({ name }) => isVision(name)) ? 0 : config.image_cache_mb,
    });
    const rollout = Rollout.create({
      config: model,
      processor,
      weights,
      images: vision,
      rules,
      threads: config.threads,
      lora,
    });
    // An adapter leaves its base as it was.
    const reference = config.beta === 0 ? null : lora === undefined ? copyOf(weights) : base;
    return new GrpoTrainer({
      config,
      source,
      rewards,
      profile,
      folder,
      model,
      processor,
      weights,
      reference,
      optimized,
      rollout,
      vision,
      lora,
    });
  }

  get folder(): string {
    return this.parts.folder;
  }

  /** Where an adapter is kept; absent where the model itself is trained. */
  get store(): ModelStore | undefined {
    const { config, weights } = this.parts;
    return config.lora && adapterStore(weights, config.lora, config.model);
  }

  get weights(): ModelWeights {
    return this.parts.weights;
  }

  get optimized(): readonly OptimizedParameter[] {
    return this.parts.optimized;
  }

  /**
   * Samples and rewards the groups of one step, from the prompt numbered `first` on. With dynamic sampling groups whose
   * completions all earned the same give way to later prompts (DAPO, arXiv 2503.14476 section 3.2).
   */
  async gather(step: number, first: number, signal?: AbortSignal): Promise<Gathered> {
    const { config } = this.parts;
    let next = first;
    const groups: Group[] = [];
    let missing = config.prompts_per_step;
    let zeroSpread = 0;
    for (let round = 0; round <= config.dynamic_sampling && missing > 0; round++) {
      const drawn = await this.rewarded(step, next, missing, signal);
      next += missing;
      groups.push(...drawn);
      const silent = drawn.filter((group) => !hasSpread(group)).length;
      if (round === 0) zeroSpread = silent / drawn.length;
      missing = silent;
    }
    const kept = config.dynamic_sampling > 0 ? groups.filter(hasSpread) : groups;
    return {
      groups,
      learned: advantaged(kept, config),
      drawn: next - first,
      replaced: groups.length - config.prompts_per_step,
      zeroSpread,
    };
  }

  /** Learns from groups; `updates` optimizer updates were made before. */
  async update(learned: readonly AdvantagedGroup[], updates: number): Promise<UpdateOutcome> {
    const { config, optimized, rollout } = this.parts;
    const sums = noSums();
    let gradNorm = 0;
    let lr = 0;
    let done = 0;
    // Fewer groups than parts leave the last parts empty.
    const parts = partsOf(learned, config.batches).filter((part) => part.length > 0);
    const generation = learned.flatMap((group) => this.weighed(group));
    for (let iteration = 0; iteration < config.num_iterations; iteration++) {
      for (const part of parts) {
        for (const { gradient } of optimized) gradient.fill(0);
        const weights = tokenWeights(
          part.flatMap((group) => this.weighed(group)),
          generation,
          parts.length,
          config,
        );
        let at = 0;
        const weighted = part.map((group) => {
          at += group.completions.length;
          return { group, weights: weights.slice(at - group.completions.length, at) };
        });
        // Groups of like length share a pass, so that little is padding.
        weighted.sort(
          (a, b) => lengthOf(a.group) - lengthOf(b.group) || a.group.prompt.index - b.group.prompt.index,
        );
        for (let i = 0; i < weighted.length; i += config.micro_groups) {
          const micro = weighted.slice(i, i + config.micro_groups);
          await this.updater.accumulate(
            micro.map(({ group }) => group),
            micro.map((one) => one.weights),
            sums,
            { first: i === 0 },
          );
        }
        gradNorm = gradientNorm(optimized.map(({ gradient }) => gradient));
        const factor = scheduleFactor(
          {
            kind: config.schedule.kind,
            warmupSteps: config.schedule.warmup_steps,
            minRatio: config.schedule.min_ratio,
            totalSteps: config.steps * config.num_iterations * config.batches,
          },
          updates + done,
        );
        lr = config.optimizer.lr * factor;
        done++;
        if (!Number.isFinite(gradNorm) || !Number.isFinite(sums.loss)) break;
        this.optimizer.update(updates + done, factor, clipFactor(gradNorm, config.optimizer.max_grad_norm));
      }
    }
    await rollout.weightsChanged();
    return { loss: sums.loss / Math.max(1, done), gradNorm, lr, updates: done, sums };
  }

  /** How far blanking the pictures moves any log-probability of a group; null where it has none. */
  async imageEffect(group: AdvantagedGroup): Promise<number | null> {
    if (group.encoded.images.length === 0) return null;
    const seen = await this.updater.score([group]);
    const blank = await this.updater.score([group], { blank: true });
    return seen.reduce((most, logProb, i) => Math.max(most, Math.abs(logProb - blank[i])), 0);
  }

  /** Greedy answers with their rewards, in pieces as large as a step's. */
  async evaluate(prompts: readonly GrpoPrompt[], signal?: AbortSignal): Promise<Group[]> {
    const { config, rollout } = this.parts;
    const atOnce = config.prompts_per_step * config.num_generations;
    const out: Group[] = [];
    for (let i = 0; i < prompts.length; i += atOnce) {
      const some = prompts.slice(i, i + atOnce);
      const encoded = some.map((prompt) => this.encoded(prompt));
      const settings = { maxNewTokens: config.max_completion_length, n: 1, signal };
      out.push(...(await this.earn(some, encoded, await rollout.complete(encoded, settings))));
    }
    return out;
  }

  async dispose(): Promise<void> {
    await this.updater.dispose();
    await this.parts.rollout.dispose();
    await this.parts.vision.dispose();
  }

  private async rewarded(step: number, first: number, count: number, signal?: AbortSignal): Promise<Group[]> {
    const { config, source, rollout } = this.parts;
    const prompts: GrpoPrompt[] = [];
    for (let i = 0; i < count; i++) prompts.push(await source.prompt(first + i));
    const encoded = prompts.map((prompt) => this.encoded(prompt));
    const completions = await rollout.complete(encoded, {
      maxNewTokens: config.max_completion_length,
      n: config.num_generations,
      sampling: {
        seed: `${config.seed}/grpo/${step}/${first}`,
        temperature: config.temperature,
        topP: config.top_p,
        topK: config.top_k,
      },
      signal,
    });
    return this.earn(prompts, encoded, completions);
  }

  private encoded(prompt: GrpoPrompt): Group['encoded'] {
    return this.parts.processor.encodeChat(promptMessages(prompt));
  }

  /** Rewards of whole batches: pair rewards compare prompts. */
  private async earn(
    prompts: readonly GrpoPrompt[],
    encoded: readonly Group['encoded'][],
    completions: readonly (readonly Completion[])[],
  ): Promise<Group[]> {
    const { rewards } = this.parts;
    const { reader } = this;
    const flat = completions.flatMap((of, i) => of.map((completion) => ({ completion, prompt: prompts[i] })));
    const { byFunction, totals } = await rewards.score(
      flat.map(({ completion: { text, tokens, truncated }, prompt: { prompt, sample } }) => ({
        prompt,
        completion: text,
        tokens: tokens.length,
        truncated,
        sample,
      })),
    );
    let at = 0;
    return prompts.map((prompt, i) => {
      return {
        prompt,
        encoded: encoded[i],
        completions: completions[i].map((completion) => {
          const place = at++;
          return {
            ...completion,
            read: reader.read({ ...prompt, completion: completion.text }).label,
            rewards: Object.fromEntries(
              Object.entries(byFunction).map(([name, values]) => [name, values[place]]),
            ),
            reward: totals[place],
          };
        }),
      };
    });
  }

  private weighed({ completions }: Group): { length: number; masked: boolean }[] {
    const { mask_truncated_completions: masks } = this.parts.config;
    return completions.map(({ tokens, truncated }) => ({
      length: tokens.length,
      masked: masks && truncated,
    }));
  }
}

const lengthOf = ({ encoded, completions }: Group): number =>
  encoded.inputIds.length + completions.reduce((sum, { tokens }) => sum + tokens.length, 0);

/** Cuts a list into so many parts of nearly equal length. */
function partsOf<T>(list: readonly T[], parts: number): T[][] {
  const size = Math.ceil(list.length / parts);
  return Array.from({ length: parts }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function copyOf(weights: ModelWeights): ModelWeights {
  return new Map(
    [...weights]
      .filter(([name]) => !isVision(name))
      .map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data: data.slice() }]),
  );
}

function advantaged(groups: readonly Group[], config: GrpoConfig): AdvantagedGroup[] {
  if (groups.length === 0) return [];
  const completions = groups.flatMap((group) => group.completions);
  const columns = Object.fromEntries(
    Object.keys(config.rewards).map((name) => [name, completions.map(({ rewards }) => rewards[name])]),
  );
  const { advantages } = advantagesOf(columns, config.rewards, {
    numGenerations: config.num_generations,
    scale: config.scale_rewards,
    aggregation: config.multi_objective_aggregation,
  });
  assert(advantages.length === completions.length, 'every completion has an advantage');
  return groups.map((group, i) => ({
    ...group,
    advantages: advantages.slice(i * config.num_generations, (i + 1) * config.num_generations),
  }));
}
