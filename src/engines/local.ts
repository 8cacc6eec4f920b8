/** @module A checkpoint that runs in this process, as an engine. */
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Size } from '../images/frames.js';
import type { GeneratedTokens } from '../generation/generator.js';
import type { LoadedModel, LoadOptions } from '../generation/model.js';
import type { Message } from '../models/qwen2_5_vl/chat.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { UserError } from '../util/errors.js';
import { sha256 } from '../util/hash.js';
import { TextChannel } from './channel.js';
import {
  checkRequest,
  type Engine,
  type EngineCapabilities,
  type EngineChat,
  type EngineCompletion,
  type EngineDelta,
  type EngineIdentity,
  type EngineMessage,
  type EngineRequest,
  type EngineSettings,
  type Pace,
  type ScoredContinuation,
} from './engine.js';
import { Limiter } from './limiter.js';
import { measurePace } from './pace.js';
import { pixelsOf } from './pictures.js';

/** Hashing this many bytes takes well under a second; larger weights are known by their path alone. */
const MAX_HASHED_BYTES = 100_000_000;

/** Requests are answered one after the other: each one takes all threads. */
export class LocalEngine implements Engine {
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  readonly #turns = new Limiter(1);
  #closing: Promise<void> | undefined;
  #pace: Promise<Pace> | undefined;

  constructor(
    readonly identity: EngineIdentity,
    private readonly model: LoadedModel,
  ) {
    this.name = identity.name;
    this.capabilities = {
      images: 'many',
      logprobs: true,
      grammar: true,
      prefix: true,
      score: true,
      stream: true,
      seed: true,
      contextLength: model.config.text.maxPositionEmbeddings,
    };
  }

  /** Opens a Qwen2.5-VL checkpoint folder. @throws UserError where it cannot be run. */
  static async load(folder: string, options: LoadOptions = {}): Promise<LocalEngine> {
    // ONNX Runtime is loaded when a model is, not with the first import.
    const generation = await import('../generation/model.js');
    const model = await generation.LoadedModel.load(folder, options);
    const identity = await identify(folder);
    const { adapter } = options;
    return new LocalEngine(
      adapter === undefined ? identity : { ...identity, adapter: resolve(adapter) },
      model,
    );
  }

  async complete(request: EngineRequest): Promise<EngineCompletion[]> {
    checkRequest(this, request, 'complete');
    return this.#inTurn(request.signal, async () => this.#generate([await this.#prompt(request)], request));
  }

  async completeAll(chats: readonly EngineChat[], settings: EngineSettings): Promise<EngineCompletion[]> {
    for (const messages of chats) checkRequest(this, { ...settings, messages }, 'complete');
    return this.#inTurn(settings.signal, async () => {
      const prompts: EncodedPrompt[] = [];
      for (const messages of chats) prompts.push(await this.#prompt({ ...settings, messages }));
      return this.#generate(prompts, settings);
    });
  }

  async *stream(request: EngineRequest): AsyncGenerator<EngineDelta, void> {
    checkRequest(this, request, 'stream');
    const left = new AbortController();
    const signal = AbortSignal.any([left.signal, ...(request.signal === undefined ? [] : [request.signal])]);
    const texts = new TextChannel();
    const decoder = newDecoder();
    const whole = this.#inTurn(signal, async () =>
      this.#generate([await this.#prompt(request)], { ...request, signal }, (id) => {
        texts.push(decoder.decode(this.model.processor.tokenizer.bytesOf(id), { stream: true }));
      }),
    );
    const ended = whole.then(
      () => texts.end(),
      () => texts.end(),
    );
    try {
      for await (const text of texts) if (text !== '') yield { text, completion: null };
      const [completion] = await whole;
      yield { text: decoder.decode(), completion };
    } finally {
      left.abort();
      await ended;
    }
  }

  async score(request: EngineRequest, continuations: readonly string[]): Promise<ScoredContinuation[]> {
    checkRequest(this, request, 'complete');
    const { tokenizer } = this.model.processor;
    const ids = continuations.map((text) => tokenizer.encode(text, { special: false }));
    const scores = await this.#inTurn(request.signal, async () =>
      this.model.score(await this.#prompt(request), ids, request.signal),
    );
    return scores.map((logprobs, i) => ({
      tokens: logprobs.map((logprob, k) => ({ ...this.#textOf(ids[i][k]), logprob })),
      logprob: logprobs.reduce((sum, logprob) => sum + logprob, 0),
    }));
  }

  imageSize(size: Size): Size {
    const { imageProcessor } = this.model.processor;
    const [height, width] = imageProcessor.resizedSize(size.height, size.width);
    // Where limits are so narrow that the processor would change its own result, it alone resizes.
    const [again, across] = imageProcessor.resizedSize(height, width);
    return again === height && across === width ? { width, height } : size;
  }

  /** From one short pass, and the share of each part of the model in the arithmetic. */
  pace(): Promise<Pace> {
    this.#pace ??= this.#inTurn(undefined, () => measurePace(this.model));
    return this.#pace;
  }

  /** Waits for the request at work. */
  async close(): Promise<void> {
    this.#closing ??= this.#turns.enter().then(async (leave) => {
      await this.model.dispose();
      leave();
    });
    await this.#closing;
  }

  async #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    const leave = await this.#turns.enter(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new UserError(`the engine ${this.name} is closed; open it again`, { code: 'closed' });
    }
  }

  async #prompt({ messages, prefix }: EngineRequest): Promise<EncodedPrompt> {
    const { processor } = this.model;
    const { inputIds, images } = processor.encodeChat(await Promise.all(messages.map(withPixels)));
    const forced = prefix === undefined ? [] : processor.tokenizer.encode(prefix, { special: false });
    return { inputIds: [...inputIds, ...forced], images };
  }

  async #generate(
    prompts: readonly EncodedPrompt[],
    request: Omit<EngineRequest, 'messages'>,
    onToken?: (id: number) => void,
  ): Promise<EngineCompletion[]> {
    const { maxNewTokens, temperature, topP, seed, n = 1, grammar, topLogprobs, signal } = request;
    const answers = await this.model.generate(prompts, {
      maxNewTokens,
      temperature,
      topP,
      seed,
      n,
      grammar,
      signal,
      topLogProbs: topLogprobs,
      onToken: onToken && ((_, id) => onToken(id)),
    });
    return answers.map((answer, i) => ({
      text: this.#text(answer.tokens),
      tokens: topLogprobs === undefined ? [] : this.#tokens(answer),
      finishReason: answer.finishReason,
      usage: { prompt: prompts[Math.floor(i / n)].inputIds.length, completion: answer.tokens.length },
    }));
  }

  #tokens({ tokens, logProbs, top }: GeneratedTokens): EngineCompletion['tokens'] {
    return tokens.map((id, i) => ({
      ...this.#textOf(id),
      logprob: logProbs[i],
      top: top[i].map((token) => ({ text: this.#nameOf(token.id), logprob: token.logProb })),
    }));
  }

  #textOf(id: number): { text: string; bytes: Uint8Array } {
    const bytes = this.model.processor.tokenizer.bytesOf(id) ?? new Uint8Array();
    return { text: newDecoder().decode(bytes), bytes };
  }

  /** As the text of a token; special tokens by their names. */
  #nameOf(id: number): string {
    const { tokenizer } = this.model.processor;
    const bytes = tokenizer.bytesOf(id);
    return bytes === undefined ? tokenizer.decode([id]) : newDecoder().decode(bytes);
  }

  /** Equal to what a stream's pieces make together. */
  #text(ids: readonly number[]): string {
    const decoder = newDecoder();
    const { tokenizer } = this.model.processor;
    const pieces = ids.map((id) => decoder.decode(tokenizer.bytesOf(id), { stream: true }));
    return pieces.join('') + decoder.decode();
  }
}

const newDecoder = () => new TextDecoder('utf-8', { ignoreBOM: true });

async function withPixels({ role, content }: EngineMessage): Promise<Message> {
  if (typeof content === 'string') return { role, content };
  const parts = content.map(async (part) => {
    if (part.type === 'text') return part;
    return { type: 'image' as const, image: await pixelsOf(part.image) };
  });
  return { role, content: await Promise.all(parts) };
}

/** The folder's name and path, and the weights' hash where they are one small file. */
async function identify(folder: string): Promise<EngineIdentity> {
  const path = resolve(folder);
  const identity = { name: basename(path), path };
  const weights = join(path, 'model.safetensors');
  const size = await stat(weights).then(
    (info) => info.size,
    () => Infinity,
  );
  return size > MAX_HASHED_BYTES ? identity : { ...identity, hash: sha256(await readFile(weights)) };
}
