/** @module What a server's refusals mean, and what to do about them. */
import { fetchFailure, UserError, type UserErrorCode } from '../util/errors.js';

/** A failure that may pass: the request is sent again. The message and the code are those of a `UserError`. */
export class PassingError extends Error {
  override name = 'PassingError';
  constructor(
    message: string,
    readonly code: UserErrorCode,
    /** Milliseconds to wait, where the server says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** An answer that is none: an HTTP status, or an error object in a good answer (then the status is the object's, or 0). */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** The server's words as they are: into messages they go through a `Speaker` alone. */
  readonly message: string;
  readonly retryAfter: number | null;
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where servers put what they have to say: OpenAI's and vLLM's shapes, FastAPI's, and those of proxies. */
const WORDS = ['error', 'message', 'detail', 'msg', 'error_message', 'description'] as const;
/** Objects in objects are looked into so deep. */
const DEPTH = 3;

/** Reads the body of a refusal; whatever it is, some words come of it. */
export function refusalOf(status: number, body: unknown, retryAfter: string | null): Refusal {
  const inner = isRecord(body) && isRecord(body['error']) ? body['error'] : body;
  const { code, type } = isRecord(inner) ? inner : {};
  return {
    status: status === OK ? statusIn(code) : status,
    code: [code, type].filter((name) => typeof name === 'string').join(' '),
    message: wordsIn(body, DEPTH),
    retryAfter: milliseconds(retryAfter),
  };
}

const OK = 200;

/** An error in a good answer may have its status as a code. */
function statusIn(code: unknown): number {
  const status = typeof code === 'string' && /^\d{3}$/u.test(code) ? Number(code) : code;
  return typeof status === 'number' && status >= 100 && status < 600 ? status : 0;
}

function wordsIn(body: unknown, depth: number): string {
  if (typeof body === 'string') return body;
  if (!isRecord(body)) return body === null || body === undefined ? '' : JSON.stringify(body);
  const said = WORDS.map((name) => body[name]).find((words) => words !== undefined && words !== null);
  return depth === 0 || said === undefined ? '' : wordsIn(said, depth - 1);
}

/** The error that stands in an answer or in a stream's event in spite of its status; null where there is none. */
export function refusalIn(body: unknown): Refusal | null {
  if (!isRecord(body)) return null;
  const { error, object, type, choices, message, detail } = body;
  const says = typeof error === 'string' ? error !== '' : isRecord(error) && Object.keys(error).length > 0;
  const bare = choices === undefined && (typeof message === 'string' || detail !== undefined);
  return says || object === 'error' || type === 'error' || bare ? refusalOf(OK, body, null) : null;
}

/** `Retry-After`: seconds or a date. */
function milliseconds(header: string | null): number | null {
  if (header === null || header === '') return null;
  const value = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(value) ? Math.max(0, value) : null;
}

export interface Place {
  readonly baseURL: string;
  readonly model: string;
  readonly apiKeyVariable: string;
  /** A server's words for a message: `: "…"`, short and without the key; empty where there are none. */
  quote(words: string): string;
}

/** The error to throw; a missing model is the caller's to find (see `isMissing`). */
export function errorOf(refusal: Refusal, place: Place): UserError | PassingError {
  const { status, code, message, retryAfter } = refusal;
  const { baseURL, model, apiKeyVariable } = place;
  const quote = place.quote(message);
  const about = `${code} ${message}`;
  if (/insufficient_quota|billing_hard_limit/.test(about)) {
    return new UserError(`the quota at ${baseURL} is used up${quote}; pay for more or take another server`, {
      code: 'rejected',
    });
  }
  if (status === 429) {
    return new PassingError(
      `${baseURL} refuses more requests for now${quote}; try later or lower the concurrency`,
      'busy',
      retryAfter,
    );
  }
  if (status >= 500 || status === 408) {
    return new PassingError(
      `${baseURL} failed with status ${status}${quote}; look into its log and try again`,
      'server_error',
      retryAfter,
    );
  }
  if (status === 401 || status === 403) {
    return new UserError(`${baseURL} refuses the API key${quote}; check the variable ${apiKeyVariable}`, {
      code: 'unauthorized',
    });
  }
  if (status >= 300 && status < 400) {
    return new UserError(`${baseURL} sends requests on to another address; give that one as base URL`, {
      code: 'rejected',
    });
  }
  if (status === 413) {
    return new UserError(`the request is too large for ${baseURL}${quote}; scale the images down`, {
      code: 'too_large',
    });
  }
  if (/context_length|context length|maximum.{0,20}(tokens|length)|too long/i.test(about)) {
    return new UserError(
      `prompt and answer are too long for ${model}${quote}; shorten the policy, scale the images down or allow fewer tokens`,
      { code: 'too_large' },
    );
  }
  if (/image|multi-?modal|vision|content part/i.test(about)) {
    return new UserError(
      `${model} at ${baseURL} does not take these images${quote}; take a model that sees`,
      { code: 'rejected' },
    );
  }
  return new UserError(
    `${baseURL} refuses the request${status > 0 ? ` with status ${status}` : ''}${quote}; check the model and the engine's options`,
    { code: 'rejected' },
  );
}

/** Whether the model, or the whole address, may be the one that is not there. */
export function isMissing({ status, code, message }: Refusal): boolean {
  return (
    status === 404 || /model_not_found/.test(code) || /model[^\n]{0,200}(not found|not exist)/i.test(message)
  );
}

const RESETS = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'UND_ERR_SOCKET']);
/** A server that is being started, or a network that is away for a moment. */
const AWAY = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'ETIMEDOUT']);

/** What made `fetch`, or the reading of a body, fail. */
export function networkError(error: unknown, baseURL: string): UserError | PassingError {
  const codes: string[] = [];
  let found: unknown = error;
  for (let depth = 0; depth < 4 && found instanceof Error; depth++) {
    if ('code' in found && typeof found.code === 'string') codes.push(found.code);
    found = found instanceof AggregateError ? (found.errors[0] as unknown) : found.cause;
  }
  const code = codes[0] ?? '';
  if (code.startsWith('UND_ERR_') && code.endsWith('_TIMEOUT')) {
    return new PassingError(
      `${baseURL} did not answer in time; look into its log or allow more time`,
      'too_slow',
    );
  }
  if (RESETS.has(code) || (error instanceof TypeError && error.message === 'terminated' && code === '')) {
    return new PassingError(
      `${baseURL} broke the connection off; look into its log and try again`,
      'unreachable',
    );
  }
  if (AWAY.has(code)) {
    return new PassingError(
      `nothing answers at ${baseURL}; start the server or correct the base URL`,
      'unreachable',
    );
  }
  if (code === 'ENOTFOUND') {
    return new UserError(`the host of ${baseURL} is not known; correct the base URL`, {
      code: 'unreachable',
    });
  }
  if (code.startsWith('Z_') || code.startsWith('ERR_ZLIB') || code.startsWith('ERR__ERROR_FORMAT')) {
    return new UserError(`${baseURL} sends damaged compressed data (${code}); look into the server's log`, {
      code: 'server_error',
    });
  }
  return new UserError(
    `${baseURL} cannot be reached (${code || fetchFailure(error)}); check the base URL and the network`,
    { code: 'unreachable' },
  );
}
