/** @module From judgements to verdicts: one group that is computed together, of which each costs only itself. */
import type { Engine } from '../engines/engine.js';
import type { Limiter } from '../engines/limiter.js';
import { Policy } from '../policy/policy.js';
import { assert, UserError } from '../util/errors.js';
import type { Answered, Asked } from './answered.js';
import type { ImageSource, Pictures, Reads, SeenItem } from './pictures.js';
import type { GuardProfile, ReadAnswer } from './profile.js';
import { answerAll, type RegimeSettings } from './regimes.js';
import type { Problem, Verdict } from './verdict.js';

/** One item under one policy; several images are judged as one item. */
export interface Judgement {
  readonly image: ImageSource | readonly ImageSource[];
  readonly policy: Policy | string;
}

/** What became of one judgement of a list: its verdict, or why it has none. */
export type Judged = {
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly judgement: Judgement;
} & (
  | { readonly verdict: Verdict; readonly error: null }
  | { readonly verdict: null; readonly error: UserError }
);

/** The verdicts alone. @throws the first error among them. */
export async function verdictsOf(judged: AsyncIterable<Judged>): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for await (const { verdict, error } of judged) {
    if (error !== null) throw error;
    verdicts.push(verdict);
  }
  return verdicts;
}

export interface JudgeSettings extends RegimeSettings {
  /** Lets groups to the engine. */
  readonly turns?: Limiter;
  /** What has been read for other groups. */
  readonly reads?: Reads;
}

/** Who judges. */
export interface Judge {
  readonly engine: Engine;
  readonly profile: GuardProfile;
  readonly pictures: Pictures;
}

interface Numbered {
  readonly index: number;
  readonly judgement: Judgement;
}

/** A judgement with its pictures read. */
interface Prepared extends Asked {
  readonly item: SeenItem;
  /** When it began, and when its pictures were there. */
  readonly begun: number;
  readonly ready: number;
}

type Outcome = { readonly answered: Answered; readonly generate: number } | UserError;

/**
 * The verdicts of a group, in its order. @throws what is no mistake in one of them: our bugs, and what ends the signal.
 */
export async function judgeGroup(
  judge: Judge,
  group: readonly Numbered[],
  { turns, reads = new Map(), ...settings }: JudgeSettings,
): Promise<Judged[]> {
  const prepared = await Promise.all(
    group.map(({ judgement }) => orUserError(prepare(judge, judgement, { ...settings, reads }))),
  );
  // An error that the end of the signal brought is nobody's own.
  settings.signal?.throwIfAborted();
  const asked = prepared.flatMap((one) => (one instanceof UserError ? [] : [one]));
  const leave = await turns?.enter(settings.signal);
  let outcomes: Outcome[];
  try {
    outcomes = await answerEach(judge, asked, settings);
  } finally {
    leave?.();
  }
  settings.signal?.throwIfAborted();
  const left = outcomes.values();
  return group.map(({ index, judgement }, i): Judged => {
    const one = prepared[i];
    const outcome = one instanceof UserError ? one : left.next().value;
    assert(outcome !== undefined, 'a judgement without its answer');
    if (outcome instanceof UserError || one instanceof UserError) {
      return { index, judgement, verdict: null, error: outcome as UserError };
    }
    return { index, judgement, verdict: verdictOf(judge, one, outcome), error: null };
  });
}

async function prepare(
  { profile, pictures }: Judge,
  { image, policy: given }: Judgement,
  { regime, maxNewTokens, signal, reads }: RegimeSettings & { readonly reads: Reads },
): Promise<Prepared> {
  const begun = performance.now();
  const policy = typeof given === 'string' ? Policy.from(given) : given;
  const item = await pictures.item(image, regime === 'fast' ? 1 : maxNewTokens, { signal, reads });
  const chat = profile.messages(item.images, policy);
  return { policy, chat, item, begun, ready: performance.now() };
}

/** All together; where that fails for a reason that may be one's own, one by one. */
async function answerEach(
  judge: Judge,
  asked: readonly Prepared[],
  settings: RegimeSettings,
): Promise<Outcome[]> {
  const together = await orUserError(answerTogether(judge, asked, settings));
  if (!(together instanceof UserError)) return together;
  // Nobody's own: each would only wait for the same server again.
  if (asked.length === 1 || together.kind === 'unreachable') return asked.map(() => together);
  const outcomes: Outcome[] = [];
  for (const one of asked) {
    const alone = await orUserError(answerTogether(judge, [one], settings));
    outcomes.push(...(alone instanceof UserError ? [alone] : alone));
  }
  return outcomes;
}

async function answerTogether(
  { engine, profile }: Judge,
  asked: readonly Prepared[],
  settings: RegimeSettings,
): Promise<{ readonly answered: Answered; readonly generate: number }[]> {
  if (asked.length === 0) return [];
  const begun = performance.now();
  const answers = await answerAll(engine, profile, asked, settings);
  const generate = performance.now() - begun;
  return answers.map((answered) => ({ answered, generate }));
}

function verdictOf(
  { engine, profile }: Judge,
  { policy, item, begun, ready }: Prepared,
  { answered, generate }: Exclude<Outcome, UserError>,
): Verdict {
  const { answer, completion, probability, regime } = answered;
  return {
    label: answer.label,
    probability,
    category: answer.category,
    violatedRule: answer.violatedRule,
    reasoning: answer.reasoning,
    raw: completion.text,
    problem: problemOf(answer, answered),
    tokens: answered.usage,
    timings: { image: ready - begun, generate, total: performance.now() - begun },
    model: engine.identity,
    policy: policy.identity,
    unknownWords: profile.vocabulary?.unknownWords(policy.statements) ?? [],
    profile: profile.name,
    regime,
    asked: answered.asked,
    images: item.seen,
    maxPixels: item.maxPixels,
    finishReason: completion.finishReason,
  };
}

/** An answer without a verdict that the token limit cut off has the limit as its reason. */
function problemOf({ problem }: ReadAnswer, { completion, regime }: Answered): Problem | null {
  const isOpen = problem?.kind === 'unreadable' || problem?.kind === 'undecided';
  if (!isOpen || completion.finishReason !== 'length' || regime === 'fast') return problem;
  const count = completion.usage.completion;
  const after = count === null ? '' : ` after ${count} tokens`;
  return { kind: 'truncated', message: `the answer was cut off${after}; allow more` };
}

/** A mistake in one judgement does not end the others; ours does. */
async function orUserError<T>(work: Promise<T>): Promise<T | UserError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}
