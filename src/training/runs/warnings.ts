/**
 * @module What a person should look at in a run that goes on: the self-checks stop what is pointless, these warnings name
 * what is doubtful. Each is a row of the table.
 */
import type { GrpoMetrics } from '../grpo/records.js';
import type { HeldOutPoint, RunLog } from './run-log.js';
import type { SftMetrics } from '../metrics.js';
import { meanOf } from './series.js';

export interface RunWarning {
  readonly name: string;
  readonly message: string;
}

interface Check<Line> {
  readonly name: string;
  /** What is doubtful and what to do; null where nothing is. */
  readonly found: (run: Parts<Line>) => string | null;
}

interface Parts<Line> {
  readonly all: readonly Line[];
  /** The first and the last steps; they do not overlap. */
  readonly early: readonly Line[];
  readonly late: readonly Line[];
  readonly heldOut: readonly HeldOutPoint[];
}

/** Steps at either end that are looked at: enough to be calm, at most a third of the run. */
const END_STEPS = 20;

const SILENT_SHARE = 0.5;
const TRUNCATED_SHARE = 0.1;
const INVALID_SHARE = 0.1;
/** Of the answers to pictures of both labels. */
const ONE_SIDED_SHARE = 0.95;
const BOTH_LABELS_SHARE = 0.1;
/** What a form reward must gain, and what accuracy must, to have gained. */
const FORM_GAIN = 0.05;
const ACCURACY_GAIN = 0.02;
/** Rewards that any guardrail can earn without judging right. */
const FORM_REWARDS = ['format', 'readable', 'length', 'policyshift_think'];
/** Below this part of what it was, sampling tries next to nothing new. */
const ENTROPY_LEFT = 0.1;
/** Gradients that are so many times as large as in the beginning. */
const GROWN_GRADIENTS = 10;
/** A held-out loss that is so many times its least has risen, and not by chance alone. */
const RISEN_LOSS = 1.02;
/** Evaluations after the start before which nothing is said of them. */
const EVALUATIONS = 3;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** Counts of answers, added up. */
function answered(lines: readonly GrpoMetrics[]): {
  readonly all: number;
  readonly unsafe: number;
  readonly saidUnsafe: number;
  readonly saidSafe: number;
} {
  const sum = (of: (confusion: GrpoMetrics['confusion']) => number): number =>
    lines.reduce((total, { confusion }) => total + of(confusion), 0);
  const unsafe = sum((c) => c.unsafe.safe + c.unsafe.unsafe + c.unsafe.invalid);
  return {
    unsafe,
    all: unsafe + sum((c) => c.safe.safe + c.safe.unsafe + c.safe.invalid),
    saidUnsafe: sum((c) => c.safe.unsafe + c.unsafe.unsafe),
    saidSafe: sum((c) => c.safe.safe + c.unsafe.safe),
  };
}

/** Whether pictures of both labels are asked about, so that one answer for all cannot be right. */
function hasBothLabels({ all, unsafe }: ReturnType<typeof answered>): boolean {
  const share = unsafe / Math.max(1, all);
  return share >= BOTH_LABELS_SHARE && share <= 1 - BOTH_LABELS_SHARE;
}

/** The mean of both labels' accuracies: a habit of one answer gains nothing. */
const balanced = (lines: readonly GrpoMetrics[]): number =>
  meanOf(
    [lines.map((line) => line.safe_accuracy), lines.map((line) => line.unsafe_accuracy)].map((values) =>
      meanOf(values.flatMap((value) => value ?? [])),
    ),
  );

/** A reward's means in the steps where it applied to anything. */
const meansOf = (lines: readonly GrpoMetrics[], name: string): number[] =>
  lines.flatMap(({ rewards }) => (Object.hasOwn(rewards, name) ? (rewards[name]?.mean ?? []) : []));

/** How much a reward rose; 0 where it did not apply at either end. */
function gainOf(name: string, { early, late }: Parts<GrpoMetrics>): number {
  const [before, now] = [meansOf(early, name), meansOf(late, name)];
  return before.length === 0 || now.length === 0 ? 0 : meanOf(now) - meanOf(before);
}

const GRPO_CHECKS: readonly Check<GrpoMetrics>[] = [
  {
    name: 'reward-of-nobody',
    found: ({ late }) => {
      const names = [...new Set(late.flatMap(({ rewards }) => Object.keys(rewards)))].filter(
        (name) => meansOf(late, name).length === 0,
      );
      return names.length === 0
        ? null
        : `${names.join(' and ')} applied to no completion: the data lacks what it goes by (statements, categories, pairs or answers); add that, or leave it out of rewards`;
    },
  },
  {
    name: 'zero-spread',
    found: ({ late }) => {
      const share = meanOf(late.map((line) => line.frac_reward_zero_std));
      return share < SILENT_SHARE
        ? null
        : `in ${percent(share)} of the groups all completions earned the same, and these taught nothing: raise num_generations or temperature, or choose prompts that are sometimes answered right`;
    },
  },
  {
    name: 'truncated',
    found: ({ late }) => {
      const share = meanOf(late.map((line) => line.clipped_ratio));
      return share < TRUNCATED_SHARE
        ? null
        : `${percent(share)} of the completions are cut off: raise max_completion_length, or reward shorter answers`;
    },
  },
  {
    name: 'unreadable',
    found: ({ late }) => {
      const share = meanOf(late.map((line) => line.invalid_ratio));
      return share < INVALID_SHARE
        ? null
        : `${percent(share)} of the answers cannot be read: look at some (--step), and give the reward for a readable answer more weight`;
    },
  },
  {
    name: 'always-unsafe',
    found: ({ late }) => {
      const counts = answered(late);
      const share = counts.saidUnsafe / Math.max(1, counts.all);
      return share < ONE_SIDED_SHARE || !hasBothLabels(counts)
        ? null
        : `${percent(share)} of the answers say unsafe whatever the picture: add pairs of policies that disagree about a picture, and look at the accuracy on safe pictures`;
    },
  },
  {
    name: 'always-safe',
    found: ({ late }) => {
      const counts = answered(late);
      const share = counts.saidSafe / Math.max(1, counts.all);
      return share < ONE_SIDED_SHARE || !hasBothLabels(counts)
        ? null
        : `${percent(share)} of the answers say safe whatever the picture: add pairs of policies that disagree about a picture, and look at the accuracy on unsafe pictures`;
    },
  },
  {
    name: 'format-without-accuracy',
    found: (parts) => {
      const { early, late } = parts;
      if (early.length === 0) return null;
      const gained = balanced(late) - balanced(early);
      const form = FORM_REWARDS.map((name) => ({ name, gain: gainOf(name, parts) }));
      const risen = form.filter(({ gain }) => gain >= FORM_GAIN);
      if (risen.length === 0 || gained >= ACCURACY_GAIN) return null;
      const names = risen.map(({ name, gain }) => `${name} (+${gain.toFixed(2)})`).join(' and ');
      return `${names} rose and the accuracy did not (${gained >= 0 ? '+' : ''}${gained.toFixed(3)}): the form is learned, the judging is not; lower the weight of the form`;
    },
  },
  {
    name: 'entropy-gone',
    found: ({ early, late }) => {
      const [before, now] = [early, late].map((lines) => meanOf(lines.map(({ entropy }) => entropy)));
      return early.length === 0 || before <= 0 || now >= ENTROPY_LEFT * before
        ? null
        : `entropy fell from ${before.toFixed(3)} to ${now.toFixed(3)} nats a token: little is tried any more; raise epsilon_high or temperature, or lower optimizer.lr`;
    },
  },
  {
    name: 'no-better-than-start',
    found: ({ heldOut }) => {
      const [start, ...later] = heldOut;
      if (start?.step !== 0 || later.length < EVALUATIONS) return null;
      const most = Math.max(...later.map((point) => point.macro_f1));
      return most > start.macro_f1
        ? null
        : `no evaluation beat the start model's held-out macro-F1 of ${start.macro_f1.toFixed(3)} (the best later one is ${most.toFixed(3)}): best/ still holds the start; what trains well may be measured wrong, or the rate is`;
    },
  },
];

const SFT_CHECKS: readonly Check<SftMetrics>[] = [
  {
    name: 'overfitting',
    found: ({ all }) => {
      const measured = all.flatMap(({ step, eval_loss: loss }) =>
        loss === undefined ? [] : [{ step, loss }],
      );
      if (measured.length < EVALUATIONS) return null;
      const best = measured.reduce((least, one) => (one.loss < least.loss ? one : least));
      const last = measured[measured.length - 1];
      return last.loss < RISEN_LOSS * best.loss
        ? null
        : `the held-out loss rose from ${best.loss.toFixed(3)} after step ${best.step} to ${last.loss.toFixed(3)}: the run learns by heart; take the checkpoint nearest to step ${best.step}, or train with more data, fewer steps or a lower optimizer.lr`;
    },
  },
  {
    name: 'loss-not-falling',
    found: ({ early, late }) => {
      if (early.length === 0) return null;
      const [before, now] = [early, late].map((lines) => meanOf(lines.map(({ loss }) => loss)));
      return now < before
        ? null
        : `the loss went from ${before.toFixed(3)} to ${now.toFixed(3)}: lower optimizer.lr, or look whether the data became harder on purpose (curriculum)`;
    },
  },
  {
    name: 'gradients-grown',
    found: ({ early, late }) => {
      const [before, now] = [early, late].map((lines) => meanOf(lines.map((line) => line.grad_norm)));
      return early.length === 0 || now < GROWN_GRADIENTS * before
        ? null
        : `the gradient norm grew from ${before.toFixed(2)} to ${now.toFixed(2)}: the run may be about to diverge; lower optimizer.lr`;
    },
  },
];

/** Everything that is found, in the order of the tables. */
export function warningsOf(run: RunLog): RunWarning[] {
  const parts = <Line>(lines: readonly Line[]): Parts<Line> => {
    const size = Math.max(1, Math.min(END_STEPS, Math.floor(lines.length / 3)));
    return {
      all: lines,
      early: lines.length < 2 * size ? [] : lines.slice(0, size),
      late: lines.slice(-size),
      heldOut: run.heldOut,
    };
  };
  const found = <Line>(checks: readonly Check<Line>[], lines: readonly Line[]): RunWarning[] =>
    checks.flatMap(({ name, found: look }) => {
      const message = look(parts(lines));
      return message === null ? [] : [{ name, message }];
    });
  return run.method === 'sft' ? found(SFT_CHECKS, run.metrics) : found(GRPO_CHECKS, run.metrics);
}
