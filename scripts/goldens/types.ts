/** One comparison with a golden file. */
export interface GoldenLine {
  /** The golden's path below the folder, with `/` between its parts. */
  readonly path: string;
  /** What of the file was compared; absent for all of it. */
  readonly part?: string;
  /** The worst error; NaN or infinite where nothing could be compared. */
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
  /** More for a person to read, on stderr. */
  readonly note?: string;
}

/** A family of comparisons. `run` looks for its files below `dir` and yields nothing where there are none. */
export interface GoldenCheck {
  readonly name: string;
  readonly run: (dir: string) => AsyncIterable<GoldenLine>;
}
