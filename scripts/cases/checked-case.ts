/** One input, read and compared. */
export interface CheckedCase {
  readonly name: string;
  readonly isOk: boolean;
  /** What was read, where that is worth saying; begins with a colon. */
  readonly detail: string;
}
