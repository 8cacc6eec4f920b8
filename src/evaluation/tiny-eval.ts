/** @module The evaluation of an IconWorld model, exactly as the design fixes it: free-running, greedy, with reasons. */
import { UserError } from '../util/errors.js';
import type { Answerer } from './answerer.js';
import {
  binaryF1,
  bootstrap,
  type Estimate,
  mean,
  policySensitivity,
  shareOf,
  type Tally,
} from './metrics.js';
import { type AnswerScore, scoreAnswer } from './score.js';
import { drawPart, type EvalItem, type Part, PARTS, partSizes } from './tiny-items.js';

/** The numbers of the last line, in its order. */
export const TINY_METRICS = [
  'levelsF1',
  'freeF1',
  'pss',
  'invalid',
  'named',
  'quoted',
  'unseenStyleF1',
  'newWordsF1',
] as const;
export type TinyMetric = (typeof TINY_METRICS)[number];

/** One judgement with what was made of it; `unsafe` and `saidUnsafe` are what F1 and PSS count. */
export interface Outcome extends AnswerScore {
  readonly item: EvalItem;
  readonly given: string;
  readonly unsafe: boolean;
}

/** All judgements of one picture: what the bootstrap draws. */
export type Picture = readonly Outcome[];

export interface TinyEvaluation {
  readonly seed: number | string;
  readonly limit: number;
  readonly metrics: Readonly<Record<TinyMetric, Estimate>>;
  readonly pictures: Readonly<Record<Part, readonly Picture[]>>;
}

export interface TinyEvalOptions {
  readonly seed: number | string;
  /** N: half free judgements, half on the levels; the two other F1 take another N/2 each. */
  readonly limit: number;
  /** Those to ask for, all if absent; metrics of the others are null. */
  readonly parts?: readonly Part[];
  /** Called with every judgement, in the order of the evaluation. */
  readonly onOutcome?: (outcome: Outcome) => void;
}

/** Fewer judgements would leave the levels without a scene. */
export const SMALLEST_LIMIT = 10;

/** Runs the whole evaluation; `loadIcons()` must have finished for both styles. */
export async function evaluateTiny(
  answerer: Answerer,
  { seed, limit, parts = PARTS, onOutcome }: TinyEvalOptions,
): Promise<TinyEvaluation> {
  if (!Number.isSafeInteger(limit) || limit < SMALLEST_LIMIT) {
    throw new UserError(
      `The limit is ${limit}: evaluate a whole number of at least ${SMALLEST_LIMIT} judgements.`,
    );
  }
  const sizes = partSizes(limit);
  const pictures: Record<Part, Picture[]> = { free: [], levels: [], unseenStyle: [], newWords: [] };
  for (const part of parts) {
    const items = drawPart(part, seed, sizes);
    const answers = await answerer(items);
    const outcomes = items.map((item, i) => outcomeOf(item, answers[i]));
    for (const outcome of outcomes) onOutcome?.(outcome);
    pictures[part] = byPicture(outcomes);
  }
  return { seed, limit, metrics: metricsOf(pictures, seed), pictures };
}

function outcomeOf(item: EvalItem, given: string): Outcome {
  const score = scoreAnswer(given, item.facts, item.policy);
  // The picture is no longer needed, and thousands of them are much memory.
  return { ...score, item: { ...item, image: null }, given, unsafe: item.label === 'unsafe' };
}

function byPicture(outcomes: readonly Outcome[]): Picture[] {
  const pictures = new Map<string, Outcome[]>();
  for (const outcome of outcomes) {
    const { scene } = outcome.item;
    const picture = pictures.get(scene);
    if (picture) picture.push(outcome);
    else pictures.set(scene, [outcome]);
  }
  return [...pictures.values()];
}

type Statistic = (pictures: readonly Picture[]) => number | null;

const flatF1: Statistic = (pictures) => binaryF1(pictures.flat());

/** The mean over levels of each level's F1; a level without unsafe judgements, true or claimed, is left out. */
export const levelsF1: Statistic = (pictures) => mean(f1ByLevel(pictures));

export function f1ByLevel(pictures: readonly Picture[]): (number | null)[] {
  const levels = new Map<number, Outcome[]>();
  for (const outcome of pictures.flat()) {
    const level = outcome.item.level ?? 0;
    const outcomes = levels.get(level);
    if (outcomes) outcomes.push(outcome);
    else levels.set(level, [outcome]);
  }
  return [...levels].toSorted(([a], [b]) => a - b).map(([, outcomes]) => binaryF1(outcomes));
}

const tallied =
  (tally: (outcome: Outcome) => Tally): Statistic =>
  (pictures) =>
    shareOf(pictures.flat().map(tally));

/** Each metric on the pictures it is about. */
const METRICS: Readonly<Record<TinyMetric, readonly [parts: readonly Part[], statistic: Statistic]>> = {
  levelsF1: [['levels'], levelsF1],
  freeF1: [['free'], flatF1],
  pss: [['levels'], policySensitivity],
  invalid: [['free', 'levels'], tallied(({ verdict }) => ({ right: Number(verdict === 'invalid'), of: 1 }))],
  named: [['free', 'levels'], tallied(({ named }) => named)],
  quoted: [['free', 'levels'], tallied(({ quoted }) => quoted)],
  unseenStyleF1: [['unseenStyle'], flatF1],
  newWordsF1: [['newWords'], flatF1],
};

function metricsOf(
  pictures: Readonly<Record<Part, readonly Picture[]>>,
  seed: number | string,
): Record<TinyMetric, Estimate> {
  const estimate = (metric: TinyMetric): Estimate => {
    const [parts, statistic] = METRICS[metric];
    return bootstrap(
      parts.flatMap((part) => pictures[part]),
      statistic,
      { seed: `${seed}/${metric}` },
    );
  };
  return {
    levelsF1: estimate('levelsF1'),
    freeF1: estimate('freeF1'),
    pss: estimate('pss'),
    invalid: estimate('invalid'),
    named: estimate('named'),
    quoted: estimate('quoted'),
    unseenStyleF1: estimate('unseenStyleF1'),
    newWordsF1: estimate('newWordsF1'),
  };
}

/** Digits after the point in the last line. */
const DIGITS = 4;

/** The last line of the output: one JSON object; null for what so few judgements do not define. */
export function metricsJson({ metrics }: Pick<TinyEvaluation, 'metrics'>): string {
  const rounded = TINY_METRICS.map((name) => {
    const { value } = metrics[name];
    return [name, value === null ? null : Number(value.toFixed(DIGITS))] as const;
  });
  return JSON.stringify(Object.fromEntries(rounded));
}
