import { gzipSync } from 'node:zlib';
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
import type { UserErrorCode } from '../util/errors.js';
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

  it.each<[string, Turn, RegExp, UserErrorCode]>([
    ['busy', refuse(429, 'slow down'), /refuses more requests for now: "slow down"; try later/, 'busy'],
    [
      'broken',
      refuse(503, 'loading'),
      /failed with status 503: "loading"; look into its log/,
      'server_error',
    ],
    ['reset', reset, /broke the connection off; look into its log/, 'unreachable'],
  ])('end after five more attempts: %s', async (_, turn, message, code) => {
    const { engine, bodies } = await faulty([turn]);
    expect(await failure(engine.complete(REQUEST), code)).toMatch(message);
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
    expect(await failure(hang.engine.complete(REQUEST), 'too_slow')).toMatch(
      /gave no whole answer within 0.06 seconds/,
    );
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
  it.each<[string, UserErrorCode, Turn, RegExp]>([
    [
      'a used up quota',
      'rejected',
      refuse(429, 'You exceeded it', { code: 'insufficient_quota' }),
      /quota at .* is used up/,
    ],
    [
      'a wrong key',
      'unauthorized',
      refuse(401, `Incorrect key ${KEY}`),
      /refuses the API key: "Incorrect key \*\*\*"; check the variable SAFEGUARD_TEST_KEY/,
    ],
    ['a web page', 'not_found', html, /answers with a web page; give an API's base URL/],
    [
      'truncated JSON',
      'server_error',
      (response) => response.writeHead(200).end('{"choices": [{"mess'),
      /JSON that is cut off/,
    ],
    ['other JSON', 'server_error', json(200, { hello: 1 }), /no chat completion \(choices\)/],
    [
      'images',
      'rejected',
      refuse(400, 'image input is not supported'),
      /here at .* does not take these images: "image input/,
    ],
    ['a long prompt', 'too_large', refuse(400, 'maximum context length is 2048 tokens'), /too long for here/],
    [
      'a filter',
      'rejected',
      json(200, { choices: [{ message: {}, finish_reason: 'content_filter' }] }),
      /holds the answer back/,
    ],
    [
      'an error in a good answer',
      'rejected',
      json(200, { error: { message: 'no' } }),
      /refuses the request: "no"/,
    ],
    [
      'another address',
      'rejected',
      (response) => response.writeHead(308, { location: 'https://x.org' }).end(),
      /sends requests on/,
    ],
    [
      'vLLM’s error in a good answer',
      'rejected',
      json(200, { object: 'error', message: 'bad \u001b[31m request' }),
      /request: "bad \[31m request"/,
    ],
    [
      'an error in words',
      'rejected',
      json(200, { error: 'no such adapter' }),
      /refuses the request: "no such adapter"/,
    ],
    [
      'an error within an error',
      'rejected',
      json(200, { error: { error: { message: 'deep' } } }),
      /: "deep"/,
    ],
    ['a message in place of an answer', 'rejected', json(200, { message: 'come back' }), /: "come back"/],
    ['details', 'rejected', json(422, { detail: [{ loc: ['body'], msg: 'too many' }] }), /422: ".*too many/],
    ['too large a request', 'too_large', refuse(413, 'big'), /too large for .*: "big"; scale/],
    [
      'another end',
      'rejected',
      json(200, { choices: [{ message: { content: 'safe' }, finish_reason: 'abort' }] }),
      /in doubt: "abort"/,
    ],
    ['anything else', 'rejected', refuse(418, 'teapot'), /refuses the request with status 418: "teapot"/],
  ])('are final and say what to do: %s', async (_, code, turn, message) => {
    process.env[KEY_VARIABLE] = KEY;
    const { engine, bodies } = await faulty([turn], { apiKeyVariable: KEY_VARIABLE });
    expect(await failure(engine.complete(REQUEST), code)).toMatch(message);
    expect(bodies).toHaveLength(1);
  });

  it('with a status of their own in a good answer are tried again', async () => {
    for (const code of [503, '503']) {
      const turns = [json(200, { object: 'error', message: 'loading', code }), json(200, FINE)];
      const { engine, bodies } = await faulty(turns);
      expect((await engine.complete(REQUEST))[0].text).toBe('fine');
      expect(bodies).toHaveLength(2);
    }
  });

  it.each<[string, (text: string) => string]>([
    ['as it is', (text) => text],
    ['escaped', (text) => text.replace(/./gsu, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`)],
    ['percent-encoded', (text) => text.replace(/./gsu, (letter) => `%${letter.charCodeAt(0).toString(16)}`)],
    ['as base64', (text) => Buffer.from(text).toString('base64')],
    ['cut', (text) => `${text.slice(0, 12)}…`],
  ])('show no key that the server repeats: %s', async (_, written) => {
    process.env[KEY_VARIABLE] = KEY;
    // Written by hand, so that escapes are those of the JSON.
    const raw =
      (body: string, status = 200): Turn =>
      (response) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    const said = written(KEY);
    const turns: readonly Turn[] = [
      raw(`{"error": {"message": "the key ${said} is wrong"}}`, 401),
      raw(`{"object": "error", "message": "the key ${said} is wrong"}`),
      raw(`{"detail": ["${said}"]}`, 422),
      raw(`the key ${said} is wrong`, 400),
      raw(`{"choices": [{"message": {"content": ""}, "finish_reason": "${said}"}]}`),
      raw(`{"choices": [{"message": {"refusal": "not with ${said}"}}]}`),
    ];
    for (const turn of turns) {
      const { engine } = await faulty([turn], { apiKeyVariable: KEY_VARIABLE });
      const message = await failure(engine.complete(REQUEST));
      expect(message).toContain('***');
      expect(message).not.toContain(said);
      expect(message).not.toContain(KEY.slice(3, 9));
    }
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
    const delays: number[] = [];
    const delay = (milliseconds: number): Promise<void> => {
      delays.push(milliseconds);
      return Promise.resolve();
    };
    const engine = new OpenAIEngine({ baseURL: url, model: 'x', delay });
    expect(await failure(engine.complete(REQUEST), 'not_found')).toMatch(
      /there is no API at .*mostly is \/v1/,
    );
    await close();
    expect(await failure(engine.complete(REQUEST), 'unreachable')).toMatch(
      /nothing answers at .*; start the server/,
    );
    expect(delays).toHaveLength(5);
    expect(delays.reduce((sum, wait) => sum + wait)).toBeLessThan(16_000);
    const barred = new OpenAIEngine({ baseURL: 'http://127.0.0.1:9/v1', model: 'x' });
    expect(await failure(barred.complete(REQUEST))).toMatch(/cannot be reached \(bad port\)/);
  });
});

describe('answers without an end', () => {
  const piece = Buffer.alloc(2 ** 16, 'x');
  /** Writes until the other side has enough, and counts. */
  const endless = (start: string, type: string, each = piece, status = 200) => {
    const sent = { bytes: 0, closed: false };
    const turn: Turn = (response) => {
      response.writeHead(status, { 'content-type': type });
      response.write(start);
      response.on('close', () => {
        sent.closed = true;
      });
      const more = (): void => {
        if (sent.closed) return;
        sent.bytes += each.length;
        if (response.write(each)) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    };
    return { sent, turn };
  };
  const ended = async (sent: { closed: boolean }): Promise<void> => {
    await expect.poll(() => sent.closed, { timeout: 10_000 }).toBe(true);
  };
  /** What is on its way through sockets when the other side stops reading. */
  const BUFFERED = 16 * 2 ** 20;

  it('are given up as JSON, and as one text in a stream', async () => {
    const json_ = endless('{"choices": [{"message": {"content": "', 'application/json');
    const whole = await faulty([json_.turn], { timeout: 60_000 });
    expect(await failure(whole.engine.complete(REQUEST), 'too_large')).toMatch(/more than 1056768 bytes/);
    await ended(json_.sent);
    expect(json_.sent.bytes).toBeLessThan(BUFFERED);
    expect(whole.bodies).toHaveLength(1);
    const line = endless('data: {"choices": [{"delta": {"content": "', 'text/event-stream');
    const stream = await faulty([line.turn], { timeout: 60_000 });
    expect(await failure(streamed(stream.engine), 'too_large')).toMatch(/more than \d+ bytes/);
    await ended(line.sent);
  });

  it('are given up as events, comments and words of an error', async () => {
    const event = Buffer.from(`data: ${JSON.stringify(delta('x'.repeat(1000)))}\n\n`);
    for (const each of [event, Buffer.from(`: ${'comment '.repeat(1000)}\n`)]) {
      const { sent, turn } = endless('', 'text/event-stream', each);
      const { engine } = await faulty([turn], { timeout: 60_000 });
      expect(await failure(streamed(engine), 'too_large')).toMatch(/more than \d+ bytes/);
      await ended(sent);
    }
    const words = endless('', 'text/plain', piece, 400);
    const { engine } = await faulty([words.turn], { timeout: 60_000 });
    expect((await failure(engine.complete(REQUEST), 'rejected')).length).toBeLessThan(600);
    await ended(words.sent);
  });

  it('are counted as they are once decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20, ' '));
    expect(bomb.length).toBeLessThan(2 ** 17);
    const turn: Turn = (response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb);
    const { engine, bodies } = await faulty([turn], { timeout: 60_000 });
    expect(await failure(engine.complete(REQUEST), 'too_large')).toMatch(/more than 1056768 bytes/);
    expect(bodies).toHaveLength(1);
    // An answer that is as long as it may be for what was asked.
    const content = 'x'.repeat(2_000_000);
    const long = await faulty([json(200, { choices: [{ message: { content }, finish_reason: 'stop' }] })]);
    expect((await long.engine.complete({ ...REQUEST, maxNewTokens: 1000 }))[0].text).toHaveLength(2_000_000);
  });

  it('are ended by the time limit after a status that switches protocols', async () => {
    const { engine, bodies } = await faulty(
      [
        (response) =>
          response.socket?.write(
            'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
          ),
      ],
      { timeout: 100, retries: 0 },
    );
    expect(await failure(engine.complete(REQUEST))).toMatch(/./);
    expect(bodies).toHaveLength(1);
  });
});
