/** @module From measured rounds to figures and tables, and the check that both sides learn the same. */
import { formatSpread, median, relativeDifference, type Spread, spread, table } from '../../shared/report.js';
import { OURS } from '../measure.js';
import type { BenchmarkModel } from '../shapes.js';
import { type GrpoShape, shapeName } from './cases.js';
import type { GrpoResult, Phases } from './jobs.js';

/** f32 sums in different orders; the entropy is a mean over tokens, the norm gathers all gradients. */
const ENTROPY_TOLERANCE = 2e-4;
const GRAD_NORM_TOLERANCE = 1e-3;

const PHASES = ['rollout', 'scoring', 'update'] as const satisfies readonly (keyof Phases)[];

export interface GrpoSideFigures {
  readonly side: string;
  readonly millisecondsPerStep: Spread;
  /** Medians. */
  readonly phases: Phases;
  /** Tokens of completions that a second samples, scores and learns. */
  readonly tokensPerSecond: Spread;
  readonly peakMib: number;
  /** Our speed relative to this side's, round by round: of the step and of each phase. */
  readonly oursRelative: Spread;
  readonly oursRelativeByPhase: Readonly<Record<keyof Phases, Spread>>;
  /** At the first step, and relative differences of ours from it. */
  readonly entropy: number;
  readonly entropyDifference: number;
  readonly gradNorm: number;
  readonly gradNormDifference: number;
  /** Of the loss at the last step, when weights have moved. */
  readonly lastLossDifference: number;
}

export interface GrpoCaseFigures {
  readonly shape: GrpoShape;
  readonly parameters: number;
  readonly sides: readonly GrpoSideFigures[];
  readonly agree: boolean;
}

const total = (phases: Phases): number => PHASES.reduce((sum, phase) => sum + phases[phase], 0);
const stepOf = ({ measured }: GrpoResult): number => median(measured.map(total));
const phaseOf = ({ measured }: GrpoResult, phase: keyof Phases): number =>
  median(measured.map((phases) => phases[phase]));

const byPhase = <T>(value: (phase: keyof Phases) => T): Record<keyof Phases, T> => ({
  rollout: value('rollout'),
  scoring: value('scoring'),
  update: value('update'),
});

export function grpoFigures(
  { parameters }: BenchmarkModel,
  shape: GrpoShape,
  results: ReadonlyMap<string, readonly GrpoResult[]>,
): GrpoCaseFigures {
  const ours = results.get(OURS.name) ?? [];
  const tokens = shape.generations * shape.newTokens;
  const sides = [...results].map(([side, rounds]): GrpoSideFigures => {
    const [first] = rounds;
    const last = first.losses.length - 1;
    return {
      side,
      millisecondsPerStep: spread(rounds.map(stepOf)),
      phases: byPhase((phase) => median(rounds.map((round) => phaseOf(round, phase)))),
      tokensPerSecond: spread(rounds.map((round) => (1000 * tokens) / stepOf(round))),
      peakMib: Math.max(...rounds.map(({ peakMib }) => peakMib)),
      oursRelative: spread(rounds.map((round, i) => stepOf(round) / stepOf(ours[i]))),
      oursRelativeByPhase: byPhase((phase) =>
        spread(rounds.map((round, i) => phaseOf(round, phase) / phaseOf(ours[i], phase))),
      ),
      entropy: first.entropies[0],
      entropyDifference: relativeDifference(ours[0].entropies[0], first.entropies[0]),
      gradNorm: first.gradNorms[0],
      gradNormDifference: relativeDifference(ours[0].gradNorms[0], first.gradNorms[0]),
      lastLossDifference: relativeDifference(ours[0].losses[last], first.losses[last]),
    };
  });
  return {
    shape,
    parameters,
    sides,
    agree: sides.every(
      ({ entropyDifference, gradNormDifference }) =>
        entropyDifference <= ENTROPY_TOLERANCE && gradNormDifference <= GRAD_NORM_TOLERANCE,
    ),
  };
}

const isOurs = ({ side }: GrpoSideFigures): boolean => side === OURS.name;

export function timeTable(cases: readonly GrpoCaseFigures[]): string {
  const head = ['model, prompt, G × completion', 'side', 'ms/step', ...PHASES, 'tokens/s', 'peak RSS MiB'];
  const rows = cases.flatMap(({ shape, sides }) =>
    sides.map((figures) => [
      shapeName(shape),
      figures.side,
      figures.millisecondsPerStep.median.toFixed(0),
      ...PHASES.map((phase) => figures.phases[phase].toFixed(0)),
      figures.tokensPerSecond.median.toFixed(1),
      String(figures.peakMib),
    ]),
  );
  return table(head, rows);
}

/** How many times as fast ours is, side by side. */
export function ratioTable(cases: readonly GrpoCaseFigures[]): string {
  const head = ['model, prompt, G × completion', 'ours against', 'step (min–max)', ...PHASES, 'memory'];
  const rows = cases.flatMap(({ shape, sides }) => {
    const ours = sides.find(isOurs);
    return sides
      .filter((figures) => !isOurs(figures))
      .map((figures) => [
        shapeName(shape),
        figures.side,
        formatSpread(figures.oursRelative, 2),
        ...PHASES.map((phase) => formatSpread(figures.oursRelativeByPhase[phase], 2)),
        ((ours?.peakMib ?? Number.NaN) / figures.peakMib).toFixed(2),
      ]);
  });
  return table(head, rows);
}

/** Each shape's step relative to the first shape's of the same side. */
export function growthTable(cases: readonly GrpoCaseFigures[]): string {
  const [base] = cases;
  const names = base.sides.map(({ side }) => side);
  const timeOf = ({ sides }: GrpoCaseFigures, name: string): number =>
    sides.find(({ side }) => side === name)?.millisecondsPerStep.median ?? Number.NaN;
  const rows = cases.map((one) => [
    shapeName(one.shape),
    `${(one.parameters / 1e6).toFixed(1)} M`,
    ...names.map((name) => `× ${(timeOf(one, name) / timeOf(base, name)).toFixed(2)}`),
  ]);
  return table(['model, prompt, G × completion', 'parameters', ...names], rows);
}

export function sameTable(cases: readonly GrpoCaseFigures[]): string {
  const head = [
    'model, prompt, G × completion',
    'side',
    'entropy',
    'differs by',
    'gradient norm',
    'differs by',
    'last loss differs by',
  ];
  const rows = cases.flatMap(({ shape, sides }) =>
    sides.map((figures) => [
      shapeName(shape),
      figures.side,
      figures.entropy.toFixed(6),
      isOurs(figures) ? '' : figures.entropyDifference.toExponential(1),
      figures.gradNorm.toFixed(6),
      isOurs(figures) ? '' : figures.gradNormDifference.toExponential(1),
      isOurs(figures) ? '' : figures.lastLossDifference.toExponential(1),
    ]),
  );
  return table(head, rows);
}

export function grpoAgreementLine(cases: readonly GrpoCaseFigures[]): string {
  const bounds = `entropies within ${ENTROPY_TOLERANCE}, gradient norms within ${GRAD_NORM_TOLERANCE}`;
  return cases.every(({ agree }) => agree)
    ? `Both sides learn the same at the first step: ${bounds}.`
    : `NOT THE SAME COMPUTATION, the speeds say nothing: at the first step not all have ${bounds}.`;
}
