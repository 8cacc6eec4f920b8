/** @module A chat completions server for tests, answered by an engine; in vLLM's dialect or in llama-server's. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Engine, EngineCompletion, EngineMessage, EngineRequest, EngineToken } from './engine.js';

export interface StandIn {
  readonly baseURL: string;
  /** The bodies of the chat completions asked for. */
  readonly requests: WireRequest[];
  close(): Promise<void>;
}

export interface WireRequest {
  readonly model: string;
  readonly messages: readonly {
    readonly role: EngineMessage['role'];
    readonly content:
      | string
      | readonly {
          readonly type: string;
          readonly text?: string;
          readonly image_url?: { readonly url: string };
        }[];
  }[];
  readonly max_tokens: number;
  readonly temperature: number;
  readonly top_p?: number;
  readonly seed?: number;
  readonly n?: number;
  readonly logprobs?: boolean;
  readonly top_logprobs?: number;
  readonly stream?: boolean;
  readonly continue_final_message?: boolean;
  readonly structured_outputs?: { readonly regex: string };
}

/**
 * `llama-server` goes on with a begun answer unasked and says it again where it does not stream, gives the end of an answer
 * as a token without bytes, and no log-probabilities where no likely tokens are asked for (seen of one of October 2026).
 */
export type Dialect = 'vllm' | 'llama-server';

/** Starts a server on a free port. */
export async function listen(handler: RequestListener): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export async function bodyOf(request: IncomingMessage): Promise<WireRequest> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as WireRequest;
}

/** A server whose one model is `engine`. */
export async function standIn(engine: Engine, dialect: Dialect = 'vllm'): Promise<StandIn> {
  const requests: WireRequest[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const wire = await bodyOf(request);
    requests.push(wire);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const asked = { ...engineRequest(wire, dialect), signal: gone.signal };
    if (wire.stream === true) await stream(engine, asked, response);
    else
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(whole(await engine.complete(asked), asked, dialect)));
  };
  const { url, close } = await listen((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: String(error) } }));
    });
  });
  return { baseURL: `${url}/v1`, requests, close };
}

function engineRequest(wire: WireRequest, dialect: Dialect): EngineRequest {
  const last = wire.messages.at(-1);
  const goesOn =
    dialect === 'llama-server' ? last?.role === 'assistant' : wire.continue_final_message === true;
  const begun = goesOn && typeof last?.content === 'string' ? last.content : undefined;
  const messages = begun === undefined ? wire.messages : wire.messages.slice(0, -1);
  return {
    messages: messages.map(({ role, content }) => ({
      role,
      content:
        typeof content === 'string'
          ? content
          : content.map(({ text, image_url }) =>
              image_url === undefined
                ? { type: 'text' as const, text: text ?? '' }
                : { type: 'image' as const, image: Buffer.from(image_url.url.split(',')[1], 'base64') },
            ),
    })),
    maxNewTokens: wire.max_tokens,
    temperature: wire.temperature,
    topP: wire.top_p,
    seed: wire.seed,
    n: wire.n,
    topLogprobs: reports(wire, dialect) ? (wire.top_logprobs ?? 0) : undefined,
    prefix: begun,
    grammar: wire.structured_outputs?.regex,
  };
}

const reports = ({ logprobs, top_logprobs = 0 }: WireRequest, dialect: Dialect): boolean =>
  logprobs === true && (dialect === 'vllm' || top_logprobs > 0);

const wireLogprobs = ({ tokens }: EngineCompletion) => ({
  content: tokens.map(({ text, bytes, logprob, top }) => ({
    token: text,
    bytes: [...bytes],
    logprob,
    top_logprobs: top.map((other) => ({ token: other.text, logprob: other.logprob })),
  })),
});
const wireUsage = (completions: readonly EngineCompletion[]) => ({
  prompt_tokens: completions[0].usage.prompt,
  completion_tokens: completions.reduce((sum, { usage }) => sum + (usage.completion ?? 0), 0),
});

const NO_BYTES: EngineToken = { text: '', bytes: new Uint8Array(), logprob: 0, top: [] };

function whole(
  completions: readonly EngineCompletion[],
  { prefix = '' }: EngineRequest,
  dialect: Dialect,
): unknown {
  const llama = dialect === 'llama-server';
  const all = (completion: EngineCompletion): EngineCompletion =>
    llama && completion.finishReason === 'stop'
      ? { ...completion, tokens: [...completion.tokens, NO_BYTES] }
      : completion;
  return {
    object: 'chat.completion',
    choices: completions.map((completion, index) => ({
      index,
      message: { role: 'assistant', content: `${llama ? prefix : ''}${completion.text}` },
      logprobs: completion.tokens.length > 0 ? wireLogprobs(all(completion)) : null,
      finish_reason: completion.finishReason,
    })),
    usage: wireUsage(completions),
  };
}

/** Events in pieces of three bytes: characters, lines and events are cut anywhere. */
async function stream(engine: Engine, request: EngineRequest, response: ServerResponse): Promise<void> {
  const send = (event: unknown): void => {
    const bytes = Buffer.from(
      `: a comment\r\ndata: ${typeof event === 'string' ? event : JSON.stringify(event)}\r\n\r\n`,
    );
    for (let at = 0; at < bytes.length; at += 3) response.write(bytes.subarray(at, at + 3));
  };
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  send({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] });
  for await (const { text, completion } of engine.stream(request)) {
    if (text !== '') send({ choices: [{ index: 0, delta: { content: text } }] });
    if (completion === null) continue;
    send({
      choices: [
        { index: 0, delta: {}, logprobs: wireLogprobs(completion), finish_reason: completion.finishReason },
      ],
    });
    send({ choices: [], usage: wireUsage([completion]) });
  }
  send('[DONE]');
  response.end();
}
