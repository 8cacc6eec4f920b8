/** `1h 02m`, `3m 20s` or `12s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  return minutes > 0 ? `${minutes}m ${two(whole % 60)}s` : `${whole}s`;
}

/**
 * One line of a terminal that is rewritten as work goes on. Where the output is no terminal (a log file), a line is
 * printed at most every `logEverySeconds`.
 */
export class ProgressLine {
  private lastLog = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly stream: NodeJS.WriteStream = process.stderr,
    private readonly logEverySeconds = 30,
  ) {}

  update(text: string): void {
    if (this.stream.isTTY) {
      this.stream.write(`\r\x1b[K${text.slice(0, this.stream.columns - 1)}`);
      return;
    }
    const now = process.uptime();
    if (now - this.lastLog < this.logEverySeconds) return;
    this.lastLog = now;
    this.stream.write(`${text}\n`);
  }

  /** Ends the line with a last text. */
  finish(text: string): void {
    this.stream.write(this.stream.isTTY ? `\r\x1b[K${text}\n` : `${text}\n`);
  }
}
