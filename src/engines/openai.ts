/** @module Any server with OpenAI's chat completions API as an engine: vLLM, SGLang, llama-server, transformers serve. */
import { UserError } from '../util/errors.js';
import {
  checkRequest,
  type Engine,
  type EngineCapabilities,
  type EngineChat,
  type EngineCompletion,
  type EngineDelta,
  type EngineIdentity,
  type EngineRequest,
  type EngineSettings,
  type ScoredContinuation,
} from './engine.js';
import { Limiter } from './limiter.js';
import { errorOf, isMissing, PassingError, type Refusal } from './openai-errors.js';
import { OpenAIConnection, RefusedError } from './openai-http.js';
import { answerBytes } from './openai-limits.js';
import { type OpenAIEngineOptions, type OpenAISettings, withDefaults } from './openai-options.js';
import { chatBody, Refused, SentPictures } from './openai-request.js';
import { asAsked, completionsOf, type GivenCompletion, StreamedCompletion } from './openai-response.js';

import { UnderWay } from './under-way.js';

export type { OpenAIEngineOptions } from './openai-options.js';

const CHAT = '/chat/completions';
/** Of a server's models, in a message. */
const MAX_NAMES = 20;
type Body = Readonly<Record<string, unknown>>;

const signalOf = ({ signal }: EngineRequest): AbortSignal => signal ?? new AbortController().signal;

/** Failures that may pass are tried again; every other one is a `UserError` with its remedy. */
export class OpenAIEngine implements Engine {
  readonly name: string;
  readonly identity: EngineIdentity;
  readonly #settings: OpenAISettings;
  readonly #connection: OpenAIConnection;
  readonly #limiter: Limiter;
  readonly #refused = new Refused();
  readonly #underWay = new UnderWay();
  #closed = false;

  /** @throws UserError for options that cannot be; the server is first asked with the first request. */
  constructor(options: OpenAIEngineOptions) {
    this.#settings = withDefaults(options);
    const { model, baseURL, concurrency } = this.#settings;
    this.name = model;
    this.identity = { name: model, baseURL };
    this.#connection = new OpenAIConnection(this.#settings);
    this.#limiter = new Limiter(concurrency);
  }

  get concurrency(): number {
    return this.#settings.concurrency;
  }

  get capabilities(): EngineCapabilities {
    const { images, structured, prefix, contextLength } = this.#settings;
    return {
      images,
      logprobs: !this.#refused.has('logprobs'),
      grammar: structured !== 'none',
      prefix: prefix !== 'none',
      score: false,
      stream: true,
      seed: !this.#refused.has('seed'),
      contextLength,
    };
  }

  complete(request: EngineRequest): Promise<EngineCompletion[]> {
    return this.#whileOpen(() => this.#complete(request, new SentPictures([request.messages])));
  }

  /** As many at a time as the concurrency allows; the first failure ends the others. */
  completeAll(chats: readonly EngineChat[], settings: EngineSettings): Promise<EngineCompletion[]> {
    return this.#whileOpen(() => this.#completeAll(chats, settings));
  }

  async #complete(request: EngineRequest, pictures: SentPictures): Promise<EngineCompletion[]> {
    checkRequest(this, request, 'complete');
    const signal = signalOf(request);
    const leave = await this.#limiter.enter(signal);
    try {
      // In turn, so that no more pictures are encoded at once than are sent.
      const body = { ...(await chatBody(request, this.#settings, pictures)), stream: false };
      signal.throwIfAborted();
      const { n = 1, seed } = request;
      const limit = answerBytes(request, false);
      const completions = (await this.#answers(body, limit, signal)).slice(0, n);
      // Servers that know no `n` give one answer: they are asked again, with other seeds.
      while (completions.length < n) {
        const other = seed === undefined ? {} : { seed: seed + completions.length };
        const [next] = await this.#answers({ ...body, n: 1, ...other }, limit, signal);
        completions.push(next);
      }
      return completions.map((completion) => asAsked(completion, request));
    } finally {
      leave();
    }
  }

  async #completeAll(chats: readonly EngineChat[], settings: EngineSettings): Promise<EngineCompletion[]> {
    const failed = new AbortController();
    const signals = [failed.signal, ...(settings.signal === undefined ? [] : [settings.signal])];
    const signal = AbortSignal.any(signals);
    const pictures = new SentPictures(chats);
    try {
      return await Promise.all(
        chats.map(async (messages) => {
          const [completion] = await this.#complete({ ...settings, messages, signal }, pictures);
          return completion;
        }),
      );
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }

  async *stream(request: EngineRequest): AsyncGenerator<EngineDelta, void> {
    this.#checkOpen();
    checkRequest(this, request, 'stream');
    const signal = signalOf(request);
    const ended = this.#underWay.begin();
    let abandoned: NodeJS.Timeout | undefined;
    let leave: (() => void) | undefined;
    try {
      leave = await this.#limiter.enter(signal);
      const chat = await chatBody(request, this.#settings);
      const body = { ...chat, stream: true, stream_options: { include_usage: true } };
      for (let attempt = 0; ; ) {
        const sent = this.#refused.apply(body);
        try {
          for await (const delta of this.#deltas(sent, request, signal)) {
            // A reader who stops reading without leaving is waited for no longer than the server.
            abandoned ??= setTimeout(ended, this.#settings.timeout);
            yield delta;
          }
          return;
        } catch (error) {
          if (abandoned !== undefined) throw this.#final(error);
          attempt = await this.#afterFailure(error, sent, attempt, signal);
        }
      }
    } finally {
      clearTimeout(abandoned);
      leave?.();
      ended();
    }
  }

  score(): Promise<ScoredContinuation[]> {
    const { baseURL } = this.#settings;
    return Promise.reject(
      new UserError(`${baseURL} cannot score given texts over this API; take the local engine for that`, {
        code: 'unsupported',
      }),
    );
  }

  /** Takes no more requests, and ends when those under way have their answers; to end them sooner, abort their signals. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#underWay.idle();
  }

  async #whileOpen<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#checkOpen();
    const ended = this.#underWay.begin();
    try {
      return await work();
    } finally {
      ended();
    }
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new UserError(`the engine for ${this.name} is closed; open it again`, { code: 'closed' });
    }
  }

  async #answers(body: Body, limit: number, signal: AbortSignal): Promise<GivenCompletion[]> {
    for (let attempt = 0; ; ) {
      const sent = this.#refused.apply(body);
      try {
        const answer = await this.#connection.json(CHAT, sent, limit, signal);
        const completions = completionsOf(answer, this.#connection);
        for (const completion of completions) this.#notice(completion, sent);
        return completions;
      } catch (error) {
        attempt = await this.#afterFailure(error, sent, attempt, signal);
      }
    }
  }

  async *#deltas(sent: Body, request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineDelta, void> {
    const whole = new StreamedCompletion(this.#connection);
    const limit = answerBytes(request, true);
    for await (const event of this.#connection.events(CHAT, sent, limit, signal)) {
      const { text, thought } = whole.add(event);
      if (text !== '' || thought !== '')
        yield { text, ...(thought === '' ? {} : { thought }), completion: null };
    }
    const completion = whole.completion();
    if (completion === null) {
      const { baseURL } = this.#settings;
      throw new PassingError(
        `${baseURL} ended its answer in the middle; look into its log and try again`,
        'server_error',
      );
    }
    this.#notice(completion, sent);
    yield { text: '', completion: asAsked(completion, request) };
  }

  /** Some servers leave log-probabilities out without a word. */
  #notice({ text, reported }: GivenCompletion, sent: Body): void {
    if (text !== '' && !reported) this.#refused.learn('logprobs', sent);
  }

  /** The number of the next attempt, which a refused parameter does not count. @throws what is final. */
  async #afterFailure(error: unknown, sent: Body, attempt: number, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    let failure = error;
    if (error instanceof RefusedError) {
      const { refusal } = error;
      const mayName = refusal.status === 400 || refusal.status === 422;
      if (mayName && this.#refused.learn(refusal.message, sent)) return attempt;
      failure = isMissing(refusal) ? await this.#missing(refusal, signal) : this.#errorOf(refusal);
    }
    await this.#connection.beforeNext(failure, attempt, signal);
    return attempt + 1;
  }

  /** A failure after which nothing can be tried again. */
  #final(error: unknown): unknown {
    const failure = error instanceof RefusedError ? this.#errorOf(error.refusal) : error;
    return failure instanceof PassingError ? new UserError(failure.message, { code: failure.code }) : failure;
  }

  /** The model is not there, or the API is not. */
  async #missing(refusal: Refusal, signal: AbortSignal): Promise<Error> {
    const { baseURL, model } = this.#settings;
    const models = await this.#connection.models(signal);
    if (models === null) {
      return new UserError(
        `there is no API at ${baseURL}; give the base URL with its path, which mostly is /v1`,
        { code: 'not_found' },
      );
    }
    if (models.includes(model)) return this.#errorOf(refusal);
    const names = models.slice(0, MAX_NAMES).map((name) => this.#connection.shown(name));
    const has = models.length === 0 ? 'no model at all' : names.join(', ');
    const more = models.length > names.length ? ` and ${models.length - names.length} more` : '';
    return new UserError(`${baseURL} has no model "${model}"; it has ${has}${more}`, { code: 'not_found' });
  }

  #errorOf(refusal: Refusal): UserError | PassingError {
    const { baseURL, model, apiKeyVariable } = this.#settings;
    const quote = (words: string): string => this.#connection.quote(words);
    return errorOf(refusal, { baseURL, model, apiKeyVariable, quote });
  }
}
