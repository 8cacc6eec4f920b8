/** @module The rewards of a run: functions by name, each with its weight, and what they must never do. */
import type { GuardProfile } from '../../guard/profile.js';
import { messageOf, UserError } from '../../util/errors.js';
import {
  categoryReward,
  CompletionReader,
  labelReward,
  lengthReward,
  quoteReward,
  readableReward,
} from './guard-rewards.js';
import { paperAccuracy, paperFormat } from './paper.js';
import { policyshiftPair, policyshiftSingle, policyshiftThink } from './policyshift.js';
import type { RewardFunction, RewardInput } from './reward.js';

interface Context {
  readonly reader: CompletionReader;
  readonly maxCompletionLength: number;
}

const each =
  (one: (input: RewardInput) => number | null): RewardFunction =>
  (inputs) =>
    inputs.map(one);

/** Every reward by the name that configurations use. */
const REWARDS: Readonly<Record<string, (context: Context) => RewardFunction>> = {
  /** The paper's two. */
  accuracy: () => each(paperAccuracy),
  format: () => each(paperFormat),
  /** By what the profile reads. */
  label: ({ reader }) => each((input) => labelReward(reader, input)),
  readable: ({ reader }) => each((input) => readableReward(reader, input)),
  category: ({ reader }) => each((input) => categoryReward(reader, input)),
  quote: ({ reader }) => each((input) => quoteReward(reader, input)),
  length: ({ maxCompletionLength }) => each((input) => lengthReward(maxCompletionLength, input)),
  /** PolicyShiftGuard's. */
  policyshift_single: () => each(policyshiftSingle),
  policyshift_think: () => each(policyshiftThink),
  policyshift_pair: () => policyshiftPair,
};

/** All others go by texts alone. */
const COUNTS_TOKENS: ReadonlySet<string> = new Set(['length']);

const REWARD_NAMES: readonly string[] = Object.keys(REWARDS);

export interface RewardTableOptions {
  /** Function → weight. */
  readonly weights: Readonly<Record<string, number>>;
  readonly profile: GuardProfile;
  readonly maxCompletionLength: number;
  /** Functions of one's own; they go before the known ones of the same name. */
  readonly functions?: Readonly<Record<string, RewardFunction>>;
}

export interface Scores {
  /** Unweighted, in the order of the inputs; null where a function does not apply. */
  readonly byFunction: Readonly<Record<string, readonly (number | null)[]>>;
  /** Weighted sums. */
  readonly totals: readonly number[];
}

export class RewardTable {
  private readonly functions: ReadonlyMap<string, { readonly weight: number; readonly run: RewardFunction }>;
  /** Whether any function may ask for a completion's length in tokens; those of one's own are taken to. */
  readonly needsTokens: boolean;

  /** @throws UserError for a name that is not known. */
  constructor({ weights, profile, maxCompletionLength, functions = {} }: RewardTableOptions) {
    const context = { reader: new CompletionReader(profile), maxCompletionLength };
    this.functions = new Map(
      Object.entries(weights).map(([name, weight]) => {
        const run = Object.hasOwn(functions, name)
          ? functions[name]
          : Object.hasOwn(REWARDS, name)
            ? REWARDS[name](context)
            : undefined;
        if (run === undefined) {
          throw new UserError(`There is no reward '${name}': choose among ${REWARD_NAMES.join(', ')}.`);
        }
        return [name, { weight, run }];
      }),
    );
    this.needsTokens = Object.keys(weights).some(
      (name) => COUNTS_TOKENS.has(name) || Object.hasOwn(functions, name),
    );
  }

  /** Function → weight. */
  get weights(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.functions].map(([name, { weight }]) => [name, weight]));
  }

  /**
   * Runs every function over the whole batch.
   * @throws UserError naming the function that throws, gives another number of values, or something that is no number.
   */
  async score(inputs: readonly RewardInput[]): Promise<Scores> {
    const byFunction: Record<string, readonly (number | null)[]> = {};
    const totals = inputs.map(() => 0);
    for (const [name, { weight, run }] of this.functions) {
      const values = await this.run(name, run, inputs);
      byFunction[name] = values;
      values.forEach((value, i) => {
        totals[i] += weight * (value ?? 0);
      });
    }
    return { byFunction, totals };
  }

  private async run(
    name: string,
    run: RewardFunction,
    inputs: readonly RewardInput[],
  ): Promise<readonly (number | null)[]> {
    let values: readonly (number | null)[];
    try {
      values = await run(inputs);
    } catch (error) {
      throw new UserError(`The reward '${name}' failed: ${messageOf(error)}.`);
    }
    if (!Array.isArray(values) || values.length !== inputs.length) {
      const got = Array.isArray(values) ? `${values.length} values` : 'no list';
      throw new UserError(`The reward '${name}' gave ${got} for ${inputs.length} completions.`);
    }
    const wrong = values.findIndex((value) => value !== null && !Number.isFinite(value));
    if (wrong >= 0) {
      throw new UserError(
        `The reward '${name}' gave ${String(values[wrong])} for the completion ${JSON.stringify(inputs[wrong].completion.slice(0, 80))}: a reward is a finite number, or null where it does not apply.`,
      );
    }
    return values;
  }
}
