/** The shapes a learning rate may take over a run. */
export const SCHEDULES = ['constant', 'linear', 'cosine'] as const;
export type ScheduleKind = (typeof SCHEDULES)[number];

export interface Schedule {
  readonly kind: ScheduleKind;
  readonly warmupSteps: number;
  readonly totalSteps: number;
  /** Where linear and cosine end, as a share of the peak; transformers' end at 0. */
  readonly minRatio?: number;
}

/** From progress after warm-up (0 … 1) to a share of the peak. */
const SHAPES: Readonly<Record<ScheduleKind, (progress: number) => number>> = {
  constant: () => 1,
  linear: (progress) => 1 - progress,
  cosine: (progress) => 0.5 * (1 + Math.cos(Math.PI * progress)),
};

/**
 * The factor on the learning rate in step `step` (from 0): a linear warm-up, then the schedule's shape
 * (transformers:optimization.py, get_scheduler).
 */
export function scheduleFactor(schedule: Schedule, step: number): number {
  const { kind, warmupSteps, totalSteps, minRatio = 0 } = schedule;
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return Math.max(0, minRatio + (1 - minRatio) * SHAPES[kind](progress));
}
