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
import { errorOf, isMissing, PassingError, type Refusal, refusalIn } from './openai-errors.js';
import { OpenAIConnection, RefusedError } from './openai-http.js';
import { type OpenAIEngineOptions, type OpenAISettings, withDefaults } from './openai-options.js';
import { chatBody, Refused, SentPictures } from './openai-request.js';
import { asAsked, completionsOf, StreamedCompletion } from './openai-response.js';

export type { OpenAIEngineOptions } from './openai-options.js';

const CHAT = '/chat/completions';
type Body = Readonly<Record<string, unknown>>;

/** Failures that may pass are tried again; every other one is a `UserError` with its remedy. */
export class OpenAIEngine implements Engine {
  readonly name: string;
  readonly identity: EngineIdentity;
  readonly #settings: OpenAISettings;
  readonly #connection: OpenAIConnection;
  readonly #limiter: Limiter;
  readonly #refused = new Refused();

  /** @throws UserError for options that cannot be; the server is first asked with the first request. */
  constructor(options: OpenAIEngineOptions) {
    this.#settings = withDefaults(options);
    const { model, baseURL, concurrency } = this.#settings;
    this.name = model;
    this.identity = { name: model, baseURL };
    this.#connection = new OpenAIConnection(this.#settings);
    this.#limiter = new Limiter(concurrency);
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
    return this.#complete(request, new SentPictures([request.messages]));
  }

  async #complete(request: EngineRequest, pictures: SentPictures): Promise<EngineCompletion[]> {
    checkRequest(this, request, 'complete');
    const signal = this.#connection.signal(request.signal);
    const leave = await this.#limiter.enter(signal);
    try {
      // In turn, so that no more pictures are encoded at once than are sent.
      const body = { ...(await chatBody(request, this.#settings, pictures)), stream: false };
      const { n = 1, seed } = request;
      const completions = (await this.#answers(body, signal)).slice(0, n);
      // Servers that know no `n` give one answer: they are asked again, with other seeds.
      while (completions.length < n) {
        const other = seed === undefined ? {} : { seed: seed + completions.length };
        const [next] = await this.#answers({ ...body, n: 1, ...other }, signal);
        completions.push(next);
      }
      return completions.map((completion) => asAsked(completion, request));
    } finally {
      leave();
    }
  }

  /** As many at a time as the concurrency allows; the first failure ends the others. */
  async completeAll(chats: readonly EngineChat[], settings: EngineSettings): Promise<EngineCompletion[]> {
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
    checkRequest(this, request, 'stream');
    const signal = this.#connection.signal(request.signal);
    const leave = await this.#limiter.enter(signal);
    let begun = false;
    try {
      const chat = await chatBody(request, this.#settings);
      const body = { ...chat, stream: true, stream_options: { include_usage: true } };
      for (let attempt = 0; ; ) {
        try {
          for await (const delta of this.#deltas(body, signal)) {
            begun = true;
            const { text, completion } = delta;
            yield { text, completion: completion && asAsked(completion, request) };
          }
          return;
        } catch (error) {
          if (begun) throw this.#final(error);
          attempt = await this.#afterFailure(error, body, attempt, signal);
        }
      }
    } finally {
      leave();
    }
  }

  score(): Promise<ScoredContinuation[]> {
    const { baseURL } = this.#settings;
    return Promise.reject(
      new UserError(`${baseURL} cannot score given texts over this API; take the local engine for that`),
    );
  }

  /** Breaks off what is under way. */
  close(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }

  async #answers(body: Body, signal: AbortSignal): Promise<EngineCompletion[]> {
    for (let attempt = 0; ; ) {
      try {
        const answer = await this.#connection.json(CHAT, this.#refused.apply(body), signal);
        const refusal = refusalIn(answer);
        if (refusal !== null) throw new RefusedError(refusal);
        const completions = completionsOf(answer, this.#settings.baseURL);
        for (const completion of completions) this.#notice(completion, body);
        return completions;
      } catch (error) {
        attempt = await this.#afterFailure(error, body, attempt, signal);
      }
    }
  }

  async *#deltas(body: Body, signal: AbortSignal): AsyncGenerator<EngineDelta, void> {
    const { baseURL } = this.#settings;
    const whole = new StreamedCompletion(baseURL);
    for await (const event of this.#connection.events(CHAT, this.#refused.apply(body), signal)) {
      const refusal = refusalIn(event);
      if (refusal !== null) throw new RefusedError(refusal);
      const text = whole.add(event);
      if (text !== '') yield { text, completion: null };
    }
    const completion = whole.completion();
    if (completion === null) {
      throw new PassingError(`${baseURL} ended its answer in the middle; look into its log and try again`);
    }
    this.#notice(completion, body);
    yield { text: '', completion };
  }

  /** Some servers leave log-probabilities out without a word. */
  #notice({ text, tokens }: EngineCompletion, body: Body): void {
    if (text !== '' && tokens.length === 0) this.#refused.learn('logprobs', body);
  }

  /** The number of the next attempt, which a refused parameter does not count. @throws what is final. */
  async #afterFailure(error: unknown, body: Body, attempt: number, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    let failure = error;
    if (error instanceof RefusedError) {
      const { refusal } = error;
      const mayName = refusal.status === 400 || refusal.status === 422;
      if (mayName && this.#refused.learn(refusal.message, this.#refused.apply(body))) return attempt;
      failure = isMissing(refusal) ? await this.#missing(refusal, signal) : errorOf(refusal, this.#settings);
    }
    await this.#connection.beforeNext(failure, attempt, signal);
    return attempt + 1;
  }

  /** A failure after which nothing can be tried again. */
  #final(error: unknown): unknown {
    const failure = error instanceof RefusedError ? errorOf(error.refusal, this.#settings) : error;
    return failure instanceof PassingError ? new UserError(failure.message) : failure;
  }

  /** The model is not there, or the API is not. */
  async #missing(refusal: Refusal, signal: AbortSignal): Promise<Error> {
    const { baseURL, model } = this.#settings;
    const models = await this.#connection.models(signal);
    if (models === null) {
      return new UserError(
        `there is no API at ${baseURL}; give the base URL with its path, which mostly is /v1`,
      );
    }
    if (models.includes(model)) return errorOf(refusal, this.#settings);
    const has = models.length === 0 ? 'no model at all' : models.join(', ');
    return new UserError(`${baseURL} has no model "${model}"; it has ${has}`);
  }
}
