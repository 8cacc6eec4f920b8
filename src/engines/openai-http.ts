/** @module Requests to one server: its address, its key, its limits of time; and sending again. */
import { delayBefore } from '../util/backoff.js';
import { InternalError, UserError } from '../util/errors.js';
import { parseLenient } from './lenient-json.js';
import {
  isMissing,
  isRecord,
  networkError,
  PassingError,
  type Refusal,
  refusalIn,
  refusalOf,
} from './openai-errors.js';
import { ERROR_BYTES, LIST_BYTES, piecesWithin, textWithin } from './openai-limits.js';
import { type OpenAISettings, readKey } from './openai-options.js';
import type { Speaker } from './openai-response.js';
import { jsonOf } from './request-body.js';
import { Secret } from './secret.js';
import { eventData } from './sse.js';

/** The server said no; what that means depends on what was asked. */
export class RefusedError extends Error {
  override name = 'RefusedError';
  constructor(readonly refusal: Refusal) {
    super(`status ${refusal.status}`);
  }
}

/** Of a server's words; more would be read for nothing. */
const MAX_WORDS = 4096;
const MAX_QUOTE = 300;
const DONE = '[DONE]';

export class OpenAIConnection implements Speaker {
  readonly baseURL: string;
  readonly #key: Secret | null;

  constructor(private readonly settings: OpenAISettings) {
    this.baseURL = settings.baseURL;
    const key = readKey(settings.apiKeyVariable);
    this.#key = key === null ? null : new Secret(key);
  }

  /** One JSON document of at most so many bytes. @throws RefusedError where it holds an error. */
  async json(path: string, body: unknown, limit: number, signal: AbortSignal): Promise<unknown> {
    const time = this.#clock(signal, null);
    try {
      const response = await this.#open(path, body, time.signal);
      const { text, more } = await textWithin(response, limit);
      if (more) throw this.#tooLarge(limit);
      return this.#parsed(text, response);
    } catch (error) {
      throw time.meaning(error);
    } finally {
      time.stop();
    }
  }

  /** The events of a stream as JSON, up to `[DONE]`, of at most so many bytes. @throws RefusedError where one holds an error. */
  async *events(
    path: string,
    body: unknown,
    limit: number,
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void> {
    const time = this.#clock(signal, this.settings.stallTimeout);
    try {
      const response = await this.#open(path, body, time.signal);
      if (!/event-stream/i.test(response.headers.get('content-type') ?? '')) {
        const { text, more } = await textWithin(response, limit);
        if (more) throw this.#tooLarge(limit);
        this.#parsed(text, response);
        throw new UserError(
          `${this.baseURL} does not stream; ask it for whole answers, or check the base URL`,
          { code: 'server_error' },
        );
      }
      const pieces = piecesWithin(response, limit, () => this.#tooLarge(limit), time.alive);
      for await (const data of eventData(pieces)) {
        const text = data.trim();
        if (text === DONE) return;
        if (text !== '') yield this.#parsed(text, response);
      }
    } catch (error) {
      throw time.meaning(error);
    } finally {
      // Also where the reader leaves early: the connection is closed.
      time.stop();
    }
  }

  /** Waits before the next attempt. @throws what is final: a refusal of use, the last failure, the signal's reason. */
  async beforeNext(error: unknown, attempt: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!(error instanceof PassingError)) throw error;
    if (attempt >= this.settings.retries) throw new UserError(error.message, { code: error.code });
    try {
      await this.settings.delay(delayBefore(attempt, error.retryAfter), signal);
    } finally {
      // Its own reason, not that of the timer.
      signal.throwIfAborted();
    }
  }

  /** The names of the models that the server has, as far as they can be shown; null where it does not tell. */
  async models(signal: AbortSignal): Promise<string[] | null> {
    try {
      const list = await this.json('/models', undefined, LIST_BYTES, signal);
      const models: unknown = isRecord(list) ? list['data'] : null;
      if (!Array.isArray(models)) return null;
      return models.flatMap((item: unknown) =>
        isRecord(item) && typeof item['id'] === 'string' ? [item['id']] : [],
      );
    } catch {
      signal.throwIfAborted();
      return null;
    }
  }

  quote(words: string): string {
    const shown = this.shown(words);
    return shown === '' ? '' : `: "${shown}"`;
  }

  /** A server's words on one line, short, without the key. */
  shown(words: string): string {
    const cut = words.slice(0, MAX_WORDS);
    const hidden = this.#key?.hiddenIn(cut) ?? cut;
    // Control codes and marks that turn the direction of writing would speak to the terminal.
    return hidden
      .replace(/[\s\p{C}]+/gu, ' ')
      .trim()
      .slice(0, MAX_QUOTE);
  }

  hidden(text: string): string {
    return this.#key?.hiddenInAnswer(text) ?? text;
  }

  async #open(path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const asked = fetch(`${this.baseURL}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#key === null ? {} : { authorization: `Bearer ${this.#key.value}` }),
      },
      body: body === undefined ? undefined : jsonOf(body),
      redirect: 'manual',
      signal,
    });
    const response = await orAborted(asked, signal);
    if (response.ok) return response;
    const { text } = await textWithin(response, ERROR_BYTES);
    const refusal = refusalOf(response.status, jsonOrText(text), response.headers.get('retry-after'));
    if (isMissing(refusal) && isPage(text, response)) throw this.#pageError();
    throw new RefusedError(refusal);
  }

  #parsed(text: string, response: Response): unknown {
    let body: unknown;
    try {
      body = parseLenient(text);
    } catch {
      if (isPage(text, response)) throw this.#pageError();
      throw new UserError(
        `${this.baseURL} answers with JSON that is cut off or damaged; look into the server's log`,
        { code: 'server_error' },
      );
    }
    const refusal = refusalIn(body);
    if (refusal !== null) throw new RefusedError(refusal);
    return body;
  }

  #tooLarge(limit: number): UserError {
    return new UserError(
      `${this.baseURL} answers with more than ${limit} bytes, many times what was asked for; look into the server's log`,
      { code: 'too_large' },
    );
  }

  #pageError(): UserError {
    return new UserError(
      `${this.baseURL} answers with a web page; give an API's base URL, which mostly ends in /v1`,
      { code: 'not_found' },
    );
  }

  /** The limits of time of one attempt. */
  #clock(signal: AbortSignal, stallTimeout: number | null): Clock {
    const { baseURL, timeout } = this.settings;
    const stop = new AbortController();
    let late: PassingError | null = null;
    const after = (limit: number, what: string): NodeJS.Timeout =>
      setTimeout(() => {
        late = new PassingError(
          `${baseURL} ${what} ${limit / 1000} seconds; look into its log or allow more time`,
          'too_slow',
        );
        stop.abort();
      }, limit);
    const total = after(timeout, 'gave no whole answer within');
    const stalled = (): NodeJS.Timeout | undefined =>
      stallTimeout === null ? undefined : after(stallTimeout, 'fell silent within an answer for');
    let stall = stalled();
    return {
      signal: AbortSignal.any([stop.signal, signal]),
      alive: () => {
        clearTimeout(stall);
        stall = stalled();
      },
      stop: () => {
        clearTimeout(total);
        clearTimeout(stall);
        stop.abort();
      },
      meaning: (error) => {
        if (signal.aborted) return signal.reason;
        if (late !== null) return late;
        const ours = [UserError, RefusedError, PassingError, InternalError];
        return ours.some((type) => error instanceof type) ? error : networkError(error, baseURL);
      },
    };
  }
}

interface Clock {
  readonly signal: AbortSignal;
  /** Something came. */
  readonly alive: () => void;
  readonly stop: () => void;
  /** What an error under this clock is to the outside. */
  readonly meaning: (error: unknown) => unknown;
}

/** Node's fetch does not always end with its signal: after a status 101 it never does. */
function orAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function isPage(text: string, { headers }: Response): boolean {
  return /text\/html/i.test(headers.get('content-type') ?? '') || /^\s*<(!doctype|html)/i.test(text);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return { message: /^\s*</.test(text) ? '' : text };
  }
}
