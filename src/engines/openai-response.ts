/** @module From the chat completions API's answers to completions. */
import { z } from 'zod';
import { UserError } from '../util/errors.js';
import type { EngineCompletion, EngineToken } from './engine.js';

const likely = z.looseObject({ token: z.string(), logprob: z.number() });
const token = likely.extend({
  bytes: z.array(z.int().min(0).max(255)).nullish(),
  top_logprobs: z.array(likely).nullish(),
});
const logprobs = z.looseObject({ content: z.array(token).nullish() }).nullish();
const usage = z
  .looseObject({ prompt_tokens: z.int().nullish(), completion_tokens: z.int().nullish() })
  .nullish();
const text = z.looseObject({ content: z.string().nullish() });
const chat = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        index: z.int().default(0),
        message: text,
        logprobs,
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage,
});
const chunk = z.looseObject({
  choices: z
    .array(z.looseObject({ delta: text.nullish(), logprobs, finish_reason: z.string().nullish() }))
    .default([]),
  usage,
});

/** The completions of a whole answer, in the order of their indices. */
export function completionsOf(body: unknown, baseURL: string): EngineCompletion[] {
  const parsed = chat.safeParse(body);
  if (!parsed.success) throw strange(baseURL, parsed.error);
  const { choices } = parsed.data;
  const completions = choices
    .sort((a, b) => a.index - b.index)
    .map((choice): EngineCompletion => {
      const content = choice.message.content ?? '';
      return {
        text: content,
        tokens: withoutEnd((choice.logprobs?.content ?? []).map(tokenOf), content),
        finishReason: finishReasonOf(choice.finish_reason, baseURL),
        usage: usageOf(parsed.data.usage, choices.length),
      };
    });
  return completions;
}

/** Puts the pieces of a stream together. */
export class StreamedCompletion {
  #text = '';
  readonly #tokens: EngineToken[] = [];
  #usage: EngineCompletion['usage'] = { prompt: null, completion: null };
  #finishReason: EngineCompletion['finishReason'] | null = null;

  constructor(private readonly baseURL: string) {}

  /** Takes an event and gives its words. */
  add(event: unknown): string {
    const parsed = chunk.safeParse(event);
    if (!parsed.success) throw strange(this.baseURL, parsed.error);
    const { choices, usage: used } = parsed.data;
    if (used) this.#usage = usageOf(used, 1);
    const choice = choices[0];
    if (choice === undefined) return '';
    this.#tokens.push(...(choice.logprobs?.content ?? []).map(tokenOf));
    if (typeof choice.finish_reason === 'string')
      this.#finishReason = finishReasonOf(choice.finish_reason, this.baseURL);
    const piece = choice.delta?.content ?? '';
    this.#text += piece;
    return piece;
  }

  /** The whole; null where the end has not come. */
  completion(): EngineCompletion | null {
    if (this.#finishReason === null) return null;
    return {
      text: this.#text,
      tokens: withoutEnd(this.#tokens, this.#text),
      finishReason: this.#finishReason,
      usage: this.#usage,
    };
  }
}

function tokenOf(wire: z.infer<typeof token>): EngineToken {
  return {
    text: wire.token,
    bytes: wire.bytes ? Uint8Array.from(wire.bytes) : new TextEncoder().encode(wire.token),
    logprob: wire.logprob,
    top: (wire.top_logprobs ?? []).map((other) => ({ text: other.token, logprob: other.logprob })),
  };
}

/** Some servers count the token that ends the answer among its tokens, though its name is no part of the text. */
function withoutEnd(tokens: readonly EngineToken[], content: string): readonly EngineToken[] {
  const rest = tokens.slice(0, -1);
  const written = (some: readonly EngineToken[]): string =>
    Buffer.concat(some.map(({ bytes }) => bytes)).toString('utf8');
  return tokens.length > 0 && written(tokens) !== content && written(rest) === content ? rest : tokens;
}

/** A server counts all answers together: only of a single one it is known. */
function usageOf(wire: z.infer<typeof usage>, answers: number): EngineCompletion['usage'] {
  return {
    prompt: wire?.prompt_tokens ?? null,
    completion: answers === 1 ? (wire?.completion_tokens ?? null) : null,
  };
}

function finishReasonOf(reason: string | null | undefined, baseURL: string): 'stop' | 'length' {
  if (reason === 'content_filter') {
    throw new UserError(`${baseURL} holds the answer back (content_filter); take a server without a filter`);
  }
  return reason === 'length' ? 'length' : 'stop';
}

function strange(baseURL: string, { issues }: z.ZodError): UserError {
  const where = issues[0]?.path.join('.') || 'the whole answer';
  return new UserError(
    `${baseURL} answers with JSON that is no chat completion (${where}); check that it is an OpenAI-compatible API`,
  );
}
