/** @module The ways to a verdict: at once, by reasoning, or the one and where it is unsure the other. */
import type { Engine, EngineCompletion, EngineSettings } from '../engines/engine.js';
import { withThought } from '../engines/thought.js';
import type { Policy } from '../policy/policy.js';
import { assert, UserError } from '../util/errors.js';
import type { Answered, Asked } from './answered.js';
import { askedWhereOpen } from './asking.js';
import { sideThatBegins, TOP_LOGPROBS, unsafeProbability } from './probability.js';
import { type FastVerdict, type GuardProfile, type ReadAnswer, unreadable } from './profile.js';

export const REGIMES = ['reason', 'fast', 'hybrid'] as const;
/** `reason`: think, then answer. `fast`: the first token decides. `hybrid`: fast, and reason where that is unsure. */
export type Regime = (typeof REGIMES)[number];

export interface RegimeSettings {
  readonly regime: Regime;
  readonly maxNewTokens: number;
  /** From this probability of the likelier label on, `hybrid` answers at once. */
  readonly certainty: number;
  /** Whether generation is held to the profile's grammar, where there is one. */
  readonly constrained: boolean;
  readonly signal?: AbortSignal;
  /** What has been written of a single answer, as it is written. */
  readonly onText?: (text: string) => void;
}

/** Every judgement's answer, in order. */
export async function answerAll(
  engine: Engine,
  profile: GuardProfile,
  asked: readonly Asked[],
  settings: RegimeSettings,
): Promise<Answered[]> {
  if (settings.regime === 'reason') return reasonAll(engine, profile, asked, settings);
  const quick = await fastAll(engine, profile, asked, settings);
  if (settings.regime === 'fast') return quick;
  const unsure = quick.flatMap((one, i) => (isCertain(one, settings.certainty) ? [] : [i]));
  if (unsure.length === 0) return quick;
  const reasoned = await reasonAll(
    engine,
    profile,
    unsure.map((i) => asked[i]),
    settings,
  );
  unsure.forEach((i, k) => {
    quick[i] = reasoned[k];
  });
  return quick;
}

const isCertain = ({ probability }: Answered, certainty: number): boolean =>
  probability !== null && Math.max(probability, 1 - probability) >= certainty;

async function fastAll(
  engine: Engine,
  { name, fast }: GuardProfile,
  asked: readonly Asked[],
  { signal }: RegimeSettings,
): Promise<Answered[]> {
  if (fast === null) {
    throw new UserError(
      `the profile ${name} has no answer that can be had at once; take the regime reason, or another profile`,
    );
  }
  const settings: EngineSettings = {
    // A mark before the word may be a token of its own.
    maxNewTokens: fast.lead === undefined ? 1 : 2,
    topLogprobs: TOP_LOGPROBS,
    signal,
    ...(fast.prefix === '' ? {} : { prefix: fast.prefix }),
  };
  const completions = await engine.completeAll(
    asked.map(({ chat }) => chat),
    settings,
  );
  return completions.map((completion) => fastAnswer(completion, fast));
}

/** The label is the likelier side; without log-probabilities that of the token itself. */
function fastAnswer(completion: EngineCompletion, { words, lead = '' }: FastVerdict): Answered {
  const { text, tokens } = completion;
  const behind = text.startsWith(lead) ? text.slice(lead.length).trimStart() : '';
  const start = text.length - behind.length;
  const side = sideThatBegins(behind.toLowerCase(), words);
  const probability = side === null ? null : unsafeProbability(tokens, start, words);
  const label = probability === null ? side : probability >= 0.5 ? 'unsafe' : 'safe';
  const answer: ReadAnswer =
    label === null
      ? unreadable('', 'the first word of the answer is no verdict')
      : {
          label,
          reasoning: '',
          category: null,
          violatedRule: null,
          verdictAt: start,
          words,
          problem: null,
        };
  return { regime: 'fast', completion, answer, probability, asked: false, usage: completion.usage };
}

async function reasonAll(
  engine: Engine,
  profile: GuardProfile,
  asked: readonly Asked[],
  settings: RegimeSettings,
): Promise<Answered[]> {
  const given = await completed(engine, profile, asked, settings);
  const completions = profile.thinks === true ? given.map(withThought) : given;
  const answered = completions.map((completion, i): Answered => {
    const read = profile.read(completion.text, asked[i].policy);
    // A thought that a server keeps apart is the reasoning of a family whose answer has none.
    const answer = read.reasoning === '' ? { ...read, reasoning: completion.thought ?? '' } : read;
    const { verdictAt, words } = answer;
    const probability =
      verdictAt === null || words === null ? null : unsafeProbability(completion.tokens, verdictAt, words);
    return { regime: 'reason', completion, answer, probability, asked: false, usage: completion.usage };
  });
  return askedWhereOpen(engine, profile, asked, answered, settings.signal);
}

async function completed(
  engine: Engine,
  { grammar }: GuardProfile,
  asked: readonly Asked[],
  { maxNewTokens, constrained, signal, onText }: RegimeSettings,
): Promise<EngineCompletion[]> {
  const settings: EngineSettings = { maxNewTokens, topLogprobs: TOP_LOGPROBS, signal };
  if (onText !== undefined && asked.length === 1) {
    const [{ chat, policy }] = asked;
    const held = constrained && grammar !== null ? { grammar: grammar(policy) } : {};
    for await (const { text, thought = '', completion } of engine.stream({
      ...settings,
      ...held,
      messages: chat,
    })) {
      for (const words of [thought, text]) if (words !== '') onText(words);
      if (completion !== null) return [completion];
    }
    assert(false, 'a stream ended without its completion');
  }
  if (!constrained || grammar === null) {
    return engine.completeAll(
      asked.map(({ chat }) => chat),
      settings,
    );
  }
  // A grammar belongs to a policy: those of one policy are computed together.
  const results: EngineCompletion[] = Array(asked.length);
  for (const [policy, places] of byPolicy(asked)) {
    const chats = places.map((i) => asked[i].chat);
    const completions = await engine.completeAll(chats, { ...settings, grammar: grammar(policy) });
    places.forEach((place, k) => {
      results[place] = completions[k];
    });
  }
  return results;
}

function byPolicy(asked: readonly Asked[]): Map<Policy, number[]> {
  const groups = new Map<Policy, number[]>();
  for (const [i, { policy }] of asked.entries()) groups.set(policy, [...(groups.get(policy) ?? []), i]);
  return groups;
}
