/**
 * @module GRPO's family of losses as a small graph over log-probabilities (trl:trl/trainer/grpo_trainer.py,
 * `_compute_loss`). Every loss is Σ weight · ℓ(token): the weights (`tokenWeights`) say what a token counts, ℓ is one
 * of two surrogates, to which β · k3 is added.
 */
import type { Tensor } from '../../graph/node.js';
import * as op from '../../graph/ops.js';
import type { LossType, RatioLevel } from './loss-types.js';

export interface LossSettings {
  readonly loss_type: LossType;
  readonly importance_sampling_level: RatioLevel;
  readonly epsilon: number;
  readonly epsilon_high?: number;
  readonly delta?: number;
  readonly beta: number;
}

/** Per token of all completions, one behind the other: [tokens] f32 unless said otherwise. */
export interface LossInputs {
  readonly logProbs: Tensor;
  /** Of the sampler; left out where it is the policy itself, with ratios of 1. */
  readonly oldLogProbs?: Tensor;
  /** Of the reference; needed where `beta` is not 0. */
  readonly refLogProbs?: Tensor;
  readonly advantages: Tensor;
  readonly weights: Tensor;
  /** For the sequence level: which completion a token belongs to, [tokens] i64. */
  readonly completionOf?: Tensor;
  /** For the sequence level: 1/length at a completion's own tokens, else 0, [completions, tokens]. */
  readonly segmentMean?: Tensor;
}

interface Surrogate {
  /** Whether the ratio itself carries the gradient, or only scales −A log p. */
  readonly isClipped: boolean;
}

const SURROGATES: Readonly<Record<LossType, Surrogate>> = {
  grpo: { isClipped: true },
  bnpo: { isClipped: true },
  dr_grpo: { isClipped: true },
  dapo: { isClipped: true },
  cispo: { isClipped: false },
};

/** The loss [] and, per token, k3 to the reference (null without one). */
export function grpoLoss(inputs: LossInputs, settings: LossSettings): { loss: Tensor; kl: Tensor | null } {
  const { logProbs, advantages, weights } = inputs;
  const ratio = ratioOf(inputs, settings.importance_sampling_level);
  const surrogate = SURROGATES[settings.loss_type].isClipped
    ? clipped(ratio, advantages, settings)
    : op.neg(op.mul(op.mul(op.stopGradient(op.min(ratio, upper(settings))), advantages), logProbs));
  const kl = inputs.refLogProbs === undefined ? null : k3(logProbs, inputs.refLogProbs);
  const perToken =
    kl === null || settings.beta === 0 ? surrogate : op.add(surrogate, op.mul(kl, settings.beta));
  return { loss: op.reduceSum(op.mul(perToken, weights), [0], false), kl };
}

/** CISPO's `epsilon_high` is the ceiling itself; the others' lies that much above 1. */
const upper = ({ loss_type, epsilon, epsilon_high = epsilon }: LossSettings): number =>
  SURROGATES[loss_type].isClipped ? 1 + epsilon_high : epsilon_high;

/** exp(log p − old), of each token or of its completion's mean. */
function ratioOf(
  { logProbs, oldLogProbs = op.stopGradient(logProbs), completionOf, segmentMean }: LossInputs,
  level: RatioLevel,
): Tensor {
  const logRatio = op.sub(logProbs, oldLogProbs);
  if (level === 'token' || completionOf === undefined || segmentMean === undefined) return op.exp(logRatio);
  const tokens = logRatio.shape[0];
  const means = op.matmul(segmentMean, op.reshape(logRatio, [tokens, 1]));
  const spread = op.gather(means, completionOf);
  return op.exp(op.reshape(spread, [tokens]));
}

/** −min(r A, clip(r) A), with r capped at δ before the minimum where the clip is two-sided. */
function clipped(ratio: Tensor, advantages: Tensor, settings: LossSettings): Tensor {
  const inside = op.min(op.max(ratio, 1 - settings.epsilon), upper(settings));
  const capped = settings.delta === undefined ? ratio : op.min(ratio, settings.delta);
  return op.neg(op.min(op.mul(capped, advantages), op.mul(inside, advantages)));
}

/** Schulman's k3: exp(ref − θ) − (ref − θ) − 1. */
function k3(logProbs: Tensor, refLogProbs: Tensor): Tensor {
  const difference = op.sub(refLogProbs, logProbs);
  return op.sub(op.sub(op.exp(difference), difference), 1);
}

/** A completion as far as the weights ask. */
export interface WeighedCompletion {
  readonly length: number;
  /** Left out of the loss, as truncated ones may be. */
  readonly masked: boolean;
}

export interface WeightSettings {
  readonly loss_type: LossType;
  readonly max_completion_length: number;
}

interface Totals {
  readonly completions: number;
  /** Tokens that count, at least 1. */
  readonly tokens: number;
  readonly longest: number;
}

/** What one token of a completion counts. */
const TOKEN_WEIGHTS: Readonly<Record<LossType, (length: number, totals: Totals) => number>> = {
  grpo: (length, { completions }) => 1 / (completions * length),
  bnpo: (_, { tokens }) => 1 / tokens,
  dr_grpo: (_, { completions, longest }) => 1 / (completions * longest),
  dapo: (_, { tokens }) => 1 / tokens,
  cispo: (_, { tokens }) => 1 / tokens,
};

/** The losses whose token mean runs over the whole generation batch, not over one optimizer step's part of it. */
const OVER_GENERATION: ReadonlySet<LossType> = new Set(['dapo', 'cispo']);

/**
 * The weight of each completion's tokens in one optimizer step, `parts` of which a generation batch is cut into. A masked completion
 * counts 0, but still as a completion (TRL).
 */
export function tokenWeights(
  completions: readonly WeighedCompletion[],
  generation: readonly WeighedCompletion[],
  parts: number,
  { loss_type, max_completion_length }: WeightSettings,
): number[] {
  const counted = (list: readonly WeighedCompletion[]): number =>
    list.reduce((sum, { length, masked }) => sum + (masked ? 0 : length), 0);
  const tokens = OVER_GENERATION.has(loss_type) ? counted(generation) / parts : counted(completions);
  const totals = {
    completions: completions.length,
    tokens: Math.max(1, tokens),
    longest: max_completion_length,
  };
  return completions.map(({ length, masked }) =>
    masked || length === 0 ? 0 : TOKEN_WEIGHTS[loss_type](length, totals),
  );
}
