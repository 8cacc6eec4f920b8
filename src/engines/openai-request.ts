/** @module A request in the words of the chat completions API. */
import { gbnfOf } from '../generation/grammar/gbnf.js';
import { decodeImage } from '../images/decode.js';
import { encodePng } from '../images/png.js';
import type { EngineMessage, EnginePart, EngineRequest } from './engine.js';
import type { OpenAISettings, StructuredOutput } from './openai-options.js';
import { plainWords } from './plain-words.js';

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

/** The body of a chat completion. Images are sent as PNG, pixel for pixel what the local engine would see. */
export async function chatBody(
  request: EngineRequest,
  { model, structured, prefix }: OpenAISettings,
): Promise<Body> {
  const { topLogprobs, grammar, n = 1 } = request;
  const messages: unknown[] = await Promise.all(request.messages.map(wireMessage));
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

async function wireMessage({ role, content }: EngineMessage): Promise<unknown> {
  return {
    role,
    content: typeof content === 'string' ? plainWords(content) : await Promise.all(content.map(wirePart)),
  };
}

async function wirePart(part: EnginePart): Promise<unknown> {
  if (part.type === 'text') return { type: 'text', text: plainWords(part.text) };
  const pixels = part.image instanceof Uint8Array ? await decodeImage(part.image) : part.image;
  const png = Buffer.from(await encodePng(pixels)).toString('base64');
  return { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } };
}
