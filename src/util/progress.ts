/** `1h 02m`, `3m 20s` or `12s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  return minutes > 0 ? `${minutes}m ${two(whole % 60)}s` : `${whole}s`;
}

/** What a stream must offer to show progress on it. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'> & {
  write(text: string): unknown;
};

/** Seconds between two lines where the output is no terminal. */
const LOG_EVERY_SECONDS = 30;
/** Sizes of a terminal that does not tell its own. */
const [COLUMNS, ROWS] = [80, 24];

const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const linesUp = (count: number): string => (count > 0 ? `\x1b[${count}A` : '');

/**
 * A few lines of a terminal that are rewritten as work goes on. Where the output is no terminal (a log file), one plain
 * line is printed at most every `logEverySeconds`.
 */
export class ProgressBlock {
  private lastLog = Number.NEGATIVE_INFINITY;
  /** Lines on the screen that the next update replaces. */
  private height = 0;

  constructor(
    private readonly stream: ProgressStream = process.stderr,
    private readonly logEverySeconds = LOG_EVERY_SECONDS,
  ) {}

  /** Shows `lines` on a terminal, cut to its size, and `plain` in a log. */
  update(lines: readonly string[], plain: string = lines.join('  ')): void {
    if (this.stream.isTTY) {
      this.draw(lines);
      return;
    }
    const now = process.uptime();
    if (now - this.lastLog < this.logEverySeconds) return;
    this.lastLog = now;
    this.stream.write(`${plain}\n`);
  }

  /** A line that stays, above the block on a terminal. */
  note(text: string): void {
    this.stream.write(this.height > 0 ? `${this.toTop()}${CLEAR_BELOW}${text}\n` : `${text}\n`);
    this.height = 0;
  }

  /** Takes the block off the screen. */
  clear(): void {
    if (this.height > 0) this.stream.write(`${this.toTop()}${CLEAR_BELOW}`);
    this.height = 0;
  }

  /** Leaves what is shown where it is and begins a new line. */
  end(): void {
    if (this.height > 0) this.stream.write('\n');
    this.height = 0;
  }

  private draw(lines: readonly string[]): void {
    const { columns, rows } = this.stream;
    // A full row would wrap, and a block higher than the screen could not be found again.
    const shown = lines.slice(0, (rows || ROWS) - 1).map((line) => line.slice(0, (columns || COLUMNS) - 1));
    this.stream.write(
      `${this.toTop()}${shown.map((line) => `${line}${CLEAR_LINE}`).join('\n')}${CLEAR_BELOW}`,
    );
    this.height = shown.length;
  }

  private toTop(): string {
    return `\r${linesUp(this.height - 1)}`;
  }
}

/** One line that is rewritten as work goes on. */
export class ProgressLine {
  private readonly block: ProgressBlock;

  constructor(stream: ProgressStream = process.stderr, logEverySeconds = LOG_EVERY_SECONDS) {
    this.block = new ProgressBlock(stream, logEverySeconds);
  }

  update(text: string): void {
    this.block.update([text]);
  }

  /** Ends the line with a last text. */
  finish(text: string): void {
    this.block.note(text);
  }
}

const BARS = '▁▂▃▄▅▆▇█';

/** The course of some numbers in one line of at most `width` characters: the lowest is ▁, the highest █. */
export function sparkline(values: readonly number[], width: number): string {
  const count = Math.min(width, values.length);
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const low = Math.min(...means);
  const range = Math.max(...means) - low;
  const bar = (value: number): string =>
    BARS[range > 0 ? Math.round(((value - low) / range) * (BARS.length - 1)) : 0];
  return means.map(bar).join('');
}
