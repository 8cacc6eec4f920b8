/**
 * A mistake of the caller or of the data handed in: printed as one sentence without a stack, exit code 2.
 * The message says what is wrong and what to do. Everything else that is thrown is our bug and keeps its stack.
 */
export class UserError extends Error {
  override name = 'UserError';
}

/** A broken promise between our own parts; never shown as the user's fault. */
export class InternalError extends Error {
  override name = 'InternalError';
}

/** Throws an {@link InternalError} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InternalError(message);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why Node's `fetch` failed: it says so one level down, and two where it tried several addresses of a host. */
export function fetchFailure(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return messageOf(cause instanceof AggregateError ? cause.errors[0] : cause);
}
