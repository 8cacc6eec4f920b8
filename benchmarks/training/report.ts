/** @module From measured rounds to the figures, the table and the check that both sides compute the same. */
import { formatSpread, median, relativeDifference, type Spread, spread, table } from '../shared/report.js';
import { type CountedBatch, stepFlops } from './flops.js';
import type { StepResult } from './jobs.js';
import { OURS } from './measure.js';
import type { BenchmarkModel } from './shapes.js';

/** Both sides' first losses may differ by this share: f32 sums in different orders. */
const LOSS_TOLERANCE = 2e-4;
/** A norm over all gradients gathers more of that than a loss. */
const GRAD_NORM_TOLERANCE = 1e-3;

export interface SideFigures {
  readonly side: string;
  readonly tokensPerSecond: Spread;
  readonly millisecondsPerStep: Spread;
  readonly gflopsPerSecond: Spread;
  /** Of the machine's matmul peak, by the medians. */
  readonly shareOfPeak: number;
  readonly peakMib: number;
  /** Our speed relative to this side's, round by round. */
  readonly oursRelative: Spread;
  readonly loss: Agreement;
  readonly gradNorm: Agreement;
}

/** A side's value at the first step, and its relative difference from ours at the first and the last step. */
interface Agreement {
  readonly first: number;
  readonly difference: number;
  readonly lastDifference: number;
}

export interface CaseFigures {
  readonly model: string;
  readonly parameters: number;
  readonly shape: string;
  /** Of one step: by the formula of flops.ts, and as torch's counter has it. */
  readonly gflopPerStep: number;
  readonly torchCountedGflop: number | null;
  readonly sides: readonly SideFigures[];
  readonly agree: boolean;
}

function agreement(values: readonly number[], ours: readonly number[]): Agreement {
  const last = values.length - 1;
  return {
    first: values[0],
    difference: relativeDifference(ours[0], values[0]),
    lastDifference: relativeDifference(ours[last], values[last]),
  };
}

export function caseFigures(
  { name, parameters, config }: BenchmarkModel,
  shape: string,
  batch: CountedBatch,
  results: ReadonlyMap<string, readonly StepResult[]>,
  peak: number,
): CaseFigures {
  const flops = stepFlops(config, batch);
  const ours = results.get(OURS.name) ?? [];
  const speed = (result: StepResult): number => 1000 / median(result.milliseconds);
  const sides = [...results].map(([side, rounds]): SideFigures => {
    const stepsPerSecond = rounds.map(speed);
    const gflopsPerSecond = spread(stepsPerSecond.map((steps) => (steps * flops) / 1e9));
    return {
      side,
      tokensPerSecond: spread(stepsPerSecond.map((steps) => steps * batch.rows * batch.seq)),
      millisecondsPerStep: spread(stepsPerSecond.map((steps) => 1000 / steps)),
      gflopsPerSecond,
      shareOfPeak: gflopsPerSecond.median / peak,
      peakMib: Math.max(...rounds.map(({ peakMib }) => peakMib)),
      oursRelative: spread(stepsPerSecond.map((steps, round) => speed(ours[round]) / steps)),
      loss: agreement(rounds[0].losses, ours[0].losses),
      gradNorm: agreement(rounds[0].gradNorms, ours[0].gradNorms),
    };
  });
  const counted = [...results.values()].flat().find(({ countedFlops }) => countedFlops !== undefined);
  return {
    model: name,
    parameters,
    shape,
    gflopPerStep: flops / 1e9,
    torchCountedGflop: counted?.countedFlops === undefined ? null : counted.countedFlops / 1e9,
    sides,
    agree: sides.every(
      ({ loss, gradNorm }) => loss.difference <= LOSS_TOLERANCE && gradNorm.difference <= GRAD_NORM_TOLERANCE,
    ),
  };
}

const SPEED_HEAD = [
  'model, batch',
  'side',
  'tokens/s',
  'ms/step',
  'GFLOP/s',
  'of peak',
  'peak RSS MiB',
  'ours / this (min–max)',
];
const SAME_HEAD = [
  'model, batch',
  'side',
  'first loss',
  'differs by',
  'first gradient norm',
  'differs by',
  'last loss differs by',
];

const millions = (parameters: number): string => `${(parameters / 1e6).toFixed(1)} M`;

export function speedTable(cases: readonly CaseFigures[]): string {
  const rows = cases.flatMap(({ model, parameters, shape, sides }) =>
    sides.map((figures) => [
      `${model} (${millions(parameters)}), ${shape}`,
      figures.side,
      figures.tokensPerSecond.median.toFixed(0),
      figures.millisecondsPerStep.median.toFixed(0),
      figures.gflopsPerSecond.median.toFixed(1),
      `${(100 * figures.shareOfPeak).toFixed(0)} %`,
      String(figures.peakMib),
      figures.side === OURS.name ? '' : formatSpread(figures.oursRelative, 2),
    ]),
  );
  return table(SPEED_HEAD, rows);
}

export function sameTable(cases: readonly CaseFigures[]): string {
  const rows = cases.flatMap(({ model, shape, sides }) =>
    sides.map(({ side, loss, gradNorm }) => [
      `${model}, ${shape}`,
      side,
      loss.first.toFixed(6),
      side === OURS.name ? '' : loss.difference.toExponential(1),
      gradNorm.first.toFixed(6),
      side === OURS.name ? '' : gradNorm.difference.toExponential(1),
      side === OURS.name ? '' : loss.lastDifference.toExponential(1),
    ]),
  );
  return table(SAME_HEAD, rows);
}

/** The work of a step as counted here and by torch, a line a case. */
export function flopLines(cases: readonly CaseFigures[]): string {
  return cases
    .map(({ model, shape, gflopPerStep, torchCountedGflop }) => {
      const counter =
        torchCountedGflop === null ? '' : ` (torch's FlopCounterMode: ${torchCountedGflop.toFixed(1)})`;
      return `- ${model}, ${shape}: ${gflopPerStep.toFixed(1)} GFLOP a step${counter}`;
    })
    .join('\n');
}

export function agreementLine(cases: readonly CaseFigures[]): string {
  const bounds = `losses within ${LOSS_TOLERANCE}, gradient norms within ${GRAD_NORM_TOLERANCE}`;
  return cases.every(({ agree }) => agree)
    ? `All sides compute the same at the first step: ${bounds}.`
    : `NOT THE SAME COMPUTATION, the speeds say nothing: at the first step not all have ${bounds}.`;
}
