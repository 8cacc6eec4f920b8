/** @module From the chat completions API's answers to completions. */
import { z } from 'zod';
import { UserError } from '../util/errors.js';
import type { EngineCompletion, EngineRequest, EngineToken } from './engine.js';

const likely = z.looseObject({ token: z.string(), logprob: z.number() });
const token = likely.extend({
  bytes: z.array(z.int().min(0).max(255)).nullish(),
  top_logprobs: z.array(likely).nullish(),
});
const logprobs = z.looseObject({ content: z.array(token).nullish() }).nullish();
const usage = z
  .looseObject({ prompt_tokens: z.int().nullish(), completion_tokens: z.int().nullish() })
  .nullish();
/** Servers with a reasoning parser take the thought out of the answer; its field has two names in the wild. */
const text = z.looseObject({
  content: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
});
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

/**
 * A completion as it was asked for: without the begun answer, which llama-server says again where it does not stream, and
 * with no more likely tokens than asked for.
 */
export function asAsked(
  { text: said, tokens, ...rest }: EngineCompletion,
  { prefix = '', topLogprobs = 0 }: Pick<EngineRequest, 'prefix' | 'topLogprobs'>,
): EngineCompletion {
  const again = said.startsWith(prefix) && (tokens.length === 0 || written(tokens) !== said);
  const content = again ? said.slice(prefix.length) : said;
  const asked = tokens.map((chosen) => ({ ...chosen, top: chosen.top.slice(0, topLogprobs) }));
  return { text: content, tokens: withoutEnd(asked, content), ...rest };
}

/** The completions of a whole answer, in the order of their indices. */
export function completionsOf(body: unknown, baseURL: string): EngineCompletion[] {
  const parsed = chat.safeParse(body);
  if (!parsed.success) throw strange(baseURL, parsed.error);
  const { choices } = parsed.data;
  const completions = choices
    .sort((a, b) => a.index - b.index)
    .map((choice): EngineCompletion => {
      const content = choice.message.content ?? '';
      const thought = thoughtOf(choice.message);
      const whole = withThought(thought, content);
      const tokens = (choice.logprobs?.content ?? []).map(tokenOf);
      return {
        text: whole,
        tokens: tokensOf(tokens, content, whole),
        finishReason: finishReasonOf(choice.finish_reason, baseURL),
        usage: usageOf(parsed.data.usage, choices.length),
      };
    });
  return completions;
}

/** Puts the pieces of a stream together. */
export class StreamedCompletion {
  #content = '';
  #thought = '';
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
    const thought = thoughtOf(choice.delta ?? {});
    const content = choice.delta?.content ?? '';
    const opens = thought !== '' && this.#thought === '';
    this.#thought += thought;
    const closes = content !== '' && this.#content === '' && this.#thought !== '';
    this.#content += content;
    return `${opens ? OPEN : ''}${thought}${closes ? CLOSE : ''}${content}`;
  }

  /** The whole; null where the end has not come. */
  completion(): EngineCompletion | null {
    if (this.#finishReason === null) return null;
    const whole = withThought(this.#thought, this.#content);
    return {
      text: whole,
      tokens: tokensOf(this.#tokens, this.#content, whole),
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

const [OPEN, CLOSE] = ['<think>', '</think>'];

const thoughtOf = (message: { reasoning_content?: string | null; reasoning?: string | null }): string =>
  message.reasoning_content ?? message.reasoning ?? '';

/** A thought without an answer behind it was cut off: it stays open. */
const withThought = (thought: string, content: string): string =>
  thought === '' ? content : `${OPEN}${thought}${content === '' ? '' : CLOSE}${content}`;

const written = (tokens: readonly EngineToken[]): string =>
  Buffer.concat(tokens.map(({ bytes }) => bytes)).toString('utf8');

/** Tokens that make up the text: where a server reports those of the answer alone, the thought is one before them. */
function tokensOf(tokens: readonly EngineToken[], content: string, whole: string): readonly EngineToken[] {
  if (content === whole) return withoutEnd(tokens, whole);
  const answer = withoutEnd(tokens, content);
  if (answer.length === 0 || written(answer) !== content) return withoutEnd(tokens, whole);
  const thought = whole.slice(0, whole.length - content.length);
  return [{ text: thought, bytes: new TextEncoder().encode(thought), logprob: 0, top: [] }, ...answer];
}

/** Some servers count the token that ends the answer among its tokens: by its name, which is no part of the text, or without a byte. */
function withoutEnd(tokens: readonly EngineToken[], content: string): readonly EngineToken[] {
  const last = tokens.at(-1);
  if (last === undefined) return tokens;
  const rest = tokens.slice(0, -1);
  if (last.bytes.length === 0) return rest;
  return written(tokens) !== content && written(rest) === content ? rest : tokens;
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
