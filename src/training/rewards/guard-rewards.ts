/** @module Rewards that go by what a profile reads in a completion, so that they fit every family of guardrails. */
import type { GuardProfile, ReadAnswer } from '../../guard/profile.js';
import { parseIconworldAnswer } from '../../guard/profiles/iconworld-answer.js';
import { Policy } from '../../policy/policy.js';
import { overlapOf } from '../../util/overlap.js';
import type { JudgedSample, RewardInput, RewardSample } from './reward.js';

/** Reads what completions say; each policy is parsed once. Whether they quote rightly is a reward of its own. */
export class CompletionReader {
  private readonly policies = new WeakMap<RewardSample, Policy>();

  constructor(private readonly profile: GuardProfile) {}

  read({ completion, sample, prompt }: Pick<RewardInput, 'completion' | 'sample' | 'prompt'>): ReadAnswer {
    const policy = this.policyOf(sample, prompt);
    return this.profile.claim?.(completion, policy) ?? this.profile.read(completion, policy);
  }

  private policyOf(sample: RewardSample, prompt: string): Policy {
    const known = this.policies.get(sample);
    if (known !== undefined) return known;
    const made = Policy.fromText(sample.statements.length > 0 ? sample.statements.join('\n') : prompt);
    this.policies.set(sample, made);
    return made;
  }
}

/** 1 for the right label, 0 for the wrong one and for what cannot be read. */
export function labelReward(reader: CompletionReader, input: RewardInput<JudgedSample>): number {
  return reader.read(input).label === input.sample.label ? 1 : 0;
}

/** 1 for a completion that follows its family's format as a whole. */
export function readableReward(reader: CompletionReader, input: RewardInput): number {
  return reader.read(input).label === 'invalid' ? 0 : 1;
}

/** 1 for a right unsafe answer that names an accepted category; null where none is known or nothing is unsafe. */
export function categoryReward(reader: CompletionReader, input: RewardInput<JudgedSample>): number | null {
  const { label, categories } = input.sample;
  if (label === 'safe' || categories.length === 0) return null;
  const read = reader.read(input);
  return read.label === label && read.category !== null && categories.includes(read.category) ? 1 : 0;
}

/** A statement that decides is cited, and it is quoted word for word: each is half of the reward. */
const CITED = 0.5;
const QUOTED = 0.5;

/** 0 to 1 for a right unsafe answer by what it rests on; null where that is not known or nothing is unsafe. */
export function quoteReward(reader: CompletionReader, input: RewardInput<JudgedSample>): number | null {
  const { label, decisive, statements } = input.sample;
  if (label === 'safe' || decisive.length === 0) return null;
  const { label: read, violatedRule } = reader.read(input);
  if (read !== label || violatedRule === null || !decisive.includes(violatedRule.number)) return 0;
  const sentence = statements[violatedRule.number - 1];
  return CITED + (sentence !== undefined && input.completion.includes(`"${sentence}"`) ? QUOTED : 0);
}

/** The F1 of the things that an answer of IconWorld's format names against those that are there; null where these are not known. */
export function namedReward({
  completion,
  sample,
}: Pick<RewardInput<JudgedSample>, 'completion' | 'sample'>): number | null {
  if (sample.things === undefined) return null;
  const said = parseIconworldAnswer(completion).things.map(({ name }) => name);
  const all = said.length + sample.things.length;
  return all === 0 ? 1 : (2 * overlapOf(said, sample.things)) / all;
}

/** The last fifth of the room is where a completion begins to cost (DAPO's 4,096 of 20,480; arXiv 2503.14476, section 3.4). */
const SOFT_SHARE = 0.2;

/** DAPO's soft overlong punishment: 0, falling to −1 at the most tokens a completion may have. */
export function lengthReward(maxCompletionLength: number, { tokens, truncated }: RewardInput): number {
  if (truncated) return -1;
  const room = SOFT_SHARE * maxCompletionLength;
  const over = tokens - (maxCompletionLength - room);
  return over <= 0 ? 0 : -Math.min(1, over / room);
}
