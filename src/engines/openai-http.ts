/** @module Requests to one server: its address, its key, its limits of time; and sending again. */
import { delayBefore } from '../util/backoff.js';
import { InternalError, UserError } from '../util/errors.js';
import { isMissing, networkError, PassingError, type Refusal, refusalOf } from './openai-errors.js';
import { type OpenAISettings, readKey } from './openai-options.js';
import { jsonOf } from './request-body.js';
import { eventData } from './sse.js';

/** The server said no; what that means depends on what was asked. */
export class RefusedError extends Error {
  override name = 'RefusedError';
  constructor(readonly refusal: Refusal) {
    super(`status ${refusal.status}`);
  }
}

export class OpenAIConnection {
  readonly #key: string | null;
  readonly #closing = new AbortController();

  constructor(private readonly settings: OpenAISettings) {
    this.#key = readKey(settings.apiKeyVariable);
  }

  /** Breaks off what is under way. */
  close(): void {
    this.#closing.abort(new UserError(`the engine for ${this.settings.model} is closed; open it again`));
  }

  /** Ends with the request, or when the connection is closed. */
  signal(signal: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
  }

  /** One JSON document. */
  async json(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const time = this.#clock(signal, null);
    try {
      const response = await this.#open(path, body, time.signal);
      return this.#parsed(await response.text(), response);
    } catch (error) {
      throw time.meaning(error);
    } finally {
      time.stop();
    }
  }

  /** The events of a stream as JSON, up to `[DONE]`. */
  async *events(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<unknown, void> {
    const time = this.#clock(signal, this.settings.stallTimeout);
    try {
      const response = await this.#open(path, body, time.signal);
      if (!/event-stream/i.test(response.headers.get('content-type') ?? '')) {
        const text = await response.text();
        this.#parsed(text, response);
        throw new UserError(
          `${this.settings.baseURL} does not stream; ask it for whole answers, or check the base URL`,
        );
      }
      for await (const data of eventData(watched(response.body ?? [], time.alive))) {
        if (data === '[DONE]') return;
        yield this.#parsed(data, response);
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
    if (attempt >= this.settings.retries) throw new UserError(this.#hidden(error.message));
    try {
      await this.settings.delay(delayBefore(attempt, error.retryAfter), signal);
    } finally {
      // Its own reason, not that of the timer.
      signal.throwIfAborted();
    }
  }

  /** The names of the models that the server has; null where it does not tell. */
  async models(signal: AbortSignal): Promise<string[] | null> {
    try {
      const list = (await this.json('/models', undefined, signal)) as { data?: unknown };
      if (!Array.isArray(list.data)) return null;
      return list.data.flatMap((item: { id?: unknown } | null) =>
        typeof item?.id === 'string' ? [item.id] : [],
      );
    } catch {
      signal.throwIfAborted();
      return null;
    }
  }

  /** A server's words without the key, which some of them repeat. */
  #hidden(text: string): string {
    return this.#key === null ? text : text.replaceAll(this.#key, '***');
  }

  async #open(path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const response = await fetch(`${this.settings.baseURL}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#key === null ? {} : { authorization: `Bearer ${this.#key}` }),
      },
      body: body === undefined ? undefined : jsonOf(body),
      redirect: 'manual',
      signal,
    });
    if (response.ok) return response;
    const text = this.#hidden(await response.text());
    const refusal = refusalOf(response.status, jsonOrText(text), response.headers.get('retry-after'));
    if (isMissing(refusal) && isPage(text, response)) throw this.#pageError();
    throw new RefusedError(refusal);
  }

  #parsed(text: string, response: Response): unknown {
    try {
      return JSON.parse(this.#hidden(text)) as unknown;
    } catch {
      if (isPage(text, response)) throw this.#pageError();
      throw new UserError(
        `${this.settings.baseURL} answers with JSON that is cut off or damaged; look into the server's log`,
      );
    }
  }

  #pageError(): UserError {
    const { baseURL } = this.settings;
    return new UserError(
      `${baseURL} answers with a web page; give an API's base URL, which mostly ends in /v1`,
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

async function* watched(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  alive: () => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    alive();
    yield chunk;
  }
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
