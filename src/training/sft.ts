/**
 * @module Supervised fine-tuning, read top to bottom: every step takes the next `batch_size` samples of the stream,
 * sorts them by length into micro-batches, adds up their gradients, clips, and updates. The sample stream, the schedule
 * and the update depend only on the step's number, so a run resumed from a checkpoint ends bit-equal to one that was
 * never interrupted (same machine, same threads).
 */
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { checkTensors, parseConfig, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { Processor } from '../models/qwen2_5_vl/processor.js';
import { AdamW, clipFactor, gradientNorm, type OptimizedParameter } from '../optim/adamw.js';
import { type Schedule, scheduleFactor } from '../optim/schedules.js';
import { UserError } from '../util/errors.js';
import { sha256 } from '../util/hash.js';
import { formatDuration, ProgressLine } from '../util/progress.js';
import { answerTokens, collateExamples, type MicroBatch, microBatches } from './batches.js';
import type { SftConfig } from './config.js';
import { encodeSample, type SampleSource, type TrainingExample } from './examples.js';
import { RunFolder, type RunState } from './run-folder.js';
import { sftGraph } from './sft-graph.js';
import { StepSession } from './step-session.js';
import { type ModelWeights, optimizedParameters, readWeights } from './weights.js';

/** What one step reports. */
export interface StepMetrics {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly lr: number;
  readonly samples: number;
  readonly tokens: number;
  readonly seconds: number;
}

export interface SftHooks {
  /** Stops the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStep?: (metrics: StepMetrics) => void;
  readonly quiet?: boolean;
}

/** A model, its data and its optimizer, between two steps. */
export class SftTrainer {
  private constructor(
    readonly config: SftConfig,
    readonly model: Qwen2_5_VLConfig,
    readonly processor: Processor,
    readonly weights: ModelWeights,
    readonly optimized: readonly OptimizedParameter[],
    private readonly source: SampleSource,
  ) {}

  private readonly sessions = new Map<string, StepSession>();
  private prepared: { step: number; batch: Promise<StepBatch> } | undefined;

  static async create(config: SftConfig, source: SampleSource): Promise<SftTrainer> {
    const checkpoint = await Checkpoint.open(config.model);
    const model = parseConfig(checkpoint.config);
    checkTensors(checkpoint, model);
    const weights = readWeights(checkpoint, model);
    checkpoint.close();
    const processor = await Processor.load(config.model);
    const { lr, betas, eps, weight_decay } = config.optimizer;
    const names = [...weights.keys()].filter((name) => isTrainable(config, name));
    const optimized = optimizedParameters(weights, names, {
      optimizer: { lr, betas, eps, weightDecay: weight_decay },
      visionLrRatio: config.vision_lr_ratio,
    });
    return new SftTrainer(config, model, processor, weights, optimized, source);
  }

  /** Step `step` (from 0). The next step's batch is prepared while this one computes. */
  async step(step: number): Promise<{ loss: number; gradNorm: number; lr: number; tokens: number }> {
    const { config } = this;
    const { batches } = await this.batchOf(step);
    this.prepared = { step: step + 1, batch: this.prepare(step + 1) };
    // A failed preparation is reported when its step begins, not before.
    this.prepared.batch.catch(() => undefined);
    for (const { gradient } of this.optimized) gradient.fill(0);
    const byName = new Map(this.optimized.map((parameter) => [parameter.name, parameter]));
    let loss = 0;
    let tokens = 0;
    for (const batch of batches) {
      const session = await this.sessionFor(batch);
      loss += await session.accumulate(batch.feeds, byName);
      tokens += batch.tokens;
    }
    const gradNorm = gradientNorm(this.optimized.map(({ gradient }) => gradient));
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      throw new UserError(
        `Step ${step + 1} gave a loss of ${loss} and a gradient norm of ${gradNorm}: lower optimizer.lr and resume from the last checkpoint.`,
      );
    }
    const factor = scheduleFactor(scheduleOf(config), step);
    new AdamW(this.optimized).update(step + 1, factor, clipFactor(gradNorm, config.optimizer.max_grad_norm));
    return { loss, gradNorm, lr: config.optimizer.lr * factor, tokens };
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.dispose();
    this.sessions.clear();
  }

  private batchOf(step: number): Promise<StepBatch> {
    return this.prepared?.step === step ? this.prepared.batch : this.prepare(step);
  }

  private async prepare(step: number): Promise<StepBatch> {
    const { batch_size, micro_batch_size, max_length } = this.config;
    const examples: TrainingExample[] = [];
    for (let i = 0; i < batch_size; i++) {
      const sample = await this.source.sample(step * batch_size + i);
      examples.push(encodeSample(this.processor, sample, max_length));
    }
    const weight = 1 / answerTokens(examples);
    const batches = microBatches(examples, micro_batch_size).map((rows) =>
      collateExamples(rows, this.model, this.processor.padId, weight),
    );
    return { batches };
  }

  private async sessionFor(batch: MicroBatch): Promise<StepSession> {
    const padded = batch.padded ? 'padded' : 'full';
    const key = batch.hasImages ? padded : 'text';
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const graph = sftGraph(this.model, {
      images: batch.hasImages ? 'tower' : 'none',
      padding: 'right',
      paddedSlots: batch.padded,
      trainable: (name) => isTrainable(this.config, name),
    });
    const made = await StepSession.create(graph, this.weights, this.config.threads);
    this.sessions.set(key, made);
    return made;
  }
}

interface StepBatch {
  readonly batches: readonly MicroBatch[];
}

function isTrainable(config: SftConfig, name: string): boolean {
  return config.vision === 'trained' || !name.startsWith('visual.');
}

function scheduleOf({ schedule, steps }: SftConfig): Schedule {
  return {
    kind: schedule.kind,
    warmupSteps: schedule.warmup_steps,
    minRatio: schedule.min_ratio,
    totalSteps: steps,
  };
}

/** Runs a configuration to its end, going on from the newest checkpoint of its output folder. Returns the last one. */
export async function trainSft(
  config: SftConfig,
  source: SampleSource,
  hooks: SftHooks = {},
): Promise<string> {
  const folder = new RunFolder(config.output);
  const trainer = await SftTrainer.create(config, source);
  // Where a run stops saving or how it is watched may change between resumes; what it computes may not.
  const { output: _, checkpoint: __, ...identity } = config;
  const identityHash = sha256(JSON.stringify(identity));
  let state: RunState = { step: 0, samples: 0, seconds: 0, config: identityHash };
  const newest = folder.newest();
  if (newest !== undefined)
    state = await folder.restore(newest, trainer.weights, trainer.optimized, identityHash);
  folder.trimMetrics(state.step);

  const line = new ProgressLine();
  const started = process.uptime() - state.seconds;
  let saved = newest;
  const save = async (): Promise<void> => {
    saved = await folder.save(state, trainer.weights, trainer.optimized, {
      folder: config.model,
      keep: config.checkpoint.keep,
    });
  };
  while (state.step < config.steps && !hooks.signal?.aborted) {
    const result = await trainer.step(state.step);
    state = {
      ...state,
      step: state.step + 1,
      samples: state.samples + config.batch_size,
      seconds: process.uptime() - started,
    };
    const metrics: StepMetrics = {
      step: state.step,
      samples: state.samples,
      seconds: state.seconds,
      ...result,
    };
    folder.appendMetrics({ ...metrics });
    hooks.onStep?.(metrics);
    if (!hooks.quiet) line.update(describe(metrics, config.steps));
    if (state.step % config.checkpoint.every_steps === 0) await save();
  }
  if (saved === undefined || !saved.endsWith(`-${state.step}`)) await save();
  await trainer.dispose();
  if (!hooks.quiet) line.finish(`${state.step} of ${config.steps} steps done, saved in ${saved}`);
  return saved as string;
}

function describe({ step, loss, lr, samples, seconds }: StepMetrics, steps: number): string {
  const left = ((steps - step) * seconds) / step;
  return (
    `step ${step}/${steps}  loss ${loss.toFixed(4)}  lr ${lr.toExponential(2)}  ` +
    `${(samples / seconds).toFixed(1)} samples/s  ${formatDuration(left)} left`
  );
}
