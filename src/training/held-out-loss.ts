/** @module The loss on samples that are never trained on: whether a run learns or learns by heart. */
import type { OptimizedParameter } from '../optim/adamw.js';
import { UserError } from '../util/errors.js';
import type { ObjectiveParts } from './answers-objective.js';
import type { FiniteSource } from './examples.js';
import { type HeldOutOutcome, TaskLosses } from './metrics.js';
import type { Objective } from './objective.js';
import { StepSession } from './step-session.js';

const NOTHING: ReadonlyMap<string, OptimizedParameter> = new Map();

/** The run's objective over held-out samples, forward alone and without dropout. */
export class HeldOutLoss {
  private readonly sessions = new Map<string, StepSession>();

  private constructor(
    private readonly parts: ObjectiveParts,
    private readonly source: FiniteSource,
    private readonly objective: Objective,
  ) {}

  /**
   * Null where the configuration holds nothing out.
   * @throws UserError for a source that cannot hold samples out.
   */
  static async create(
    run: ObjectiveParts,
    objectiveOf: (parts: ObjectiveParts) => Objective,
  ): Promise<HeldOutLoss | null> {
    const { evaluation } = run.config;
    if (evaluation === undefined) return null;
    const source = await run.source.heldOut?.(evaluation.samples);
    if (source === undefined)
      throw new UserError(
        'evaluation needs data that holds samples out: open the source with openSource, or leave evaluation out.',
        { code: 'invalid_config' },
      );
    const parts: ObjectiveParts = {
      ...run,
      // Nothing is kept for gradients that nobody takes.
      config: { ...run.config, gradient_checkpointing: undefined },
      source,
      lora: run.lora && { ...run.lora, dropout: 0 },
      trainable: () => false,
    };
    return new HeldOutLoss(parts, source, objectiveOf(parts));
  }

  /** With the weights as they are now; samples are encoded anew each time, so that no picture is kept between. */
  async measure(): Promise<HeldOutOutcome> {
    const losses = new TaskLosses();
    const { batch_size: size } = this.parts.config;
    for (let step = 0; step * size < this.source.count; step++) {
      for (const [i, batch] of (await this.objective.batches(step)).entries()) {
        const session = await this.sessionFor(batch);
        const feeds = await this.objective.feeds(batch, `held-out/${step}/${i}`);
        losses.add(batch, (await session.accumulate(feeds, NOTHING)).logProbs);
      }
    }
    return { loss: losses.mean(), lossByTask: losses.means() };
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.dispose();
    this.sessions.clear();
    await this.objective.dispose();
  }

  private async sessionFor(batch: Parameters<Objective['graph']>[0]): Promise<StepSession> {
    const key = this.objective.graphKey(batch);
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const { weights, config } = this.parts;
    const made = await StepSession.create(this.objective.graph(batch), weights, { threads: config.threads });
    this.sessions.set(key, made);
    return made;
  }
}
