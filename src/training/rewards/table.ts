/** @module The rewards of a run: functions by name, each with its weight, and what they must never do. */
import type { GuardProfile } from '../../guard/profile.js';
import { messageOf, UserError } from '../../util/errors.js';
import { exactReward } from './exact.js';
import {
  categoryReward,
  CompletionReader,
  labelReward,
  lengthReward,
  namedReward,
  quoteReward,
  readableReward,
} from './guard-rewards.js';
import { paperAccuracy, paperFormat } from './paper.js';
import { policyshiftPair, policyshiftSingle, policyshiftThink } from './policyshift.js';
import { isJudged, type JudgedSample, type RewardFunction, type RewardInput } from './reward.js';

interface Context {
  readonly reader: CompletionReader;
  readonly maxCompletionLength: number;
}

const each =
  (one: (input: RewardInput) => number | null): RewardFunction =>
  (inputs) =>
    inputs.map(one);

type Verdict = RewardInput<JudgedSample>;

/** Of verdicts alone; where none was asked for the function does not apply. */
const ofVerdicts =
  (run: (inputs: readonly Verdict[]) => readonly (number | null)[]): RewardFunction =>
  (inputs) => {
    const values = run(inputs.filter(isJudged));
    let next = 0;
    return inputs.map((input) => (isJudged(input) ? values[next++] : null));
  };

const eachVerdict = (one: (input: Verdict) => number | null): RewardFunction =>
  ofVerdicts((inputs) => inputs.map(one));

/** Every reward by the name that configurations use. */
const REWARDS: Readonly<Record<string, (context: Context) => RewardFunction>> = {
  /** The paper's two. */
  accuracy: () => eachVerdict(paperAccuracy),
  format: () => eachVerdict(paperFormat),
  /** By what the profile reads. */
  label: ({ reader }) => eachVerdict((input) => labelReward(reader, input)),
  readable: ({ reader }) => eachVerdict((input) => readableReward(reader, input)),
  category: ({ reader }) => eachVerdict((input) => categoryReward(reader, input)),
  quote: ({ reader }) => eachVerdict((input) => quoteReward(reader, input)),
  /** Of IconWorld's format. */
  named: () => eachVerdict(namedReward),
  /** Of questions, whose answer is known word for word. */
  exact: () => each(exactReward),
  length: ({ maxCompletionLength }) => each((input) => lengthReward(maxCompletionLength, input)),
  /** PolicyShiftGuard's. */
  policyshift_single: () => eachVerdict(policyshiftSingle),
  policyshift_think: () => eachVerdict(policyshiftThink),
  policyshift_pair: () => ofVerdicts(policyshiftPair),
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
      throw new UserError(`The reward '${name}' failed: ${messageOf(error)}.`, { cause: error });
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
