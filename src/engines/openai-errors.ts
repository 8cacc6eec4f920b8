/** @module What a server's refusals mean, and what to do about them. */
import { z } from 'zod';
import { fetchFailure, UserError } from '../util/errors.js';

/** A failure that may pass: the request is sent again. The message is that of a `UserError`. */
export class PassingError extends Error {
  override name = 'PassingError';
  constructor(
    message: string,
    /** Milliseconds to wait, where the server says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** An answer that is none: an HTTP status, or an error object in a stream (then the status is the object's, or 0). */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfter: number | null;
}

const errorObject = z.looseObject({
  message: z.string().default(''),
  code: z.union([z.string(), z.number()]).nullish(),
  type: z.string().nullish(),
});
/** OpenAI's shape, vLLM's older one, and FastAPI's. */
const errorBody = z.union([
  z.looseObject({ error: errorObject }).transform(({ error }) => error),
  z.looseObject({ error: z.string() }).transform(({ error }) => ({ message: error })),
  z.looseObject({ detail: z.unknown() }).transform(({ detail }) => ({ message: JSON.stringify(detail) })),
  errorObject,
]);

const MAX_QUOTE = 300;

/** Reads the body of a refusal; whatever it is, some words come of it. */
export function refusalOf(status: number, body: unknown, retryAfter: string | null): Refusal {
  const parsed = errorBody.safeParse(body);
  const { message, code, type }: z.infer<typeof errorObject> = parsed.success ? parsed.data : { message: '' };
  return {
    status: status === 200 ? (typeof code === 'number' ? code : 0) : status,
    code: [code, type].filter((name) => typeof name === 'string').join(' '),
    message,
    retryAfter: milliseconds(retryAfter),
  };
}

/** The error object in a stream's event; null where it holds none. */
export function refusalIn(event: unknown): Refusal | null {
  const has = z.looseObject({ error: z.union([errorObject, z.string()]) }).safeParse(event).success;
  return has ? refusalOf(200, event, null) : null;
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
}

/** The error to throw; a missing model is the caller's to find (see `isMissing`). */
export function errorOf(refusal: Refusal, place: Place): UserError | PassingError {
  const { status, code, message, retryAfter } = refusal;
  const { baseURL, model, apiKeyVariable } = place;
  const quote = message === '' ? '' : `: "${message.slice(0, MAX_QUOTE)}"`;
  const about = `${code} ${message}`;
  if (/insufficient_quota|billing_hard_limit/.test(about)) {
    return new UserError(`the quota at ${baseURL} is used up${quote}; pay for more or take another server`);
  }
  if (status === 429) {
    return new PassingError(
      `${baseURL} refuses more requests for now${quote}; try later or lower the concurrency`,
      retryAfter,
    );
  }
  if (status >= 500 || status === 408) {
    return new PassingError(
      `${baseURL} failed with status ${status}${quote}; look into its log and try again`,
      retryAfter,
    );
  }
  if (status === 401 || status === 403) {
    return new UserError(`${baseURL} refuses the API key${quote}; check the variable ${apiKeyVariable}`);
  }
  if (status >= 300 && status < 400) {
    return new UserError(`${baseURL} sends requests on to another address; give that one as base URL`);
  }
  if (status === 413) {
    return new UserError(`the request is too large for ${baseURL}${quote}; scale the images down`);
  }
  if (/context_length|context length|maximum.{0,20}(tokens|length)|too long/i.test(about)) {
    return new UserError(
      `prompt and answer are too long for ${model}${quote}; shorten the policy, scale the images down or allow fewer tokens`,
    );
  }
  if (/image|multi-?modal|vision|content part/i.test(about)) {
    return new UserError(`${model} at ${baseURL} does not take these images${quote}; take a model that sees`);
  }
  return new UserError(
    `${baseURL} refuses the request${status > 0 ? ` with status ${status}` : ''}${quote}; check the model and the engine's options`,
  );
}

/** Whether the model, or the whole address, may be the one that is not there. */
export function isMissing({ status, code, message }: Refusal): boolean {
  return status === 404 || /model_not_found/.test(code) || /model.*(not found|not exist)/i.test(message);
}

const RESETS = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET', 'EAI_AGAIN']);

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
    return new PassingError(`${baseURL} did not answer in time; look into its log or allow more time`);
  }
  if (RESETS.has(code) || (error instanceof TypeError && error.message === 'terminated')) {
    return new PassingError(`${baseURL} broke the connection off; look into its log and try again`);
  }
  if (code === 'ECONNREFUSED') {
    return new UserError(`nothing answers at ${baseURL}; start the server or correct the base URL`);
  }
  if (code === 'ENOTFOUND') {
    return new UserError(`the host of ${baseURL} is not known; correct the base URL`);
  }
  return new UserError(
    `${baseURL} cannot be reached (${code || fetchFailure(error)}); check the base URL and the network`,
  );
}
