import { afterEach, describe, expect, it } from 'vitest';
import {
  cleanUp,
  REQUEST,
  KEY_VARIABLE,
  KEY,
  FINE,
  closers,
  json,
  refuse,
  events,
  delta,
  faulty,
  failure,
  streamed,
  type Turn,
} from './faulty-server.test-util.js';
import { OpenAIEngine } from './openai.js';
import { listen } from './stand-in-server.test-util.js';

afterEach(cleanUp);

describe('failures that pass', () => {
  const reset: Turn = (response) => response.destroy();
  it.each<[string, Turn]>([
    ['a busy server', refuse(429, 'slow down')],
    ['a broken server', json(500, 'oops')],
    ['a proxy that finds no server', (response) => response.writeHead(502).end('<html>Bad Gateway</html>')],
    ['a reset', reset],
  ])('are tried again: %s', async (_, turn) => {
    const { engine, bodies, delays } = await faulty([turn, turn, json(200, FINE)]);
    expect((await engine.complete(REQUEST))[0].text).toBe('fine');
    expect(bodies).toHaveLength(3);
    expect(delays[0]).toBeGreaterThanOrEqual(250);
    expect(delays[0]).toBeLessThanOrEqual(500);
    expect(delays[1]).toBeGreaterThanOrEqual(500);
    expect(delays[1]).toBeLessThanOrEqual(1000);
  });

  it.each<[string, Turn, RegExp]>([
    ['busy', refuse(429, 'slow down'), /refuses more requests for now: "slow down"; try later/],
    ['broken', refuse(503, 'loading'), /failed with status 503: "loading"; look into its log/],
    ['reset', reset, /broke the connection off; look into its log/],
  ])('end after five more attempts: %s', async (_, turn, message) => {
    const { engine, bodies } = await faulty([turn]);
    expect(await failure(engine.complete(REQUEST))).toMatch(message);
    expect(bodies).toHaveLength(6);
  });

  it('wait as long as the server says, up to half a minute', async () => {
    const later = (header: string): Turn => json(429, {}, { 'retry-after': header });
    const date = new Date(Date.now() + 10_000).toUTCString();
    const { engine, delays } = await faulty([later('3'), later('7200'), later(date), json(200, FINE)]);
    await engine.complete(REQUEST);
    expect(delays.slice(0, 2)).toEqual([3000, 30_000]);
    expect(delays[2]).toBeGreaterThan(7000);
    expect(delays[2]).toBeLessThanOrEqual(10_000);
  });

  it('are a server that hangs, and one that falls silent in a stream', async () => {
    const hang = await faulty([() => {}], { timeout: 60, retries: 1 });
    expect(await failure(hang.engine.complete(REQUEST))).toMatch(/gave no whole answer within 0.06 seconds/);
    expect(hang.bodies).toHaveLength(2);
    const silent = await faulty([events(delta('Hel'))], { stallTimeout: 60 });
    expect(await failure(streamed(silent.engine))).toMatch(/fell silent within an answer for 0.06 seconds/);
    expect(silent.bodies).toHaveLength(1);
    const slow = await faulty([events()], { stallTimeout: 60, retries: 2 });
    expect(await failure(streamed(slow.engine))).toMatch(/fell silent/);
    expect(slow.bodies).toHaveLength(3);
  });
});

describe('refusals', () => {
  const html: Turn = (response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Hi</title>');
  it.each<[string, Turn, RegExp]>([
    [
      'a used up quota',
      refuse(429, 'You exceeded it', { code: 'insufficient_quota' }),
      /quota at .* is used up/,
    ],
    [
      'a wrong key',
      refuse(401, `Incorrect key ${KEY}`),
      /refuses the API key: "Incorrect key \*\*\*"; check the variable SAFEGUARD_TEST_KEY/,
    ],
    ['a web page', html, /answers with a web page; give an API's base URL/],
    [
      'truncated JSON',
      (response) => response.writeHead(200).end('{"choices": [{"mess'),
      /JSON that is cut off/,
    ],
    ['other JSON', json(200, { hello: 1 }), /no chat completion \(choices\)/],
    [
      'images',
      refuse(400, 'image input is not supported'),
      /here at .* does not take these images: "image input/,
    ],
    ['a long prompt', refuse(400, 'maximum context length is 2048 tokens'), /too long for here/],
    [
      'a filter',
      json(200, { choices: [{ message: {}, finish_reason: 'content_filter' }] }),
      /holds the answer back/,
    ],
    ['an error in a good answer', json(200, { error: { message: 'no' } }), /refuses the request: "no"/],
    [
      'another address',
      (response) => response.writeHead(308, { location: 'https://x.org' }).end(),
      /sends requests on/,
    ],
    ['anything else', refuse(418, 'teapot'), /refuses the request with status 418: "teapot"/],
  ])('are final and say what to do: %s', async (_, turn, message) => {
    process.env[KEY_VARIABLE] = KEY;
    const { engine, bodies } = await faulty([turn], { apiKeyVariable: KEY_VARIABLE });
    expect(await failure(engine.complete(REQUEST))).toMatch(message);
    expect(bodies).toHaveLength(1);
  });

  it('of a model that is not there list those that are', async () => {
    for (const turn of [refuse(404, 'no such'), refuse(400, 'what?', { code: 'model_not_found' })]) {
      const { engine } = await faulty([turn], { model: 'gone' });
      expect(await failure(engine.complete(REQUEST))).toMatch(/has no model "gone"; it has here$/);
    }
  });

  it('of an address without an API name the address', async () => {
    const { url, close } = await listen((_, response) => response.writeHead(404).end('nothing'));
    closers.push(close);
    const engine = new OpenAIEngine({ baseURL: url, model: 'x' });
    expect(await failure(engine.complete(REQUEST))).toMatch(/there is no API at .*mostly is \/v1/);
    await close();
    expect(await failure(engine.complete(REQUEST))).toMatch(/nothing answers at .*; start the server/);
    const barred = new OpenAIEngine({ baseURL: 'http://127.0.0.1:9/v1', model: 'x' });
    expect(await failure(barred.complete(REQUEST))).toMatch(/cannot be reached \(bad port\)/);
  });
});
