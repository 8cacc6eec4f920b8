/** @module What training gave: evaluations of the same judgements before and after, compared picture by picture. */
import { accuracy, binaryF1, bootstrap, type Estimate, mean } from './metrics.js';
import { levelsF1, type Picture, type TinyEvaluation } from './tiny-eval.js';

/** A model's evaluation and the share of questions about pictures that it answers to the letter. */
export interface Examined {
  readonly evaluation: Pick<TinyEvaluation, 'pictures' | 'seed'>;
  readonly questions: number;
}

/** The mean F1 over the levels and the F1 under free policies: the two kinds of policies that training never saw. */
export const GAIN_PARTS = {
  levels: levelsF1,
  free: (pictures: readonly Picture[]) => binaryF1(pictures.flat()),
};
export type GainPart = keyof typeof GAIN_PARTS;

/**
 * How much higher the runs are than their start on one part, on average over the runs, with a 95 % interval by bootstrap over
 * pictures: each stands for its judgements before and after, so that what is hard for both cancels out.
 */
export function gainOver(part: GainPart, start: Examined, runs: readonly Examined[]): Estimate {
  const statistic = GAIN_PARTS[part];
  const paired = start.evaluation.pictures[part].map((before, i) => ({
    before,
    after: runs.map(({ evaluation }) => evaluation.pictures[part][i]),
  }));
  return bootstrap(
    paired,
    (pictures) => {
      const before = statistic(pictures.map((picture) => picture.before));
      const gains = runs.map((_, run) => {
        const after = statistic(pictures.map((picture) => picture.after[run]));
        return before === null || after === null ? null : after - before;
      });
      return mean(gains);
    },
    { seed: `${start.evaluation.seed}/gain/${part}` },
  );
}

export interface GainFigures {
  readonly levelsF1: number | null;
  readonly freeF1: number | null;
  /** Share of safe judgements called safe, and of unsafe ones called unsafe: always saying one of them shows here. */
  readonly safeAccuracy: number | null;
  readonly unsafeAccuracy: number | null;
  readonly invalid: number | null;
  /** Right labels among answers that can be read: what is left when the format is no longer the fault. */
  readonly accuracyOfReadable: number | null;
  readonly questions: number;
}

export function gainFigures({ evaluation: { pictures }, questions }: Examined): GainFigures {
  const all = [...pictures.levels, ...pictures.free].flat();
  const readable = all.filter(({ verdict }) => verdict !== 'invalid');
  return {
    levelsF1: GAIN_PARTS.levels(pictures.levels),
    freeF1: GAIN_PARTS.free(pictures.free),
    safeAccuracy: accuracy(all.filter(({ unsafe }) => !unsafe)),
    unsafeAccuracy: accuracy(all.filter(({ unsafe }) => unsafe)),
    invalid: mean(all.map(({ verdict }) => Number(verdict === 'invalid'))),
    accuracyOfReadable: accuracy(readable),
    questions,
  };
}
