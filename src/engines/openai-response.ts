/**
 * @module From the chat completions API's answers to completions. Strict in what a verdict rests on (the words, why they
 * end), lenient in side details: what is malformed there is dropped.
 */
import { UserError } from '../util/errors.js';
import type { EngineCompletion, EngineRequest, EngineToken } from './engine.js';
import { isRecord } from './openai-errors.js';
import { tokensIn } from './openai-logprobs.js';

/** Who answers, for messages: its words go into them through `quote` alone, into answers through `hidden`. */
export interface Speaker {
  readonly baseURL: string;
  /** Words in quotation marks, short, without the key; empty where there are none. */
  quote(words: string): string;
  hidden(text: string): string;
}

/** A completion as a server gave it. */
export interface GivenCompletion extends Omit<EngineCompletion, 'finishReason'> {
  readonly thought: string;
  /** Null where the server does not say why the answer ends. */
  readonly finishReason: EngineCompletion['finishReason'] | null;
  /** Whether log-probabilities were reported. */
  readonly reported: boolean;
}

/**
 * A completion as it was asked for: without the begun answer, which llama-server says again where it does not stream, and
 * with no more likely tokens than asked for.
 */
export function asAsked(
  { text: said, tokens, thought, finishReason, usage }: GivenCompletion,
  {
    prefix = '',
    topLogprobs = 0,
    maxNewTokens,
  }: Pick<EngineRequest, 'prefix' | 'topLogprobs' | 'maxNewTokens'>,
): EngineCompletion {
  const again = said.startsWith(prefix) && (tokens.length === 0 || written(tokens) !== said);
  const content = again ? said.slice(prefix.length) : said;
  const asked = tokens.map((chosen) => ({ ...chosen, top: chosen.top.slice(0, topLogprobs) }));
  const full = Math.max(usage.completion ?? 0, tokens.length) >= maxNewTokens;
  return {
    text: content,
    tokens: withoutEnd(asked, content),
    finishReason: finishReason ?? (full ? 'length' : 'stop'),
    usage,
    ...(thought === '' ? {} : { thought }),
  };
}

/** The completions of a whole answer, in the order of their indices. */
export function completionsOf(body: unknown, speaker: Speaker): GivenCompletion[] {
  const choices = isRecord(body) ? body['choices'] : undefined;
  if (!isRecord(body) || !Array.isArray(choices) || choices.length === 0) throw strange(speaker, 'choices');
  return choices
    .map((choice: unknown, i) => {
      if (!isRecord(choice) || !isRecord(choice['message'])) throw strange(speaker, `choices.${i}.message`);
      const { index, message, logprobs, finish_reason } = choice;
      const words = wordsOf(message, speaker, `choices.${i}.message.content`);
      const { tokens, reported } = tokensIn(logprobs);
      return {
        index: Number.isInteger(index) ? Number(index) : i,
        completion: {
          text: words.content,
          thought: words.thought,
          tokens: tokensOf(tokens, words),
          reported,
          finishReason: finishReasonOf(finish_reason, speaker),
          usage: usageOf(body['usage'], choices.length),
        },
      };
    })
    .toSorted((a, b) => a.index - b.index)
    .map(({ completion }) => completion);
}

/** Words of a piece of an answer. */
export interface StreamedWords {
  readonly thought: string;
  readonly text: string;
}

/** Puts the pieces of a stream together. */
export class StreamedCompletion {
  #content = '';
  #thought = '';
  readonly #tokens: EngineToken[] = [];
  #lost = false;
  #usage: EngineCompletion['usage'] = { prompt: null, completion: null };
  #finishReason: EngineCompletion['finishReason'] | null = null;

  constructor(private readonly speaker: Speaker) {}

  /** Takes an event and gives its words. */
  add(event: unknown): StreamedWords {
    const nothing = { thought: '', text: '' };
    if (!isRecord(event)) throw strange(this.speaker, 'an event');
    const { choices, usage } = event;
    if (isRecord(usage)) this.#usage = usageOf(usage, 1);
    if (choices === undefined || choices === null) return nothing;
    if (!Array.isArray(choices)) throw strange(this.speaker, 'choices');
    const choice: unknown = choices[0];
    if (choice === undefined) return nothing;
    if (!isRecord(choice)) throw strange(this.speaker, 'choices.0');
    const { delta, logprobs, finish_reason } = choice;
    const { tokens, reported } = tokensIn(logprobs);
    this.#tokens.push(...tokens);
    this.#lost ||= reported && tokens.length === 0;
    this.#finishReason = finishReasonOf(finish_reason, this.speaker) ?? this.#finishReason;
    const words = isRecord(delta)
      ? wordsOf(delta, this.speaker, 'choices.0.delta.content')
      : { content: '', thought: '' };
    this.#thought += words.thought;
    this.#content += words.content;
    return { thought: words.thought, text: words.content };
  }

  /** The whole; null where the end has not come. */
  completion(): GivenCompletion | null {
    if (this.#finishReason === null) return null;
    const words = {
      content: this.speaker.hidden(this.#content),
      thought: this.speaker.hidden(this.#thought),
    };
    return {
      text: words.content,
      thought: words.thought,
      tokens: this.#lost ? [] : tokensOf(this.#tokens, words),
      reported: this.#lost || this.#tokens.length > 0,
      finishReason: this.#finishReason,
      usage: this.#usage,
    };
  }
}

interface Words {
  readonly content: string;
  readonly thought: string;
}

/** Parts of a list by their type: to the answer, to the thought. */
const PARTS: Readonly<Record<string, keyof Words>> = {
  text: 'content',
  output_text: 'content',
  thinking: 'thought',
  reasoning: 'thought',
};

/** The words of a message. Reasoning parsers put thoughts into a field with several names in the wild. */
function wordsOf(message: Readonly<Record<string, unknown>>, speaker: Speaker, place: string): Words {
  const { content, refusal, reasoning_content, reasoning } = message;
  if (typeof refusal === 'string' && refusal !== '') throw declined(speaker, refusal);
  const words = {
    content: '',
    thought: [reasoning_content, reasoning].find((one) => typeof one === 'string') ?? '',
  };
  const parts: unknown = Array.isArray(content)
    ? content
    : typeof content === 'string'
      ? [content]
      : (content ?? []);
  if (!Array.isArray(parts)) throw strange(speaker, place);
  for (const part of parts as unknown[]) {
    if (typeof part === 'string') words.content += part;
    else {
      const { type = 'text', text, refusal: no } = isRecord(part) ? part : { type: null };
      if (type === 'refusal')
        throw declined(speaker, [no, text].find((one) => typeof one === 'string') ?? '');
      const kind = typeof type === 'string' && Object.hasOwn(PARTS, type) ? PARTS[type] : null;
      if (kind === null || (kind === 'content' && typeof text !== 'string')) throw strange(speaker, place);
      words[kind] += kind === 'content' ? String(text) : thoughtIn(part);
    }
  }
  return { content: speaker.hidden(words.content), thought: speaker.hidden(words.thought) };
}

/** `{"thinking": "…"}`, or Mistral's list of texts there. */
function thoughtIn(part: unknown): string {
  if (typeof part === 'string') return part;
  if (Array.isArray(part)) return part.map(thoughtIn).join('');
  if (!isRecord(part)) return '';
  const { thinking, reasoning, text } = part;
  return thoughtIn(thinking ?? reasoning ?? text);
}

const written = (tokens: readonly EngineToken[]): string =>
  Buffer.concat(tokens.map(({ bytes }) => bytes)).toString('utf8');

/** The tokens of the answer alone: some servers report those of the thought before them. */
function tokensOf(tokens: readonly EngineToken[], { content, thought }: Words): readonly EngineToken[] {
  const answer = withoutEnd(tokens, content);
  if (thought === '' || written(answer) === content) return answer;
  const wanted = Buffer.byteLength(content);
  for (const whole of [tokens, tokens.slice(0, -1)]) {
    let size = 0;
    let from = whole.length;
    while (from > 0 && size < wanted) size += whole[--from].bytes.length;
    const tail = whole.slice(from);
    if (written(tail) === content) return tail;
  }
  return [];
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
function usageOf(wire: unknown, answers: number): EngineCompletion['usage'] {
  const count = (name: string): number | null => {
    const value = isRecord(wire) ? wire[name] : null;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
  };
  return { prompt: count('prompt_tokens'), completion: answers === 1 ? count('completion_tokens') : null };
}

/** Why answers end, in the words of the API and of servers that translate from others. */
const ENDS: Readonly<Record<string, EngineCompletion['finishReason']>> = {
  stop: 'stop',
  eos: 'stop',
  eos_token: 'stop',
  stop_sequence: 'stop',
  end_turn: 'stop',
  length: 'length',
  max_tokens: 'length',
  max_length: 'length',
  max_new_tokens: 'length',
  max_completion_tokens: 'length',
  max_output_tokens: 'length',
  model_length: 'length',
  model_context_window_exceeded: 'length',
};

/** @throws UserError for any other reason: what ended by a filter, a tool or a fault is no whole answer. */
function finishReasonOf(reason: unknown, speaker: Speaker): EngineCompletion['finishReason'] | null {
  if (reason === null || reason === undefined || reason === '') return null;
  const word = typeof reason === 'string' ? reason : JSON.stringify(reason);
  const name = word.toLowerCase();
  if (Object.hasOwn(ENDS, name)) return ENDS[name];
  const { baseURL } = speaker;
  if (name === 'content_filter') {
    throw new UserError(`${baseURL} holds the answer back (content_filter); take a server without a filter`, {
      code: 'rejected',
    });
  }
  throw new UserError(
    `${baseURL} ended the answer for a reason that leaves it in doubt${speaker.quote(word)}; look into the server's log`,
    { code: 'rejected' },
  );
}

const declined = (speaker: Speaker, words: string): UserError =>
  new UserError(
    `the model at ${speaker.baseURL} declines to answer${speaker.quote(words)}; take a model that judges such pictures`,
    { code: 'rejected' },
  );

const strange = ({ baseURL }: Speaker, where: string): UserError =>
  new UserError(
    `${baseURL} answers with JSON that is no chat completion (${where}); check that it is an OpenAI-compatible API`,
    { code: 'server_error' },
  );
