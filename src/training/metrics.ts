/** @module What a step reports, on the screen and as a line of metrics.jsonl. */
import { z } from 'zod';
import type { ObjectiveBatch } from './objective.js';

/** What one optimizer step computed. */
export interface StepOutcome {
  /** Mean of −log p over the step's answer tokens. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly lr: number;
  /** Tokens of the step without padding. */
  readonly tokens: number;
  /** Tokens with padding: what the machine computed. */
  readonly paddedTokens: number;
  /** The loss over the answer tokens of each task, by name. */
  readonly lossByTask: Readonly<Record<string, number>>;
}

/** The loss on samples that are never trained on. */
export interface HeldOutOutcome {
  /** Mean of −log p over their answer tokens, each of which counts the same. */
  readonly loss: number;
  /** The same by task. */
  readonly lossByTask: Readonly<Record<string, number>>;
}

export interface StepMetrics extends StepOutcome {
  /** Null in steps after which nothing was measured. */
  readonly heldOut: HeldOutOutcome | null;
  /** Steps done, this one included. */
  readonly step: number;
  /** Samples seen since the run began. */
  readonly samples: number;
  /** Seconds of training since the run began, over all resumes. */
  readonly seconds: number;
  /** Tokens of this step without padding, per second. */
  readonly tokensPerSecond: number;
}

/** Adds up −log p by task over the micro-batches of a step. */
export class TaskLosses {
  private readonly sums = new Map<string, { loss: number; tokens: number }>();

  add({ answers }: Pick<ObjectiveBatch, 'answers'>, logProbs: Float32Array): void {
    let at = 0;
    for (const { task, length } of answers) {
      const sum = this.sums.get(task) ?? { loss: 0, tokens: 0 };
      this.sums.set(task, sum);
      sum.tokens += length;
      for (const end = at + length; at < end; at++) sum.loss -= logProbs[at];
    }
  }

  /** Over all tokens. */
  mean(): number {
    const sums = [...this.sums.values()];
    const tokens = sums.reduce((sum, one) => sum + one.tokens, 0);
    return sums.reduce((sum, { loss }) => sum + loss, 0) / tokens;
  }

  /** Means, in the order of the tasks' names. */
  means(): Record<string, number> {
    const sorted = [...this.sums].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted.map(([task, { loss, tokens }]) => [task, loss / tokens]));
  }
}

/** A line of metrics.jsonl of an SFT run; times in seconds. */
export const sftMetrics = z.object({
  step: z.int().min(1),
  /** Mean of −log p over the answer tokens, in nats. */
  loss: z.number(),
  grad_norm: z.number(),
  lr: z.number(),
  samples: z.number(),
  tokens: z.number(),
  padded_tokens: z.number(),
  seconds: z.number(),
  tokens_per_second: z.number(),
  loss_by_task: z.record(z.string(), z.number()),
  /** Mean of −log p over the answer tokens of held-out samples; left out where nothing was measured after the step. */
  eval_loss: z.number().optional(),
  eval_loss_by_task: z.record(z.string(), z.number()).optional(),
});
export type SftMetrics = z.infer<typeof sftMetrics>;

/** Only `seconds` and `tokens_per_second` differ between two runs of one configuration. */
export function metricsLine(metrics: StepMetrics): SftMetrics {
  return {
    step: metrics.step,
    loss: metrics.loss,
    grad_norm: metrics.gradNorm,
    lr: metrics.lr,
    samples: metrics.samples,
    tokens: metrics.tokens,
    padded_tokens: metrics.paddedTokens,
    seconds: metrics.seconds,
    tokens_per_second: metrics.tokensPerSecond,
    loss_by_task: metrics.lossByTask,
    ...(metrics.heldOut !== null && {
      eval_loss: metrics.heldOut.loss,
      eval_loss_by_task: metrics.heldOut.lossByTask,
    }),
  };
}
