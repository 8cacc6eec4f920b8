/** @module Fetching what a stranger's URL names: public http(s) addresses only, bounded in size and time. */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { messageOf, UserError } from '../util/errors.js';
import { type Address, addressOf, type AllowPrivate, type Lookup, resolveAll } from './address.js';

/** Enough for photographs in any format; a video is no image. */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 20_000;
/** The limit of the Fetch standard is 20; no image needs so many. */
const DEFAULT_MAX_REDIRECTS = 5;
/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface FetchOptions {
  /** Also fetch from private, loopback and link-local addresses: all, or those in these networks (`10.20.0.0/16`). */
  readonly allowPrivate?: AllowPrivate;
  readonly maxBytes?: number;
  /** For everything together: names, redirects, the whole body. */
  readonly timeoutMs?: number;
  readonly maxRedirects?: number;
  readonly signal?: AbortSignal;
  /** Resolves names; each is resolved once a request, and that address is the one connected to. */
  readonly lookup?: Lookup;
}

export interface Fetched {
  readonly bytes: Uint8Array;
  /** Where the bytes came from, after redirects. */
  readonly url: string;
  readonly contentType: string | null;
}

/**
 * Fetches a URL without trusting it: http and https only, no credentials, no private addresses, every redirect checked
 * anew, no cookies or keys sent, no compression undone, proxies of the environment not used.
 * @throws UserError for all that is refused or fails; what ends the signal is thrown as its reason.
 */
export async function fetchGuarded(url: string, options: FetchOptions = {}): Promise<Fetched> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxRedirects = DEFAULT_MAX_REDIRECTS } = options;
  options.signal?.throwIfAborted();
  const deadline = new AbortController();
  // Unlike AbortSignal.timeout it keeps the process: a server that is silent must not end it without a word.
  const timer = setTimeout(() => deadline.abort(), Math.min(timeoutMs, LONGEST_TIMER_MS));
  const signal = AbortSignal.any([
    deadline.signal,
    ...(options.signal === undefined ? [] : [options.signal]),
  ]);
  const guard = { lookup: options.lookup ?? resolveAll, allowPrivate: options.allowPrivate ?? false };
  try {
    let current = checkedUrl(url, url);
    for (let redirects = 0; ; redirects++) {
      const address = await orAborted(addressOf(current, guard), signal);
      const response = await orAborted(send(current, address, signal), signal);
      const { statusCode = 0, headers } = response;
      if (!REDIRECTS.has(statusCode)) {
        return await orAborted(readBody(current, response, options, signal), signal);
      }
      response.destroy();
      if (redirects >= maxRedirects) {
        throw new UserError(
          `${url} redirects more than ${maxRedirects} times; give the address of the image itself`,
        );
      }
      if (headers.location === undefined) {
        throw new UserError(
          `${current.href} redirects without saying where to; give the address of the image itself`,
        );
      }
      current = checkedUrl(headers.location, url, current);
    }
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    if (deadline.signal.aborted) {
      throw new UserError(
        `${url} did not answer in full within ${timeoutMs / 1000} s; try again, or give the image as a file`,
        { code: 'too_slow' },
      );
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function checkedUrl(text: string, given: string, base?: URL): URL {
  const via = base === undefined ? '' : `${given} redirects to a place that is not allowed: `;
  if (!URL.canParse(text, base?.href)) {
    throw new UserError(`${via}${JSON.stringify(text)} is not a URL; give one as in https://host/image.jpg`);
  }
  const url = new URL(text, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UserError(`${via}${url.href} is not fetched; only http and https URLs are`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UserError(
      `${via}a URL with a name or password in it (host ${url.host}) is not fetched; leave them out`,
    );
  }
  return url;
}

/** Whatever the work does with the signal: once that is aborted, the work is no longer waited for. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort) signal.removeEventListener('abort', abort);
  }
}

function send(url: URL, { address, family }: Address, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    const sent: ClientRequest = request(
      url,
      {
        // A kept connection could lead to an address that was never checked.
        agent: false,
        family,
        // The name is not resolved again: between two lookups its address may change to a private one.
        lookup: (_host, { all }, done) =>
          all ? done(null, [{ address, family }]) : done(null, address, family),
        headers: { 'user-agent': 'safeguard-vl', accept: 'image/*,*/*;q=0.5', 'accept-encoding': 'identity' },
        signal,
      },
      resolve,
    );
    sent.on('error', (error) =>
      reject(
        signal.aborted
          ? error
          : new UserError(`${url.href} cannot be reached: ${messageOf(error)}; check the address`, {
              code: 'unreachable',
            }),
      ),
    );
    // Both end a request without an error event: an answer that changes the protocol, and one that is none.
    sent.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      reject(wrongStatus(url, statusCode));
    });
    sent.on('close', () =>
      reject(
        new UserError(`${url.href} closed the connection without an answer; check the address`, {
          code: 'unreachable',
        }),
      ),
    );
    sent.end();
  });
}

const HTTP_OK = 200;

const wrongStatus = (url: URL, status: number | undefined): UserError =>
  new UserError(
    `${url.href} answered with HTTP status ${status}; check that the address can be opened without signing in`,
    { code: 'rejected' },
  );

async function readBody(
  url: URL,
  response: IncomingMessage,
  { maxBytes = DEFAULT_MAX_BYTES }: FetchOptions,
  signal: AbortSignal,
): Promise<Fetched> {
  const tooLarge = (): UserError =>
    new UserError(
      `${url.href} is larger than the limit of ${maxBytes} bytes; scale it down or raise the limit`,
      { code: 'too_large' },
    );
  try {
    if (response.statusCode !== HTTP_OK) {
      throw wrongStatus(url, response.statusCode);
    }
    const encoding = response.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      throw new UserError(
        `${url.href} is sent compressed (${encoding}), which is not undone here; give the image as a file`,
      );
    }
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return {
      bytes: Buffer.concat(chunks, size),
      url: url.href,
      contentType: response.headers['content-type'] ?? null,
    };
  } catch (error) {
    if (error instanceof UserError || signal.aborted) throw error;
    throw new UserError(
      `${url.href} broke off before its end: ${messageOf(error)}; try again, or give the image as a file`,
      { code: 'unreachable' },
    );
  } finally {
    response.destroy();
  }
}
