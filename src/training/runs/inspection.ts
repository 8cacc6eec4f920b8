/** @module Where a run is and how it does, as one record: what `safeguard train inspect` prints and a report begins with. */
import { HELD_OUT_FILE, COMPLETIONS_FILE, type HeldOutScore } from '../grpo/records.js';
import { UserError } from '../../util/errors.js';
import { type CompletionGroup, groupsOf } from './completions.js';
import { curvesOf } from './curves.js';
import type { RunLog } from './run-log.js';
import { type Summary, summaries } from './series.js';
import { type RunWarning, warningsOf } from './warnings.js';

/** `under way` also for a run that was interrupted: its folder cannot tell whether a process still works on it. */
type RunStatus = 'under way' | 'finished' | 'no longer better';

export interface Inspection {
  readonly folder: string;
  readonly method: RunLog['method'];
  readonly status: RunStatus;
  /** Steps done, and to do; null where run.json is missing. */
  readonly step: number;
  readonly steps: number | null;
  /** Seconds of training, over all resumes. */
  readonly seconds: number;
  /** When the last step was written, in ISO 8601. */
  readonly written: string;
  readonly checkpoints: readonly string[];
  /** The best model by held-out score, as the newest checkpoint knows it; null where nothing is held out. */
  readonly best: {
    readonly step: number;
    readonly macro_f1: number;
    readonly reward?: number;
    readonly by: HeldOutScore;
    /** Evaluations since, and how many end the run (0: none do). */
    readonly evaluations_since: number;
    readonly patience: number;
  } | null;
  readonly measures: readonly Summary[];
  readonly warnings: readonly RunWarning[];
}

export function inspectRun(run: RunLog): Inspection {
  const { metrics, steps, config, state } = run;
  const last = metrics[metrics.length - 1];
  const { patience, select } = evaluationOf(config);
  const grpo = state?.grpo;
  const best = grpo?.best ?? null;
  const isOut = patience > 0 && (grpo?.evaluations_since_best ?? 0) >= patience;
  return {
    folder: run.folder,
    method: run.method,
    status: steps !== null && last.step >= steps ? 'finished' : isOut ? 'no longer better' : 'under way',
    step: last.step,
    steps,
    seconds: typeof last.seconds === 'number' ? last.seconds : last.seconds.total,
    written: run.written.toISOString(),
    checkpoints: run.checkpoints,
    best: best && {
      ...best,
      by: select,
      evaluations_since: grpo?.evaluations_since_best ?? 0,
      patience,
    },
    measures: summaries(curvesOf(run)),
    warnings: warningsOf(run),
  };
}

function evaluationOf(config: RunLog['config']): { patience: number; select: HeldOutScore } {
  const evaluation: unknown = config?.evaluation;
  const settings: Record<string, unknown> =
    typeof evaluation === 'object' && evaluation !== null ? { ...evaluation } : {};
  return {
    patience: typeof settings.patience === 'number' ? settings.patience : 0,
    select: settings.select === 'reward' ? 'reward' : 'macro_f1',
  };
}

export interface Which {
  readonly step?: number;
  /** The prompt's number in the stream, or among the held-out ones. */
  readonly prompt?: number;
  /** Greedy answers to held-out prompts instead of sampled ones. */
  readonly heldOut?: boolean;
}

/** Completions of a step, of a prompt, or of both. @throws UserError where none are kept. */
export async function completionsAt(
  run: RunLog,
  { step, prompt, heldOut = false }: Which,
): Promise<CompletionGroup[]> {
  if (run.method === 'sft')
    throw new UserError(
      `${run.folder} is a run of supervised fine-tuning, which samples no completions: leave --step and --prompt out.`,
    );
  const found: CompletionGroup[] = [];
  const steps = new Set<number>();
  const prompts = new Set<number>();
  for await (const group of groupsOf(run.folder, heldOut ? HELD_OUT_FILE : COMPLETIONS_FILE)) {
    steps.add(group.step);
    if (step === undefined || group.step === step) prompts.add(group.promptIndex);
    const fits = (step ?? group.step) === group.step && (prompt ?? group.promptIndex) === group.promptIndex;
    if (fits) found.push(group);
  }
  if (found.length > 0) return found;
  const what = heldOut ? 'held-out answers' : 'completions';
  if (steps.size === 0) throw new UserError(`${run.folder} keeps no ${what}.`);
  const at = step === undefined ? '' : ` of step ${step}`;
  throw new UserError(
    step !== undefined && !steps.has(step)
      ? `No ${what}${at} are kept: there are those of the steps ${ranges(steps)}.`
      : `No ${what} of prompt ${prompt}${at} are kept: there are those of the prompts ${ranges(prompts)}.`,
  );
}

/** `1–6, 8`. */
function ranges(numbers: ReadonlySet<number>): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const parts: { from: number; to: number }[] = [];
  for (const number of sorted) {
    const open = parts.at(-1);
    if (open?.to === number - 1) open.to = number;
    else parts.push({ from: number, to: number });
  }
  return parts.map(({ from, to }) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}
