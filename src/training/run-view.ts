/** @module A training run as a person watches it: a small block on a terminal, plain lines in a log. */
import { basename } from 'node:path';
import { formatDuration, ProgressBlock, type ProgressStream, sparkline } from '../util/progress.js';
import type { StepMetrics } from './metrics.js';

/** Characters of the loss curve and of the bar. */
const CURVE_WIDTH = 40;
const BAR_WIDTH = 30;
/** Steps that speed is averaged over: enough to be calm, few enough to follow a machine that gets busy. */
const SPEED_STEPS = 20;

export class RunView {
  private readonly block: ProgressBlock;
  private readonly losses: number[] = [];
  /** Seconds, samples and tokens of the last steps. */
  private readonly recent: { seconds: number; samples: number; tokens: number }[] = [];
  private last: { samples: number; seconds: number } | undefined;
  private heldOut: { readonly step: number; readonly loss: number } | undefined;
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

  step(metrics: StepMetrics): void {
    this.losses.push(metrics.loss);
    if (metrics.heldOut !== null) this.heldOut = { step: metrics.step, loss: metrics.heldOut.loss };
    const { samples, seconds, tokens } = metrics;
    // The run's clock also counts saving, which belongs to the speed.
    if (this.last !== undefined) {
      const [newSamples, newSeconds] = [samples - this.last.samples, seconds - this.last.seconds];
      this.recent.push({ samples: newSamples, seconds: newSeconds, tokens });
      if (this.recent.length > SPEED_STEPS) this.recent.shift();
    }
    this.last = { samples, seconds };
    this.block.update(this.lines(metrics), this.plain(metrics));
  }

  saved(checkpoint: string): void {
    this.checkpoint = basename(checkpoint);
  }

  stopping(): void {
    this.isStopping = true;
    this.block.note('stopping after this step with a checkpoint; Ctrl-C again ends at once without one');
  }

  finish(step: number, checkpoint: string): void {
    this.block.end();
    this.block.note(
      step >= this.steps
        ? `${step} of ${this.steps} steps done, saved in ${checkpoint}`
        : `stopped after step ${step} of ${this.steps}, saved in ${checkpoint}; give the same command again to go on`,
    );
  }

  /** Leaves the last numbers on the screen. */
  end(): void {
    this.block.end();
  }

  private lines(metrics: StepMetrics): string[] {
    const { step, loss, gradNorm, lr, tokens, paddedTokens, lossByTask } = metrics;
    const filled = Math.round((step / this.steps) * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const padding = ((100 * (paddedTokens - tokens)) / paddedTokens).toFixed(0);
    const tasks = Object.entries(lossByTask).map(([task, value]) => `${task} ${value.toFixed(4)}`);
    return [
      `step ${step}/${this.steps}  ${bar}  ${this.isStopping ? 'stopping' : this.timeLeft(step)}`,
      `loss ${loss.toFixed(4)}  ${sparkline(this.losses, CURVE_WIDTH)}`,
      ...(tasks.length > 1 ? [`     ${tasks.join('  ')}`] : []),
      ...(this.heldOut === undefined ? [] : [this.heldOutText(this.heldOut)]),
      `grad norm ${gradNorm.toFixed(3)}  lr ${lr.toExponential(2)}`,
      `${this.speed()}  ${padding} % padding`,
      `last checkpoint: ${this.checkpoint}`,
    ];
  }

  private plain({ step, loss, gradNorm, lr }: StepMetrics): string {
    const held = this.heldOut === undefined ? '' : this.heldOutText(this.heldOut);
    const rest = [held, this.speed(), this.timeLeft(step)].filter((text) => text !== '').join('  ');
    return (
      `step ${step}/${this.steps}  loss ${loss.toFixed(4)}  grad norm ${gradNorm.toFixed(3)}  ` +
      `lr ${lr.toExponential(2)}  ${rest}`
    );
  }

  private heldOutText({ step, loss }: { readonly step: number; readonly loss: number }): string {
    return `held-out loss ${loss.toFixed(4)} after step ${step}`;
  }

  private total(): { seconds: number; samples: number; tokens: number } {
    return this.recent.reduce(
      (sum, part) => ({
        seconds: sum.seconds + part.seconds,
        samples: sum.samples + part.samples,
        tokens: sum.tokens + part.tokens,
      }),
      { seconds: 0, samples: 0, tokens: 0 },
    );
  }

  private speed(): string {
    const { seconds, samples, tokens } = this.total();
    // The first step also compiles the graphs: its speed would mislead.
    if (seconds === 0) return 'measuring the speed';
    return `${(samples / seconds).toFixed(1)} samples/s  ${(tokens / seconds).toFixed(0)} tokens/s`;
  }

  private timeLeft(step: number): string {
    const { seconds } = this.total();
    if (seconds === 0) return '';
    return `${formatDuration(((this.steps - step) * seconds) / this.recent.length)} left`;
  }
}
