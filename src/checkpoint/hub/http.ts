/** @module Requests to the hub: redirects by hand, the token for the hub alone, patience where it helps. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchFailure, UserError } from '../../util/errors.js';
import type { HubSettings } from './settings.js';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const [UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY, SERVER_ERROR] = [401, 403, 404, 429, 500];
/** Attempts in a row that bring nothing. */
const MAX_ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
/** A server that asks for a longer pause is not waited for. */
const LONGEST_WAIT_MS = 60_000;
const SECOND = 1000;
/** A hub that says nothing for so long is not waited for. */
const SILENCE_MS = 30_000;
/** A listing's page has a thousand files, each with some hundred bytes. */
const MAX_ANSWER_BYTES = 16 * 2 ** 20;

/** A failure that may pass: sent again after a while. */
export class PassingFailure extends Error {
  constructor(
    message: string,
    /** What the server asked for, in milliseconds. */
    readonly wait: number | null = null,
    /** What was fetched is of no use: bytes that came are no progress. */
    readonly lost = false,
  ) {
    super(message);
  }
}

export interface HubRequest {
  readonly settings: HubSettings;
  /** How errors call what is fetched: a model's name, or a file of it. */
  readonly subject: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** What failed for good when patience is used up; `fetched` where it is left out. */
  readonly task?: keyof typeof GIVEN_UP;
}

/** What can be done when the hub does not answer. */
const GIVEN_UP = {
  fetched: 'run the command again, or set HF_HUB_OFFLINE=1 to use what is there',
  uploaded: 'run the command again; what has arrived is not sent twice',
} as const;

/** One attempt. @throws PassingFailure, or UserError for what no second attempt can change. */
export async function hubFetch(url: string, request: HubRequest): Promise<Response> {
  const { settings, subject, signal } = request;
  let current = new URL(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const own = current.origin === new URL(settings.endpoint).origin;
    const headers: Record<string, string> = {
      'user-agent': 'safeguard-vl',
      'accept-encoding': 'identity',
      ...request.headers,
    };
    if (own && settings.token !== null) headers.authorization = `Bearer ${settings.token}`;
    let response: Response;
    const silenceMs = settings.silenceMs ?? SILENCE_MS;
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(), silenceMs);
    try {
      response = await fetch(current, {
        headers,
        redirect: 'manual',
        signal: AbortSignal.any([silent.signal, ...(signal ? [signal] : [])]),
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (silent.signal.aborted) {
        throw new PassingFailure(`${current.origin} said nothing for ${silenceMs / SECOND} s`);
      }
      throw new PassingFailure(`${current.origin} cannot be reached (${fetchFailure(error)})`);
    } finally {
      clearTimeout(timer);
    }
    const location = response.headers.get('location');
    if (!REDIRECTS.has(response.status) || location === null) return checked(response, subject, settings);
    await response.body?.cancel();
    if (!URL.canParse(location, current.href))
      throw new UserError(`${subject}: the hub redirects to no address`);
    const next = new URL(location, current);
    if (next.protocol !== 'https:' && next.protocol !== new URL(settings.endpoint).protocol) {
      throw new UserError(
        `${subject}: the hub redirects to ${next.protocol}//, which is not followed; check HF_ENDPOINT`,
      );
    }
    current = next;
  }
  throw new UserError(`${subject}: the hub redirects more than ${MAX_REDIRECTS} times; check HF_ENDPOINT`);
}

/** An answer that is read whole before it is looked at, within the time that the hub may be silent. */
export async function hubAnswer(url: string, request: HubRequest): Promise<Response> {
  const silenceMs = request.settings.silenceMs ?? SILENCE_MS;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), silenceMs);
  const { signal: given } = request;
  const signal = AbortSignal.any([late.signal, ...(given ? [given] : [])]);
  try {
    const response = await hubFetch(url, { ...request, signal });
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of response.body ?? []) {
      size += piece.length;
      if (size > MAX_ANSWER_BYTES) {
        throw new UserError(
          `${request.subject}: the hub answers with more than ${MAX_ANSWER_BYTES} bytes; check HF_ENDPOINT`,
          { code: 'too_large' },
        );
      }
      pieces.push(piece);
    }
    const { status, headers } = response;
    return new Response(Buffer.concat(pieces), { status, headers });
  } catch (error) {
    if (given?.aborted) throw given.reason;
    if (late.signal.aborted)
      throw new PassingFailure(`the hub did not answer in full within ${silenceMs / SECOND} s`);
    if (error instanceof UserError || error instanceof PassingFailure) throw error;
    throw new PassingFailure(`the answer of the hub broke off (${fetchFailure(error)})`);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends again what may pass, with growing pauses. `attempt` may tell of progress: then the count begins anew. */
export async function patiently<T>(
  attempt: (progressed: () => void) => Promise<T>,
  { subject, signal, settings, task = 'fetched' }: Omit<HubRequest, 'headers'>,
): Promise<T> {
  const delay = settings.delay ?? pause;
  const attempts = settings.attempts ?? MAX_ATTEMPTS;
  for (let failures = 0; ; ) {
    let progress = false;
    try {
      return await attempt(() => {
        progress = true;
      });
    } catch (error) {
      if (!(error instanceof PassingFailure)) throw error;
      failures = progress && !error.lost ? 1 : failures + 1;
      const wait = error.wait ?? FIRST_WAIT_MS * 2 ** (failures - 1);
      if (failures >= attempts || wait > LONGEST_WAIT_MS) {
        throw new UserError(
          `${subject} could not be ${task}: ${error.message}; check the connection and HF_ENDPOINT and ${GIVEN_UP[task]}`,
          { code: 'unreachable', cause: error },
        );
      }
      await delay(wait, signal);
    }
  }
}

const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  sleep(milliseconds, undefined, { signal });

async function checked(response: Response, subject: string, { token }: HubSettings): Promise<Response> {
  const { status } = response;
  if (response.ok || status === 416) return response;
  await response.body?.cancel();
  if (status === UNAUTHORIZED || status === FORBIDDEN) {
    throw new UserError(
      token === null
        ? `${subject} needs a sign-in (HTTP ${status}): ask for access on its page, then set HF_TOKEN or run \`hf auth login\``
        : `${subject} is not open to this token (HTTP ${status}): ask for access on its page with the token's account`,
    );
  }
  if (status === NOT_FOUND) {
    throw new UserError(
      `${subject} is not on the hub (HTTP 404): check the name and revision; a private model also needs HF_TOKEN`,
    );
  }
  throwIfPassing(response);
  throw new UserError(`${subject} could not be fetched: the hub answers HTTP ${status}; check HF_ENDPOINT`);
}

/** @throws PassingFailure for what a server says when it is busy or broken. */
export function throwIfPassing({ status, headers }: Response): void {
  if (status !== TOO_MANY && status < SERVER_ERROR) return;
  const after = Number(headers.get('retry-after') ?? Number.NaN);
  throw new PassingFailure(`the hub answers HTTP ${status}`, Number.isFinite(after) ? after * SECOND : null);
}
