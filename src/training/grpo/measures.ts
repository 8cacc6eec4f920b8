/** @module What a step reports, computed from its groups. */
import { standardDeviation } from '../rewards/advantages.js';
import { accuracyOf, confusionOf, macroF1 } from './confusion.js';
import type { Gathered, UpdateOutcome } from './grpo-trainer.js';
import type { Group } from './groups.js';
import type { CompletionRecord, GrpoMetrics, HeldOut } from './records.js';

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Verdicts alone: questions have their reward. */
const answersOf = (groups: readonly Group[]) =>
  groups.flatMap(({ prompt, completions }) =>
    prompt.sample.label === null
      ? []
      : completions.map(({ read }) => ({ label: prompt.sample.label, read, kind: prompt.kind })),
  );

export interface StepTimes {
  readonly rollout: number;
  readonly scoring: number;
  readonly update: number;
  /** Of the run so far. */
  readonly total: number;
}

/** A line of metrics.jsonl. */
export function measure(
  step: number,
  { groups, replaced, zeroSpread }: Gathered,
  { loss, gradNorm, lr, sums }: UpdateOutcome,
  times: StepTimes,
  { beta, heldOut }: { readonly beta: number; readonly heldOut: HeldOut | null },
): GrpoMetrics {
  const completions = groups.flatMap((group) => group.completions);
  const answers = answersOf(groups);
  const confusion = confusionOf(answers);
  const rewards = completions.map(({ reward }) => reward);
  const names = Object.keys(completions[0].rewards);
  const lengths = completions.map(({ tokens }) => tokens.length);
  const tokens = groups.reduce(
    (sum, { encoded, completions: own }) =>
      sum + own.reduce((all, { tokens: { length } }) => all + length + encoded.inputIds.length, 0),
    0,
  );
  const learned = Math.max(1, sums.tokens);
  const kinds = [...new Set(answers.map(({ kind }) => kind))].sort();
  return {
    step,
    loss,
    grad_norm: gradNorm,
    lr,
    reward: mean(rewards),
    reward_std: standardDeviation(rewards),
    rewards: Object.fromEntries(
      names.map((name) => {
        const values = completions.flatMap((completion) => completion.rewards[name] ?? []);
        // Nobody's mean is no number: 0 would look like a reward that nobody earns.
        return [name, values.length === 0 ? null : { mean: mean(values), std: standardDeviation(values) }];
      }),
    ),
    frac_reward_zero_std: zeroSpread,
    replaced_groups: replaced,
    kl: beta === 0 ? null : sums.kl / learned,
    entropy: sums.entropy / learned,
    clip_ratio_low: sums.clippedLow / learned,
    clip_ratio_high: sums.clippedHigh / learned,
    completion_length: { mean: mean(lengths), min: Math.min(...lengths), max: Math.max(...lengths) },
    clipped_ratio: mean(completions.map(({ truncated }) => Number(truncated))),
    confusion,
    safe_accuracy: accuracyOf(confusion, 'safe'),
    unsafe_accuracy: accuracyOf(confusion, 'unsafe'),
    invalid_ratio: mean(answers.map(({ read }) => Number(read === 'invalid'))),
    accuracy_by_policy: Object.fromEntries(
      kinds.map((kind) => [
        kind,
        mean(answers.filter((one) => one.kind === kind).map(({ label, read }) => Number(label === read))),
      ]),
    ),
    seconds: times,
    tokens_per_second: tokens / Math.max(1e-9, times.rollout + times.scoring + times.update),
    held_out: heldOut,
  };
}

export function heldOutOf(groups: readonly Group[]): HeldOut {
  const confusion = confusionOf(answersOf(groups));
  return {
    reward: mean(groups.flatMap(({ completions }) => completions.map(({ reward }) => reward))),
    macro_f1: macroF1(confusion),
    confusion,
  };
}

/** Lines of completions.jsonl or held_out.jsonl; groups that were not learned from have advantages of 0. */
export function recordsOf(
  step: number,
  { groups, learned }: Pick<Gathered, 'groups' | 'learned'>,
  imagesOf: (group: Group) => string[],
): CompletionRecord[] {
  const advantages = new Map(learned.map((group) => [group.prompt.index, group.advantages]));
  return groups.flatMap((group) =>
    group.completions.map((completion, place) => ({
      step,
      prompt_index: group.prompt.index,
      place,
      prompt: group.prompt.prompt,
      images: imagesOf(group),
      completion: completion.text,
      tokens: completion.tokens.length,
      truncated: completion.truncated,
      label: group.prompt.sample.label,
      ...(group.prompt.sample.answer !== undefined && { answer: group.prompt.sample.answer }),
      read: completion.read,
      rewards: completion.rewards,
      reward: completion.reward,
      advantage: advantages.get(group.prompt.index)?.[place] ?? 0,
    })),
  );
}
