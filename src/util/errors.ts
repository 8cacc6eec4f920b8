/** What a program can branch on: whose move it is. */
export type UserErrorKind = 'input' | 'missing' | 'limit' | 'refused' | 'unreachable' | 'busy' | 'storage';

/**
 * Every code of a {@link UserError} with its kind. Kinds: `input`, what was given is malformed; `missing`, it is not
 * there; `limit`, it is too large, too many or takes too long; `refused`, it is forbidden or was declined; `unreachable`,
 * a server did not answer or failed; `busy`, somebody else holds it; `storage`, a disk or folder that cannot be written.
 */
const KINDS = {
  invalid_input: 'input',
  invalid_option: 'input',
  invalid_policy: 'input',
  invalid_image: 'input',
  invalid_profile: 'input',
  invalid_checkpoint: 'input',
  invalid_config: 'input',
  invalid_data: 'input',
  unsupported: 'input',
  not_found: 'missing',
  too_large: 'limit',
  too_many: 'limit',
  too_slow: 'limit',
  forbidden: 'refused',
  forbidden_address: 'refused',
  unauthorized: 'refused',
  rejected: 'refused',
  unreachable: 'unreachable',
  server_error: 'unreachable',
  busy: 'busy',
  closed: 'busy',
  storage: 'storage',
} as const satisfies Record<string, UserErrorKind>;

export type UserErrorCode = keyof typeof KINDS;

/**
 * A mistake of the caller or of the data handed in: printed as one sentence without a stack, exit code 2. The message
 * says what is wrong and what to do; `code` and `kind` are what programs branch on. Everything else that is thrown is
 * our bug and keeps its stack.
 *
 * @example
 * try { await guard.judge(upload, policy); }
 * catch (error) { if (error instanceof UserError && error.kind === 'unreachable') retryLater(); else throw error; }
 */
export class UserError extends Error {
  override name = 'UserError';
  readonly code: UserErrorCode;

  constructor(
    message: string,
    { code = 'invalid_input', cause }: { readonly code?: UserErrorCode; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  get kind(): UserErrorKind {
    return KINDS[this.code];
  }
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
