/** @module What answers chats: a model in this process or a server behind an API, with one face. */
import type { Size } from '../images/frames.js';
import type { RgbImage } from '../images/image.js';
import { UserError } from '../util/errors.js';

/** Which model answers, and where. */
export type EngineIdentity =
  | {
      readonly name: string;
      /** The checkpoint folder. */
      readonly path: string;
      /** SHA-256 of the weights, where they are one small file. */
      readonly hash?: string;
      /** The PEFT adapter that is merged into them. */
      readonly adapter?: string;
    }
  | { readonly name: string; readonly baseURL: string };

/** What an engine can do; a request that asks for more is a `UserError`. */
export interface EngineCapabilities {
  /** How many images one chat may hold. */
  readonly images: number | 'many';
  /** Of the tokens of an answer. A server's is true until it refuses or leaves them out. */
  readonly logprobs: boolean;
  readonly grammar: boolean;
  readonly prefix: boolean;
  readonly score: boolean;
  readonly stream: boolean;
  readonly seed: boolean;
  /** Tokens of prompt and answer together; null where it is not known. */
  readonly contextLength: number | null;
}

/** A picture whose pixels are read when an engine needs them, so that none lie in memory while a request waits. */
export interface EnginePicture {
  /** The picture as it is to be shown, upright; may be asked for several times. */
  readonly pixels: () => Promise<RgbImage>;
  /**
   * The image file that these are the pixels of, given only where nothing was changed (not scaled, not cut): an engine may
   * send it to a server as it is.
   */
  readonly file?: Uint8Array;
}

/**
 * A picture for an engine: pixels, the bytes of an image file, or an {@link EnginePicture}. An engine shows it whole and
 * at its size: whoever asks has made it small enough.
 */
export type EngineImage = RgbImage | Uint8Array | EnginePicture;

/** Words, or a picture. */
export type EnginePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: EngineImage };

export interface EngineMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string | readonly EnginePart[];
}

export interface EngineRequest {
  readonly messages: readonly EngineMessage[];
  readonly maxNewTokens: number;
  /** 0 or left out: the likeliest token at every step. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  /** Answers wanted. Default 1. */
  readonly n?: number;
  /** A regular expression that the answer matches as a whole, unless it is cut off. */
  readonly grammar?: string;
  /** The words with which the answer is made to begin; text, tokens and grammar are of what follows them. */
  readonly prefix?: string;
  /** How many alternatives of each token are wanted, up to 20; left out: no tokens are reported at all. */
  readonly topLogprobs?: number;
  /** Ends the request; what is thrown is its reason. */
  readonly signal?: AbortSignal;
}

export type EngineChat = readonly EngineMessage[];
export type EngineSettings = Omit<EngineRequest, 'messages' | 'n'>;

export interface EngineToken {
  /** Characters of which the token holds only some bytes are U+FFFD. */
  readonly text: string;
  readonly bytes: Uint8Array;
  /** 0 or less; −∞ where a server reported something that can be none. */
  readonly logprob: number;
  /** The likeliest tokens in its place, the likeliest first; empty where a server reported something else. */
  readonly top: readonly { readonly text: string; readonly logprob: number }[];
}

export interface EngineCompletion {
  readonly text: string;
  /** What the model thought before its answer, where a server keeps that apart from it (see `withThought`). */
  readonly thought?: string;
  /** Without the one that ends the answer; empty where none were asked for or the engine has no log-probabilities. */
  readonly tokens: readonly EngineToken[];
  readonly finishReason: 'stop' | 'length';
  /** Tokens; null where a server does not tell. */
  readonly usage: { readonly prompt: number | null; readonly completion: number | null };
}

/** A piece of an answer. The last one carries the whole. */
export interface EngineDelta {
  readonly text: string;
  /** A piece of the thought before the answer, where a server keeps that apart. */
  readonly thought?: string;
  readonly completion: EngineCompletion | null;
}

export interface ScoredContinuation {
  readonly tokens: readonly Omit<EngineToken, 'top'>[];
  /** The sum over the tokens. */
  readonly logprob: number;
}

/** Seconds until an answer of so many tokens about an image of so many tokens is whole. */
export type Pace = (imageTokens: number, newTokens: number) => number;

export interface Engine {
  readonly name: string;
  readonly identity: EngineIdentity;
  readonly capabilities: EngineCapabilities;
  /** How many requests it works on side by side; left out where it computes the chats of one call together instead. */
  readonly concurrency?: number;
  /**
   * The size in pixels at which its model is shown a picture of that size, so that it can be resized once and for good;
   * left out where that is a server's matter. @throws UserError for a size that the model does not take.
   */
  imageSize?(size: Size): Size;
  /** `n` answers. */
  complete(request: EngineRequest): Promise<EngineCompletion[]>;
  /** One answer to each chat, all with the same settings; computed together where the engine can. */
  completeAll(chats: readonly EngineChat[], settings: EngineSettings): Promise<EngineCompletion[]>;
  /** One answer as it is written. */
  stream(request: EngineRequest): AsyncIterable<EngineDelta>;
  /** How likely each text is as the answer's continuation behind the prompt and the prefix. */
  score(request: EngineRequest, continuations: readonly string[]): Promise<ScoredContinuation[]>;
  /** Measures once how long an answer about an image takes; absent where that is not this machine's matter. */
  pace?(): Promise<Pace>;
  /** Takes no more requests (`closed`), waits for those under way, and frees what the engine holds. */
  close(): Promise<void>;
}

const MAX_TOP_LOGPROBS = 20;

/** @throws UserError where a request has a senseless number or asks for what the engine lacks. */
export function checkRequest(engine: Engine, request: EngineRequest, use: 'complete' | 'stream'): void {
  const { capabilities, name } = engine;
  whole('maxNewTokens', request.maxNewTokens, 1, Number.MAX_SAFE_INTEGER);
  whole('n', request.n ?? 1, 1, use === 'stream' ? 1 : Number.MAX_SAFE_INTEGER);
  whole('topLogprobs', request.topLogprobs ?? 0, 0, MAX_TOP_LOGPROBS);
  const { temperature = 0, topP = 1 } = request;
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new UserError(`temperature must be a number from 0, and ${temperature} was given`, {
      code: 'invalid_option',
    });
  }
  if (!(topP > 0 && topP <= 1))
    throw new UserError(`topP must lie above 0 and up to 1, and ${topP} was given`, {
      code: 'invalid_option',
    });
  const images = request.messages
    .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
    .filter(({ type }) => type === 'image').length;
  if (capabilities.images !== 'many' && images > capabilities.images) {
    throw new UserError(
      `the chat has ${images} images, and ${name} takes ${capabilities.images}; leave some out or take another engine`,
      { code: 'too_many' },
    );
  }
  for (const part of ['grammar', 'prefix'] as const) {
    if (request[part] === undefined || capabilities[part]) continue;
    throw new UserError(
      `${name} cannot hold its answer to a ${part}; say with the engine's options how its server does, or leave it out`,
      { code: 'unsupported' },
    );
  }
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new UserError(`${name} must be a whole number ${range}, and ${value} was given`, {
    code: 'invalid_option',
  });
}
