/** What `safeguard` ends with. For several pictures the worst counts: error, then invalid, then unsafe. */
export const EXIT = {
  /** Every verdict is safe, or the command did what it should. */
  ok: 0,
  /** Some verdict is unsafe. */
  unsafe: 1,
  /** A mistake in the command or its inputs. */
  userError: 2,
  /** Some answer of the model could not be read. */
  invalid: 3,
  /** A mistake of ours (`EX_SOFTWARE` of sysexits.h): the stack is shown, please report it. */
  bug: 70,
  /** Ctrl-C: 128 + SIGINT. */
  interrupted: 130,
  /** Asked to end: 128 + SIGTERM. */
  terminated: 143,
  /** The reader of the output went away: 128 + SIGPIPE. */
  brokenPipe: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
