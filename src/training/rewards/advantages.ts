/** @module From rewards to advantages (trl:trl/trainer/grpo_trainer.py; Dr. GRPO, arXiv 2503.20783; GDPO, arXiv 2601.05242). */
import type { Aggregation, RewardScale } from '../grpo/loss-types.js';
import { assert } from '../../util/errors.js';

/** Keeps a division by a spread of 0 finite, as TRL and ms-swift have it. */
const EPSILON = 1e-4;

export interface AdvantageSettings {
  /** Completions of a prompt; they stand side by side. */
  readonly numGenerations: number;
  readonly scale: RewardScale;
  readonly aggregation: Aggregation;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Unbiased, as torch's; 0 of one value. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}

/** Values less their mean, by their spread where `scaled`. */
function centered(values: readonly number[], divisor: number | null): number[] {
  const center = mean(values);
  return values.map((value) => (divisor === null ? value - center : (value - center) / (divisor + EPSILON)));
}

function byGroup(
  values: readonly number[],
  size: number,
  each: (group: readonly number[]) => number[],
): number[] {
  assert(values.length % size === 0, `${values.length} rewards are no groups of ${size}`);
  const out: number[] = [];
  for (let i = 0; i < values.length; i += size) out.push(...each(values.slice(i, i + size)));
  return out;
}

/** The divisor of a group's deviations, of its own rewards or of all. */
const DIVISORS: Readonly<
  Record<RewardScale, (group: readonly number[], all: readonly number[]) => number | null>
> = {
  group: (group) => standardDeviation(group),
  batch: (_, all) => standardDeviation(all),
  none: () => null,
};

/** Advantages of all completions, group by group. What does not apply (null) earns 0. */
export function advantagesOf(
  columns: Readonly<Record<string, readonly (number | null)[]>>,
  weights: Readonly<Record<string, number>>,
  settings: AdvantageSettings,
): { readonly rewards: readonly number[]; readonly advantages: readonly number[] } {
  const names = Object.keys(columns);
  const count = columns[names[0]]?.length ?? 0;
  const weighted = (values: (name: string) => readonly (number | null)[]): number[] => {
    const lists = names.map((name) => ({ weight: weights[name], values: values(name) }));
    return Array.from({ length: count }, (_, i) =>
      lists.reduce((sum, list) => sum + list.weight * (list.values[i] ?? 0), 0),
    );
  };
  const rewards = weighted((name) => columns[name]);
  return { rewards, advantages: AGGREGATIONS[settings.aggregation](rewards, columns, weighted, settings) };
}

type Weighted = (values: (name: string) => readonly (number | null)[]) => number[];

const AGGREGATIONS: Readonly<
  Record<
    Aggregation,
    (
      rewards: readonly number[],
      columns: Readonly<Record<string, readonly (number | null)[]>>,
      weighted: Weighted,
      settings: AdvantageSettings,
    ) => number[]
  >
> = {
  sum_then_normalize: (rewards, _, __, { numGenerations, scale }) =>
    byGroup(rewards, numGenerations, (group) => centered(group, DIVISORS[scale](group, rewards))),
  /** GDPO: each reward by its own spread within the group, the weighted sum by its spread over the batch. */
  normalize_then_sum: (_, columns, weighted, { numGenerations }) => {
    const sums = weighted((name) =>
      byGroup(
        columns[name].map((value) => value ?? 0),
        numGenerations,
        (group) => centered(group, standardDeviation(group)),
      ),
    );
    return centered(sums, standardDeviation(sums));
  },
};
