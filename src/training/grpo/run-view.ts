/** @module A GRPO run as a person watches it: a small block on a terminal, plain lines in a log. */
import { basename } from 'node:path';
import { formatDuration, ProgressBlock, type ProgressStream, sparkline } from '../../util/progress.js';
import type { GrpoMetrics } from './records.js';

/** Characters of the reward curve and of the bar. */
const CURVE_WIDTH = 40;
const BAR_WIDTH = 30;
/** Steps that the time left is reckoned from. */
const SPEED_STEPS = 10;

/** Why a run ended. */
export type GrpoEnd = 'finished' | 'interrupted' | 'no longer better';

const REMARKS: Readonly<Record<GrpoEnd, string>> = {
  finished: '',
  interrupted: '; give the same command again to go on',
  'no longer better': '; stopped, since evaluation.patience evaluations brought nothing better',
};

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

export class GrpoView {
  private readonly block: ProgressBlock;
  private readonly rewards: number[] = [];
  private readonly totals: number[] = [];
  private heldOut: { readonly step: number; readonly f1: number } | undefined;
  private checkpoint = 'none yet';
  private isStopping = false;

  constructor(
    private readonly steps: number,
    stream: ProgressStream = process.stderr,
    logEverySeconds?: number,
  ) {
    this.block = new ProgressBlock(stream, logEverySeconds);
  }

  /** Where the run goes on, from which checkpoint, and what is different from there on. */
  begins(step: number, checkpoint: string | undefined, change: string | null = null): void {
    if (checkpoint === undefined) return;
    this.checkpoint = basename(checkpoint);
    this.block.note(`going on after step ${step} from ${checkpoint}`);
    if (change !== null) this.block.note(change);
  }

  /** What the start model is worth on held-out prompts. */
  start(macroF1: number): void {
    this.heldOut = { step: 0, f1: macroF1 };
    this.block.note(`held out before training: macro-F1 ${macroF1.toFixed(3)}`);
  }

  step(metrics: GrpoMetrics): void {
    this.rewards.push(metrics.reward);
    this.totals.push(metrics.seconds.total);
    if (this.totals.length > SPEED_STEPS + 1) this.totals.shift();
    if (metrics.held_out !== null) this.heldOut = { step: metrics.step, f1: metrics.held_out.macro_f1 };
    this.block.update(this.lines(metrics), this.plain(metrics));
  }

  saved(checkpoint: string): void {
    this.checkpoint = basename(checkpoint);
  }

  stopping(): void {
    this.isStopping = true;
    this.block.note('stopping after this step with a checkpoint; Ctrl-C again ends at once without one');
  }

  finish(step: number, checkpoint: string, ended: GrpoEnd): void {
    this.block.end();
    this.block.note(`${step} of ${this.steps} steps done, saved in ${checkpoint}${REMARKS[ended]}`);
  }

  /** Leaves the last numbers on the screen. */
  end(): void {
    this.block.end();
  }

  private lines(metrics: GrpoMetrics): string[] {
    const { step, seconds, completion_length: length } = metrics;
    const filled = Math.round((step / this.steps) * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const parts = Object.entries(metrics.rewards).map(
      ([name, spread]) => `${name} ${spread === null ? '–' : spread.mean.toFixed(3)}`,
    );
    const accuracy = (value: number | null): string => (value === null ? '–' : percent(value));
    const kl = metrics.kl === null ? '' : `  kl ${metrics.kl.toExponential(1)}`;
    return [
      `step ${step}/${this.steps}  ${bar}  ${this.isStopping ? 'stopping' : this.timeLeft(step)}`,
      `reward ${metrics.reward.toFixed(3)} ± ${metrics.reward_std.toFixed(3)}  ${sparkline(this.rewards, CURVE_WIDTH)}`,
      `     ${parts.join('  ')}`,
      `safe right ${accuracy(metrics.safe_accuracy)}  unsafe right ${accuracy(metrics.unsafe_accuracy)}  invalid ${percent(metrics.invalid_ratio)}`,
      `equal groups ${percent(metrics.frac_reward_zero_std)}  length ${length.mean.toFixed(0)} (${length.min}–${length.max})  cut off ${percent(metrics.clipped_ratio)}`,
      `entropy ${metrics.entropy.toFixed(3)}${kl}  grad norm ${metrics.grad_norm.toFixed(3)}  lr ${metrics.lr.toExponential(2)}`,
      `rollout ${seconds.rollout.toFixed(1)} s  update ${seconds.update.toFixed(1)} s  ${metrics.tokens_per_second.toFixed(0)} tokens/s`,
      `held out: ${this.heldOutText()}  last checkpoint: ${this.checkpoint}`,
    ];
  }

  private plain(metrics: GrpoMetrics): string {
    return (
      `step ${metrics.step}/${this.steps}  reward ${metrics.reward.toFixed(3)}  ` +
      `equal groups ${percent(metrics.frac_reward_zero_std)}  invalid ${percent(metrics.invalid_ratio)}  ` +
      `length ${metrics.completion_length.mean.toFixed(0)}  held out ${this.heldOutText()}  ${this.timeLeft(metrics.step)}`
    );
  }

  private heldOutText(): string {
    if (this.heldOut === undefined) return 'not measured yet';
    return `macro-F1 ${this.heldOut.f1.toFixed(3)} after step ${this.heldOut.step}`;
  }

  private timeLeft(step: number): string {
    if (this.totals.length < 2) return 'measuring the speed';
    const perStep = (this.totals[this.totals.length - 1] - this.totals[0]) / (this.totals.length - 1);
    return `${formatDuration((this.steps - step) * perStep)} left`;
  }
}
