/** @module A request in the words of the chat completions API. */
import { gbnfOf } from '../generation/grammar/gbnf.js';
import type { EngineChat, EngineImage, EngineMessage, EnginePart, EngineRequest } from './engine.js';
import type { OpenAISettings, StructuredOutput } from './openai-options.js';
import { fileOf } from './pictures.js';
import { plainWords } from './plain-words.js';
import { DataUri } from './request-body.js';

type Body = Readonly<Record<string, unknown>>;

/** Parameters that not every server takes. One that is refused once is not sent again. */
const OPTIONAL: readonly {
  readonly names: readonly string[];
  readonly instead?: readonly [string, string];
}[] = [
  { names: ['logprobs', 'top_logprobs'] },
  { names: ['stream_options'] },
  { names: ['seed'] },
  { names: ['n'] },
  // OpenAI's newer models.
  { names: ['max_tokens'], instead: ['max_tokens', 'max_completion_tokens'] },
];

/** Finds a parameter's name in a message; one letter must stand in quotes. */
const naming = (name: string): RegExp =>
  new RegExp(name.length > 1 ? `\\b${name}\\b` : `['"\`]${name}['"\`]`);

/** What a server does not take, as far as it has said so. */
export class Refused {
  readonly #names = new Set<string>();

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Remembers the parameters of `body` that the message names; false where it names none. */
  learn(message: string, body: Body): boolean {
    const named = OPTIONAL.find(
      ({ names }) => names.some((name) => name in body) && names.some((name) => naming(name).test(message)),
    );
    for (const name of named?.names ?? []) this.#names.add(name);
    return named !== undefined;
  }

  /** The body without what is refused, or with what stands for it. */
  apply(body: Body): Body {
    const entries = Object.entries(body).flatMap(([name, value]) => {
      if (!this.has(name)) return [[name, value] as const];
      const instead = OPTIONAL.find((option) => option.instead?.[0] === name)?.instead;
      return instead === undefined ? [] : [[instead[1], value] as const];
    });
    return Object.fromEntries(entries);
  }
}

/** How each kind of server takes a regular expression. */
const GRAMMARS: Readonly<Record<StructuredOutput, (pattern: string) => Body>> = {
  none: () => ({}),
  vllm: (regex) => ({ structured_outputs: { regex } }),
  'vllm-guided': (regex) => ({ guided_regex: regex }),
  sglang: (regex) => ({ regex }),
  'llama-server': (pattern) => ({ grammar: gbnfOf(pattern) }),
};

/** Pictures as they are sent. What several chats show is encoded once, and kept only until the last of them has it. */
export class SentPictures {
  readonly #waiting = new Map<EngineImage, number>();
  readonly #encoded = new Map<EngineImage, Promise<DataUri>>();

  constructor(chats: readonly EngineChat[]) {
    for (const { content } of chats.flat()) {
      if (typeof content === 'string') continue;
      for (const part of content) {
        if (part.type === 'image') this.#waiting.set(part.image, (this.#waiting.get(part.image) ?? 0) + 1);
      }
    }
  }

  of(image: EngineImage): Promise<DataUri> {
    const encoded = this.#encoded.get(image) ?? fileOf(image).then((file) => DataUri.of(file));
    const others = (this.#waiting.get(image) ?? 1) - 1;
    this.#waiting.set(image, others);
    if (others > 0) this.#encoded.set(image, encoded);
    else this.#encoded.delete(image);
    return encoded;
  }
}

/** The body of a chat completion, with `DataUri`s for its pictures (see `jsonOf`). */
export async function chatBody(
  request: EngineRequest,
  { model, structured, prefix }: OpenAISettings,
  pictures = new SentPictures([request.messages]),
): Promise<Body> {
  const { topLogprobs, grammar, n = 1 } = request;
  const messages: unknown[] = [];
  // One after the other: the pictures of other requests are encoded meanwhile.
  for (const message of request.messages) messages.push(await wireMessage(message, pictures));
  if (request.prefix !== undefined) messages.push({ role: 'assistant', content: request.prefix });
  const goesOn = request.prefix !== undefined && prefix === 'vllm';
  const optional = {
    top_p: request.topP,
    seed: request.seed,
    n: n > 1 ? n : undefined,
    logprobs: topLogprobs === undefined ? undefined : true,
    // llama-server takes none asked for as no log-probabilities at all.
    top_logprobs: topLogprobs === undefined ? undefined : Math.max(1, topLogprobs),
  };
  return {
    model,
    messages,
    max_tokens: request.maxNewTokens,
    // Servers' own default is 1, or whatever the model's generation_config.json says.
    temperature: request.temperature ?? 0,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    ...(goesOn ? { continue_final_message: true, add_generation_prompt: false } : {}),
    ...(grammar === undefined ? {} : GRAMMARS[structured](grammar)),
  };
}

async function wireMessage({ role, content }: EngineMessage, pictures: SentPictures): Promise<unknown> {
  if (typeof content === 'string') return { role, content: plainWords(content) };
  const parts: unknown[] = [];
  for (const part of content) parts.push(await wirePart(part, pictures));
  return { role, content: parts };
}

async function wirePart(part: EnginePart, pictures: SentPictures): Promise<unknown> {
  if (part.type === 'text') return { type: 'text', text: plainWords(part.text) };
  return { type: 'image_url', image_url: { url: await pictures.of(part.image) } };
}
