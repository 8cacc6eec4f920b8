/** @module A model, its data and its optimizer, between two steps of supervised fine-tuning. */
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { resolveModel, type ResolveOptions } from '../checkpoint/hub/index.js';
import { checkBelongTogether } from '../models/qwen2_5_vl/belongs.js';
import { checkTensors, parseConfig } from '../models/qwen2_5_vl/config.js';
import { Processor } from '../models/qwen2_5_vl/processor.js';
import { isLoraName } from '../nn/lora.js';
import { AdamW, clipFactor, gradientNorm, type OptimizedParameter } from '../optim/adamw.js';
import { type Schedule, scheduleFactor } from '../optim/schedules.js';
import { UserError } from '../util/errors.js';
import { AnswersObjective, type ObjectiveParts } from './answers-objective.js';
import { CellsObjective } from './cells-objective.js';
import type { SftConfig } from './config.js';
import type { SampleSource } from './examples.js';
import { HeldOutLoss } from './held-out-loss.js';
import { FrozenVision } from './image-features.js';
import { adapterStore, loraSettings, withLora } from './lora.js';
import { type HeldOutOutcome, type StepOutcome, TaskLosses } from './metrics.js';
import type { Objective, ObjectiveBatch } from './objective.js';
import type { ModelStore } from './run-folder.js';
import { StepSession } from './step-session.js';
import { isVision, trainableNames } from './trainable.js';
import { groupSettings, type ModelWeights, optimizedParameters, readWeights } from './weights.js';

/** What a trainer is made of. */
interface Parts {
  readonly config: SftConfig;
  /** The checkpoint folder that training starts from. */
  readonly folder: string;
  readonly weights: ModelWeights;
  readonly optimized: readonly OptimizedParameter[];
  readonly objective: Objective;
  readonly store: ModelStore | undefined;
  /** Null where nothing is held out. */
  readonly heldOut: HeldOutLoss | null;
  readonly closeVision: () => Promise<void>;
}

export class SftTrainer {
  readonly folder: string;
  readonly weights: ModelWeights;
  readonly optimized: readonly OptimizedParameter[];
  /** Where an adapter is kept; absent where the model itself is trained. */
  readonly store: ModelStore | undefined;
  private readonly byName: ReadonlyMap<string, OptimizedParameter>;
  private readonly optimizer: AdamW;
  private readonly sessions = new Map<string, StepSession>();
  private readonly buffers = new Map<string, Float32Array>();
  private prepared: { step: number; batches: Promise<ObjectiveBatch[]> } | undefined;

  private constructor(private readonly parts: Parts) {
    this.folder = parts.folder;
    this.weights = parts.weights;
    this.optimized = parts.optimized;
    this.store = parts.store;
    this.byName = new Map(parts.optimized.map((parameter) => [parameter.name, parameter]));
    this.optimizer = new AdamW(parts.optimized);
  }

  /** Loads the model, fetching it first where it is the hub's. A UserError for a folder that cannot be trained from or settings that do not fit it. */
  static async create(
    config: SftConfig,
    source: SampleSource,
    onProgress?: ResolveOptions['onProgress'],
  ): Promise<SftTrainer> {
    const checkpoint = await Checkpoint.open(await resolveModel(config.model, { onProgress }));
    const { folder } = checkpoint;
    const model = parseConfig(checkpoint.config);
    checkTensors(checkpoint, model);
    const base = readWeights(checkpoint, model);
    checkpoint.close();
    const lora = config.lora && loraSettings(config.lora, base);
    const weights = lora === undefined ? base : withLora(base, lora, config.seed);
    const names =
      lora === undefined ? trainableNames(weights.keys(), config) : [...weights.keys()].filter(isLoraName);
    const processor = await Processor.load(folder);
    checkBelongTogether(processor, model, folder);
    const optimized = optimizedParameters(weights, names, groupSettings(config));
    const trained = new Set(names);
    let tower: Promise<FrozenVision> | undefined;
    const vision = (): Promise<FrozenVision> => {
      tower ??= FrozenVision.create(model, weights, {
        threads: config.threads,
        cacheMegabytes: config.image_cache_mb,
      });
      return tower;
    };
    const parts: ObjectiveParts = {
      config,
      source,
      model,
      processor,
      weights,
      lora,
      trainable: (name) => trained.has(name),
      images: names.some(isVision) ? 'tower' : 'features',
      vision,
    };
    const store = config.lora && adapterStore(weights, config.lora, config.model);
    return new SftTrainer({
      config,
      folder,
      weights,
      optimized,
      store,
      objective: objectiveOf(parts),
      heldOut: await HeldOutLoss.create(parts, objectiveOf),
      closeVision: async () => (await tower)?.dispose(),
    });
  }

  /** Step `step` (from 0). The next step's batch is prepared while this one computes. */
  async step(step: number): Promise<StepOutcome> {
    const { config } = this.parts;
    const batches = await this.batchesOf(step);
    if (step + 1 < config.steps) this.prepareAhead(step + 1);
    for (const { gradient } of this.optimized) gradient.fill(0);
    const byTask = new TaskLosses();
    let loss = 0;
    for (const [i, batch] of batches.entries()) {
      const session = await this.sessionFor(batch);
      const feeds = await this.parts.objective.feeds(batch, `${step}/${i}`);
      const part = await session.accumulate(feeds, this.byName, { first: i === 0 });
      loss += part.loss;
      byTask.add(batch, part.logProbs);
    }
    const gradNorm = gradientNorm(this.optimized.map(({ gradient }) => gradient));
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      throw new UserError(
        `Step ${step + 1} gave a loss of ${loss} and a gradient norm of ${gradNorm}: ` +
          'lower optimizer.lr, and give the last checkpoint as model and a new output folder to go on from it.',
      );
    }
    const factor = scheduleFactor(scheduleOf(config), step);
    this.optimizer.update(step + 1, factor, clipFactor(gradNorm, config.optimizer.max_grad_norm));
    return {
      loss,
      gradNorm,
      lr: config.optimizer.lr * factor,
      tokens: batches.reduce((sum, { tokens }) => sum + tokens, 0),
      paddedTokens: batches.reduce((sum, { paddedTokens }) => sum + paddedTokens, 0),
      lossByTask: byTask.means(),
    };
  }

  /** The loss on what is held out, after `step` steps; null where none is due. Changes nothing of the run. */
  async evaluate(step: number): Promise<HeldOutOutcome | null> {
    const { config, heldOut } = this.parts;
    if (heldOut === null || config.evaluation === undefined) return null;
    const due = step % config.evaluation.every_steps === 0 || step === config.steps;
    return due ? heldOut.measure() : null;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.dispose();
    this.sessions.clear();
    await this.parts.heldOut?.dispose();
    await this.parts.objective.dispose();
    await this.parts.closeVision();
  }

  private batchesOf(step: number): Promise<ObjectiveBatch[]> {
    return this.prepared?.step === step ? this.prepared.batches : this.parts.objective.batches(step);
  }

  private prepareAhead(step: number): void {
    const batches = this.parts.objective.batches(step);
    // A failed preparation is reported when its step begins, not before.
    batches.catch(() => undefined);
    this.prepared = { step, batches };
  }

  private async sessionFor(batch: ObjectiveBatch): Promise<StepSession> {
    const { objective, config } = this.parts;
    const key = objective.graphKey(batch);
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const made = await StepSession.create(objective.graph(batch), this.weights, {
      threads: config.threads,
      buffers: this.buffers,
    });
    this.sessions.set(key, made);
    return made;
  }
}

function objectiveOf(parts: ObjectiveParts): Objective {
  const { objective = 'answers' } = parts.config;
  if (objective === 'answers') return new AnswersObjective(parts);
  const { vocabulary } = parts.source;
  if (vocabulary === undefined)
    throw new UserError('The objective cells needs data with marks: data.source iconworld has them.');
  if (parts.images !== 'tower' || parts.lora !== undefined)
    throw new UserError('The objective cells trains the tower: set vision: trained, and leave lora out.');
  return new CellsObjective(parts, vocabulary);
}

function scheduleOf({ schedule, steps }: SftConfig): Schedule {
  return {
    kind: schedule.kind,
    warmupSteps: schedule.warmup_steps,
    minRatio: schedule.min_ratio,
    totalSteps: steps,
  };
}
