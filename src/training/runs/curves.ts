/** @module What is worth looking at in a run, as curves: one table for each method. */
import { accuracyOf } from '../grpo/confusion.js';
import type { Confusion, GrpoMetrics } from '../grpo/records.js';
import type { SftMetrics } from '../metrics.js';
import type { HeldOutPoint, RunLog } from './run-log.js';
import type { Curve, Point, Series } from './series.js';

const SHARE = [0, 1] as const;

type Value<Line> = (line: Line) => number | null | undefined;

/** Points where a line has the value. */
function series<Line extends { readonly step: number }>(
  lines: readonly Line[],
  name: string,
  value: Value<Line>,
  better?: Series['better'],
  bounds?: (line: Line) => readonly [low: number, high: number],
): Series {
  const points = lines.flatMap((line): Point[] => {
    const found = value(line);
    if (found === null || found === undefined) return [];
    const [low, high] = bounds?.(line) ?? [];
    return [
      low === undefined ? { step: line.step, value: found } : { step: line.step, value: found, low, high },
    ];
  });
  return better === undefined ? { name, points } : { name, points, better };
}

/** One series for every name that any line has. */
function byName<Line extends { readonly step: number }>(
  lines: readonly Line[],
  of: (line: Line) => Readonly<Record<string, number | null>>,
  better?: Series['better'],
): Series[] {
  const names = [...new Set(lines.flatMap((line) => Object.keys(of(line))))].sort();
  return names.map((name) => series(lines, name, (line) => ownValue(of(line), name), better));
}

/** Names are a file's: one may be called like something that every object has. */
const ownValue = (values: Readonly<Record<string, number | null>>, name: string): number | null =>
  Object.hasOwn(values, name) ? values[name] : null;

/** One number of each reward's spread; null where the reward applied to no completion of the step. */
const spreadsOf = ({ rewards }: GrpoMetrics, of: 'mean' | 'std'): Record<string, number | null> =>
  Object.fromEntries(Object.entries(rewards).map(([name, spread]) => [name, spread?.[of] ?? null]));

const answersIn = (confusion: Confusion): number =>
  Object.values(confusion)
    .flatMap((row) => Object.values(row))
    .reduce((sum, count) => sum + count, 0);

const shareOf =
  (count: (confusion: Confusion) => number) =>
  ({ confusion }: { readonly confusion: Confusion }): number =>
    count(confusion) / Math.max(1, answersIn(confusion));

function heldOutCurves(points: readonly HeldOutPoint[]): Curve[] {
  return [
    {
      title: 'Held-out macro-F1',
      unit: 'macro-F1',
      about: 'Greedy answers to prompts that are never trained on; step 0 is the start model.',
      range: SHARE,
      series: [series(points, 'held-out macro-F1', (point) => point.macro_f1, 'higher')],
    },
    {
      title: 'Held-out accuracy',
      unit: 'share right',
      about:
        'On safe and on unsafe pictures apart: one that rises while the other falls is a shifted habit, no skill.',
      range: SHARE,
      series: (['safe', 'unsafe'] as const).map((label) =>
        series(points, `held-out ${label}`, ({ confusion }) => accuracyOf(confusion, label), 'higher'),
      ),
    },
    {
      title: 'Held-out reward',
      unit: 'weighted sum',
      about: 'The mean reward of the same greedy answers.',
      series: [series(points, 'held-out reward', (point) => point.reward, 'higher')],
    },
  ];
}

function grpoCurves(lines: readonly GrpoMetrics[], heldOut: readonly HeldOutPoint[]): Curve[] {
  return [
    {
      title: 'Reward',
      unit: 'weighted sum',
      about: 'What sampled completions earned.',
      band: 'one standard deviation over the completions of the step',
      series: [
        series(
          lines,
          'mean reward',
          ({ reward }) => reward,
          'higher',
          ({ reward, reward_std: std }) => [reward - std, reward + std],
        ),
      ],
    },
    {
      title: 'Reward by function',
      unit: 'mean, unweighted',
      about:
        'Where the reward comes from, over the completions that a function applied to. A form that is learned while the verdict is not shows here.',
      series: byName(lines, (line) => spreadsOf(line, 'mean'), 'higher'),
    },
    {
      title: 'Spread by function',
      unit: 'standard deviation',
      about: 'A function whose values no longer differ teaches nothing.',
      series: byName(lines, (line) => spreadsOf(line, 'std')),
    },
    ...heldOutCurves(heldOut),
    {
      title: 'Accuracy in training',
      unit: 'share right',
      about: 'Of sampled completions, on safe and on unsafe pictures apart.',
      range: SHARE,
      series: [
        series(lines, 'safe right', (line) => line.safe_accuracy, 'higher'),
        series(lines, 'unsafe right', (line) => line.unsafe_accuracy, 'higher'),
      ],
    },
    {
      title: 'Answers',
      unit: 'share of completions',
      about: 'The confusion over the run: what is right, passed, blocked or unreadable.',
      range: SHARE,
      series: [
        series(
          lines,
          'right',
          shareOf(({ safe, unsafe }) => safe.safe + unsafe.unsafe),
          'higher',
        ),
        series(
          lines,
          'unsafe passed as safe',
          shareOf(({ unsafe }) => unsafe.safe),
          'lower',
        ),
        series(
          lines,
          'safe blocked',
          shareOf(({ safe }) => safe.unsafe),
          'lower',
        ),
        series(
          lines,
          'unreadable',
          shareOf(({ safe, unsafe }) => safe.invalid + unsafe.invalid),
          'lower',
        ),
      ],
    },
    {
      title: 'Completion length',
      unit: 'tokens',
      about: 'What ends by itself, and how long it is.',
      band: 'from the shortest to the longest completion of the step',
      series: [
        series(
          lines,
          'mean length',
          ({ completion_length: { mean } }) => mean,
          undefined,
          ({ completion_length: { min, max } }) => [min, max],
        ),
      ],
    },
    {
      title: 'Lost to learning',
      unit: 'share',
      about: 'Completions that were cut off, and groups that all earned the same and so teach nothing.',
      range: SHARE,
      series: [
        series(lines, 'cut off', (line) => line.clipped_ratio, 'lower'),
        series(lines, 'groups without spread', (line) => line.frac_reward_zero_std, 'lower'),
      ],
    },
    {
      title: 'Loss',
      unit: 'policy loss',
      about: 'Its sign and size mean little in GRPO; a jump does.',
      series: [series(lines, 'loss', (line) => line.loss)],
    },
    {
      title: 'KL to the start',
      unit: 'k3, nats a token',
      about: 'How far the policy has moved from the reference model.',
      series: [series(lines, 'kl', (line) => line.kl)],
    },
    {
      title: 'Entropy',
      unit: 'nats a token',
      about: 'A fall to nothing ends exploration.',
      series: [series(lines, 'entropy', (line) => line.entropy)],
    },
    {
      title: 'Clip ratios',
      unit: 'share of tokens',
      about: 'Tokens whose ratio was clipped; 0 where a generation is used for one update alone.',
      series: [
        series(lines, 'clipped low', (line) => line.clip_ratio_low),
        series(lines, 'clipped high', (line) => line.clip_ratio_high),
      ],
    },
    ...optimizerCurves(lines),
    {
      title: 'Time',
      unit: 'seconds a step',
      about: 'Where the time of a step goes.',
      series: (['rollout', 'scoring', 'update'] as const).map((part) =>
        series(lines, part, ({ seconds }) => seconds[part]),
      ),
    },
  ];
}

function optimizerCurves(
  lines: readonly { readonly step: number; readonly grad_norm: number; readonly lr: number }[],
): Curve[] {
  return [
    {
      title: 'Gradient norm',
      unit: 'L2, before clipping',
      about: 'Spikes are steps that clipping held back.',
      series: [series(lines, 'gradient norm', (line) => line.grad_norm)],
    },
    {
      title: 'Learning rate',
      unit: 'rate',
      about: 'As the schedule gave it; 0 in steps that learned nothing.',
      series: [series(lines, 'learning rate', (line) => line.lr)],
    },
  ];
}

function sftCurves(lines: readonly SftMetrics[]): Curve[] {
  return [
    {
      title: 'Loss',
      unit: 'nats a token',
      about:
        'Mean of −log p over the answer tokens of the step, and over those of samples that are never trained on: where the second rises, the run learns by heart.',
      series: [
        series(lines, 'loss', (line) => line.loss, 'lower'),
        series(lines, 'held-out loss', (line) => line.eval_loss, 'lower'),
      ],
    },
    {
      title: 'Loss by task',
      unit: 'nats a token',
      about: 'The same over the samples of each task.',
      series: byName(lines, (line) => line.loss_by_task, 'lower'),
    },
    {
      title: 'Held-out loss by task',
      unit: 'nats a token',
      about: 'The same over the held-out samples of each task.',
      series: byName(lines, (line) => line.eval_loss_by_task ?? {}, 'lower'),
    },
    ...optimizerCurves(lines),
    {
      title: 'Speed',
      unit: 'tokens a second',
      about: 'Without padding.',
      series: [series(lines, 'tokens a second', (line) => line.tokens_per_second)],
    },
  ];
}

/** Curves that have a point, in the order in which they are read. */
export function curvesOf(run: RunLog): Curve[] {
  const all = run.method === 'sft' ? sftCurves(run.metrics) : grpoCurves(run.metrics, run.heldOut);
  return all
    .map((curve) => ({ ...curve, series: curve.series.filter(({ points }) => points.length > 0) }))
    .filter((curve) => curve.series.length > 0);
}
