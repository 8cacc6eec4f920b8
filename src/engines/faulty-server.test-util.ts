/** @module A server that fails on purpose, one turn a request. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { expect } from 'vitest';
import { UserError, type UserErrorCode } from '../util/errors.js';
import type { EngineDelta, EngineRequest } from './engine.js';
import { OpenAIEngine, type OpenAIEngineOptions } from './openai.js';
import { bodyOf, listen, type WireRequest } from './stand-in-server.test-util.js';

export const REQUEST: EngineRequest = {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
  maxNewTokens: 8,
};
export const KEY_VARIABLE = 'SAFEGUARD_TEST_KEY';
export const KEY = 'sk-very-secret-0123456789';
export const FINE = { choices: [{ index: 0, message: { content: 'fine' }, finish_reason: 'stop' }] };

export type Turn = (response: ServerResponse, request: IncomingMessage) => unknown;
export const closers: (() => Promise<void>)[] = [];
/** Ends what a test has started. */
export async function cleanUp(): Promise<void> {
  delete process.env[KEY_VARIABLE];
  for (const close of closers.splice(0)) await close();
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Turn =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
export const refuse = (status: number, message: string, more: object = {}): Turn =>
  json(status, { error: { message, ...more } });
export const events =
  (...data: readonly (object | string)[]): Turn =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of data)
      response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  };
export const delta = (content: string): object => ({
  choices: [{ delta: { content }, finish_reason: null }],
});
export const END = { choices: [{ delta: {}, finish_reason: 'stop' }] };

/** A server that takes the turns one after the other and repeats the last one; `/v1/models` has one model. */
export async function faulty(turns: readonly Turn[], options: Partial<OpenAIEngineOptions> = {}) {
  const bodies: WireRequest[] = [];
  const delays: number[] = [];
  const handler: RequestListener = (request, response) => {
    if (request.url === '/v1/models') return void json(200, { data: [{ id: 'here' }] })(response, request);
    void bodyOf(request).then((body) => {
      bodies.push(body);
      turns[Math.min(bodies.length, turns.length) - 1](response, request);
    });
  };
  const { url, close } = await listen(handler);
  const engine = new OpenAIEngine({
    baseURL: `${url}/v1`,
    model: 'here',
    timeout: 2000,
    delay: (milliseconds) => {
      delays.push(milliseconds);
      return Promise.resolve();
    },
    ...options,
  });
  closers.push(() => engine.close(), close);
  return { engine, bodies, delays, url };
}

/** The error of a request: it must be the caller's to understand, and hold no key. */
export async function failure(work: Promise<unknown>, code?: UserErrorCode): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(String(error)).not.toContain(KEY);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(KEY);
  if (code !== undefined) expect((error as UserError).code).toBe(code);
  return (error as UserError).message;
}

export async function streamed(engine: OpenAIEngine): Promise<EngineDelta[]> {
  const deltas: EngineDelta[] = [];
  for await (const one of engine.stream(REQUEST)) deltas.push(one);
  return deltas;
}
