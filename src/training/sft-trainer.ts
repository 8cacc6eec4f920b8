/** @module A model, its data and its optimizer, between two steps of supervised fine-tuning. */
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { checkTensors, parseConfig, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { Processor } from '../models/qwen2_5_vl/processor.js';
import { AdamW, clipFactor, gradientNorm, type OptimizedParameter } from '../optim/adamw.js';
import { type Schedule, scheduleFactor } from '../optim/schedules.js';
import { isLoraName, type LoraSettings } from '../nn/lora.js';
import { UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import { answerTokens, collateExamples, type MicroBatch, microBatches } from './batches.js';
import { layersBetweenStates, type SftConfig } from './config.js';
import { encodeSample, type SampleSource, type TrainingExample } from './examples.js';
import { FrozenVision } from './image-features.js';
import { adapterStore, loraSettings, withLora } from './lora.js';
import { type StepOutcome, TaskLosses } from './metrics.js';
import { type ImagePath, sftGraph } from './sft-graph.js';
import type { ModelStore } from './run-folder.js';
import { StepSession } from './step-session.js';
import { isVision, trainableNames } from './trainable.js';
import { type ModelWeights, optimizedParameters, readWeights } from './weights.js';

/** What a trainer is made of. */
interface Parts {
  readonly config: SftConfig;
  readonly source: SampleSource;
  /** The checkpoint folder that training starts from. */
  readonly folder: string;
  readonly model: Qwen2_5_VLConfig;
  readonly processor: Processor;
  readonly weights: ModelWeights;
  readonly optimized: readonly OptimizedParameter[];
  readonly lora: LoraSettings | undefined;
}

export class SftTrainer {
  readonly folder: string;
  readonly weights: ModelWeights;
  readonly optimized: readonly OptimizedParameter[];
  /** Where an adapter is kept; absent where the model itself is trained. */
  readonly store: ModelStore | undefined;
  private readonly byName: ReadonlyMap<string, OptimizedParameter>;
  private readonly optimizer: AdamW;
  /** Where the image features come from: a tower of which nothing is trained needs no gradients. */
  private readonly images: 'tower' | 'features';
  private readonly sessions = new Map<string, StepSession>();
  private readonly buffers = new Map<string, Float32Array>();
  private vision: FrozenVision | undefined;
  private prepared: { step: number; batches: Promise<MicroBatch[]> } | undefined;

  private constructor(private readonly parts: Parts) {
    this.folder = parts.folder;
    this.weights = parts.weights;
    this.optimized = parts.optimized;
    const { lora } = parts.config;
    this.store = lora && adapterStore(parts.weights, lora, parts.config.model);
    this.byName = new Map(parts.optimized.map((parameter) => [parameter.name, parameter]));
    this.optimizer = new AdamW(parts.optimized);
    this.images = parts.optimized.some(({ name }) => isVision(name)) ? 'tower' : 'features';
  }

  /** Loads the model. A UserError for a folder that cannot be trained from or settings that do not fit it. */
  static async create(config: SftConfig, source: SampleSource): Promise<SftTrainer> {
    const checkpoint = await Checkpoint.open(config.model);
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
    checkProcessor(processor, model, folder);
    const { lr, betas, eps, weight_decay, groups } = config.optimizer;
    const optimized = optimizedParameters(weights, names, {
      optimizer: { lr, betas, eps, weightDecay: weight_decay },
      visionLrRatio: config.vision_lr_ratio,
      groups: groups?.map(({ match, lr: own, weight_decay: weightDecay }) => ({
        match,
        lr: own,
        weightDecay,
      })),
    });
    return new SftTrainer({ config, source, folder, model, processor, weights, optimized, lora });
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
      const feeds = this.withDropout(await this.feedsOf(batch), `${config.seed}/dropout/${step}/${i}`);
      const part = await session.accumulate(feeds, this.byName);
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

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.dispose();
    this.sessions.clear();
    await this.vision?.dispose();
    this.vision = undefined;
  }

  private batchesOf(step: number): Promise<MicroBatch[]> {
    return this.prepared?.step === step ? this.prepared.batches : this.prepare(step);
  }

  private prepareAhead(step: number): void {
    const batches = this.prepare(step);
    // A failed preparation is reported when its step begins, not before.
    batches.catch(() => undefined);
    this.prepared = { step, batches };
  }

  private async prepare(step: number): Promise<MicroBatch[]> {
    const { config, source, processor, model } = this.parts;
    const limits = { maxLength: config.max_length, vocabSize: model.text.vocabSize };
    const examples: TrainingExample[] = [];
    for (let i = 0; i < config.batch_size; i++) {
      const sample = await source.sample(step * config.batch_size + i);
      examples.push(encodeSample(processor, sample, limits));
    }
    const labelWeight = 1 / answerTokens(examples);
    const settings = { config: model, padId: processor.padId, labelWeight, images: this.images };
    return microBatches(examples, config.micro_batch_size).map((rows) => collateExamples(rows, settings));
  }

  private async feedsOf({ feeds, images }: MicroBatch): Promise<MicroBatch['feeds']> {
    if (images.length === 0 || this.images === 'tower') return feeds;
    const { model, config } = this.parts;
    this.vision ??= await FrozenVision.create(model, this.weights, {
      threads: config.threads,
      cacheMegabytes: config.image_cache_mb,
    });
    return { ...feeds, features: await this.vision.features(images) };
  }

  /** What an adapter's dropout is drawn from: decided by the step and the micro-batch alone. */
  private withDropout(feeds: MicroBatch['feeds'], seed: string): MicroBatch['feeds'] {
    if (this.parts.lora === undefined || this.parts.lora.dropout === 0) return feeds;
    const random = new Random(seed);
    const { shape } = feeds.input_ids;
    const data = Float32Array.from({ length: shape[0] * shape[1] }, () => random.next());
    return { ...feeds, dropout_rows: { dtype: 'f32', shape, data } };
  }

  private async sessionFor({ images, padded }: MicroBatch): Promise<StepSession> {
    const path: ImagePath = images.length > 0 ? this.images : 'none';
    const key = `${path}/${padded}`;
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const graph = sftGraph(this.parts.model, {
      images: path,
      padding: 'right',
      paddedSlots: padded,
      trainable: (name) => this.byName.has(name),
      lora: this.parts.lora,
      keptEvery: layersBetweenStates(this.parts.config.gradient_checkpointing),
    });
    const made = await StepSession.create(graph, this.weights, {
      threads: this.parts.config.threads,
      buffers: this.buffers,
    });
    this.sessions.set(key, made);
    return made;
  }
}

function scheduleOf({ schedule, steps }: SftConfig): Schedule {
  return {
    kind: schedule.kind,
    warmupSteps: schedule.warmup_steps,
    minRatio: schedule.min_ratio,
    totalSteps: steps,
  };
}

/** What the processor and the model must agree on, and what a mixed-up folder gets wrong. */
function checkProcessor(processor: Processor, model: Qwen2_5_VLConfig, folder: string): void {
  const { patchSize, temporalPatchSize, mergeSize } = processor.imageProcessor.config;
  const pairs: readonly (readonly [what: string, processor: number | undefined, model: number])[] = [
    ['the id of <|image_pad|>', processor.tokenizer.id('<|image_pad|>'), model.imageTokenId],
    ['the patch size', patchSize, model.vision.patchSize],
    ['the temporal patch size', temporalPatchSize, model.vision.temporalPatchSize],
    ['the merge size', mergeSize, model.vision.spatialMergeSize],
  ];
  for (const [what, own, expected] of pairs) {
    if (own === expected) continue;
    throw new UserError(
      `${folder}: ${what} is ${own ?? 'missing'} in the processor's files and ${expected} in config.json: ` +
        'take tokenizer and preprocessor files of the same model.',
    );
  }
}
