/** @module A quick free-running look at one task, for use during training. */
import { parseAnswer } from '../iconworld/answer.js';
import type { QuestionKind } from '../iconworld/questions.js';
import {
  captionSample,
  findWordsSample,
  indexSample,
  judgementSample,
  locateSample,
  outOfWorldSample,
  questionSample,
  readingSample,
  type Sample,
  type SampleStream,
  type Task,
} from '../iconworld/samples.js';
import type { Split } from '../iconworld/splits.js';
import { Random } from '../util/random.js';
import type { Answerer } from './answerer.js';
import { mean, shareOf } from './metrics.js';
import { scoreAnswer, scoreSeen } from './score.js';

export interface ProbeOptions {
  readonly task: Task;
  /** `test` if absent. */
  readonly split?: Split;
  /** Ruling statements besides the default in reading and judgement: half of the samples have so many. 8 if absent. */
  readonly maxRules?: number;
  /** 100 if absent. */
  readonly count?: number;
  readonly seed?: number | string;
}

/** Shares of 1; null where the task has no such thing. */
export interface ProbeResult {
  readonly task: Task;
  readonly count: number;
  /** Answers equal to the gold one to the letter. */
  readonly exact: number;
  readonly named: number | null;
  readonly setting: number | null;
  readonly status: number | null;
  readonly verdict: number | null;
  readonly quoted: number | null;
  /** Right group lines (never together, at most) of those that should be there. */
  readonly groups: number | null;
  /** Answers that say nothing of the picture: malformed, or "This is not a picture I know." */
  readonly invalid: number | null;
  /** Exact share of each kind of question. */
  readonly kinds: Readonly<Partial<Record<QuestionKind, number>>>;
  /** Answers that are not the gold one, to look at. */
  readonly wrong: readonly WrongAnswer[];
}

interface WrongAnswer {
  readonly prompt: string;
  readonly gold: string;
  readonly answer: string;
}

export const PROBE_TASKS = [
  'caption',
  'reading',
  'index',
  'locate',
  'findWords',
  'judgement',
  'question',
  'outOfWorld',
] as const satisfies readonly Task[];

interface StreamChoice {
  readonly split: Split;
  readonly maxRules: number;
}

/** Long captions are worded at random: only short ones can be compared. */
const STREAMS: Readonly<Record<Task, (choice: StreamChoice) => SampleStream>> = {
  caption: ({ split }) => captionSample({ split, longShare: 0 }),
  reading: ({ split, maxRules }) => readingSample({ split, maxRules }),
  index: ({ split, maxRules }) => indexSample({ split, maxRules }),
  locate: ({ split, maxRules }) => locateSample({ split, maxRules }),
  findWords: ({ split, maxRules }) => findWordsSample({ split, maxRules }),
  judgement: ({ split, maxRules }) => judgementSample({ split, maxRules }),
  question: ({ split }) => questionSample({ split }),
  outOfWorld: ({ split }) => outOfWorldSample({ split }),
};

/** The samples of a probe; `loadIcons()` must have finished. */
export function probeSamples({
  task,
  split = 'test',
  maxRules = 8,
  count = 100,
  seed = 0,
}: ProbeOptions): Sample[] {
  const stream = STREAMS[task]({ split, maxRules });
  return Array.from({ length: count }, (_, index) =>
    stream.next(new Random(`probe/${seed}/${task}/${index}`)),
  );
}

/** Asks for `count` samples of one task and compares the answers. `loadIcons()` must have finished. */
export async function probeTasks(answerer: Answerer, options: ProbeOptions): Promise<ProbeResult> {
  const samples = probeSamples(options);
  const answers = await answerer(samples);
  const wrong = samples.flatMap(({ prompt, answer: gold }, i) =>
    answers[i].trim() === gold ? [] : [{ prompt, gold, answer: answers[i] }],
  );
  return { task: options.task, count: samples.length, ...SCORING[options.task](samples, answers), wrong };
}

type Shares = Omit<ProbeResult, 'task' | 'count' | 'wrong'>;

const NONE: Omit<Shares, 'exact'> = {
  named: null,
  setting: null,
  status: null,
  verdict: null,
  quoted: null,
  groups: null,
  invalid: null,
  kinds: {},
};

const SCORING: Readonly<Record<Task, (samples: readonly Sample[], answers: readonly string[]) => Shares>> = {
  caption: seenShares,
  reading: judgedShares,
  index: (samples, answers) => ({ ...NONE, exact: exactShare(samples, answers) }),
  locate: (samples, answers) => ({ ...NONE, exact: exactShare(samples, answers) }),
  findWords: (samples, answers) => ({ ...NONE, exact: exactShare(samples, answers) }),
  judgement: judgedShares,
  question: questionShares,
  outOfWorld: (samples, answers) => ({
    ...NONE,
    exact: exactShare(samples, answers),
    invalid: trueShare(answers.map((answer) => parseAnswer(answer).verdict === 'invalid')) ?? 0,
  }),
};

function seenShares(samples: readonly Sample[], answers: readonly string[]): Shares {
  const scores = samples.flatMap(({ meta }, i) => (meta.facts ? [scoreSeen(answers[i], meta.facts)] : []));
  return {
    ...NONE,
    exact: exactShare(samples, answers),
    named: shareOf(scores.map(({ named }) => named)),
    setting: trueShare(scores.map(({ setting }) => setting)),
  };
}

function judgedShares(samples: readonly Sample[], answers: readonly string[]): Shares {
  const scores = samples.flatMap(({ meta: { facts, policy } }, i) =>
    facts && policy ? [scoreAnswer(answers[i], facts, policy)] : [],
  );
  return {
    ...seenShares(samples, answers),
    status: shareOf(scores.map(({ status }) => status)),
    verdict: trueShare(scores.map(({ verdict, label }) => verdict === label)),
    quoted: shareOf(scores.map(({ quoted }) => quoted)),
    groups: shareOf(scores.flatMap(({ together, atMost }) => [together, atMost])),
    invalid: trueShare(scores.map(({ verdict }) => verdict === 'invalid')),
  };
}

function questionShares(samples: readonly Sample[], answers: readonly string[]): Shares {
  const byKind = new Map<QuestionKind, boolean[]>();
  samples.forEach(({ meta: { question }, answer }, i) => {
    if (question === null) return;
    byKind.set(question, [...(byKind.get(question) ?? []), answers[i].trim() === answer]);
  });
  const kinds = Object.fromEntries([...byKind].map(([kind, exact]) => [kind, trueShare(exact)]));
  return { ...NONE, exact: exactShare(samples, answers), kinds };
}

const exactShare = (samples: readonly Sample[], answers: readonly string[]): number =>
  trueShare(samples.map(({ answer }, i) => answers[i].trim() === answer)) ?? 0;

/** The share of true ones; null of nothing. */
const trueShare = (values: readonly boolean[]): number | null => mean(values.map(Number));

/** One line: `reading      n 100  exact 0.81  verdict 0.93 …`. */
export function probeLine(result: ProbeResult): string {
  const { exact, named, setting, status, verdict, quoted, groups, invalid, kinds } = result;
  const shares = Object.entries({
    exact,
    named,
    setting,
    status,
    quoted,
    groups,
    verdict,
    invalid,
    ...kinds,
  });
  const said = shares.flatMap(([name, share]) => (share === null ? [] : [`${name} ${share.toFixed(3)}`]));
  return [result.task.padEnd(10), `n ${result.count}`, ...said].join('  ');
}
