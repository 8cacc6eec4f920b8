import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineRequest } from './engine.js';
import {
  cleanUp,
  REQUEST,
  KEY_VARIABLE,
  KEY,
  FINE,
  json,
  refuse,
  events,
  delta,
  END,
  faulty,
  failure,
  streamed,
  type Turn,
} from './faulty-server.test-util.js';
import { OpenAIEngine } from './openai.js';

afterEach(cleanUp);

describe('parameters that a server does not take', () => {
  it('are left out, and never sent again', async () => {
    const { engine, bodies, delays } = await faulty([
      refuse(400, "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens'"),
      refuse(422, 'top_logprobs is not allowed'),
      json(200, FINE),
    ]);
    const request = { ...REQUEST, topLogprobs: 2, seed: 5 };
    const [{ tokens }] = await engine.complete(request);
    expect(tokens).toEqual([]);
    expect(engine.capabilities.logprobs).toBe(false);
    await engine.complete(request);
    expect(bodies).toHaveLength(4);
    expect(delays).toEqual([]);
    expect(bodies[3]).toMatchObject({ max_completion_tokens: 8, seed: 5 });
    for (const name of ['max_tokens', 'logprobs', 'top_logprobs']) expect(bodies[3]).not.toHaveProperty(name);
  });

  it('are noticed where they are passed over, or refused as n', async () => {
    const { engine, bodies } = await faulty([refuse(422, "Unsupported fields: {'n'}"), json(200, FINE)]);
    expect(await engine.complete({ ...REQUEST, topLogprobs: 0, n: 2 })).toHaveLength(2);
    expect(engine.capabilities.logprobs).toBe(false);
    expect(bodies.map(({ n }) => n)).toEqual([2, undefined, undefined]);
  });

  it('such as n are made up for by asking again', async () => {
    const { engine, bodies } = await faulty([json(200, FINE)]);
    expect(await engine.complete({ ...REQUEST, n: 3, seed: 5 })).toHaveLength(3);
    expect(bodies.map(({ n, seed }) => [n, seed])).toEqual([
      [3, 5],
      [1, 6],
      [1, 7],
    ]);
  });

  it('are named before anything is asked: grammar, prefix, score', async () => {
    const { engine, bodies } = await faulty([json(200, FINE)], { images: 0 });
    expect(await failure(engine.complete({ ...REQUEST, grammar: 'a' }))).toMatch(
      /cannot hold its answer to a grammar/,
    );
    expect(await failure(engine.complete({ ...REQUEST, prefix: 'a' }))).toMatch(/to a prefix/);
    expect(await failure(engine.score())).toMatch(/cannot score/);
    const image = { width: 1, height: 1, data: new Uint8Array(3) };
    const seen: EngineRequest = {
      ...REQUEST,
      messages: [{ role: 'user', content: [{ type: 'image', image }] }],
    };
    expect(await failure(engine.complete(seen))).toMatch(/has 1 images, and here takes 0/);
    expect(bodies).toEqual([]);
  });

  it.each([
    ['vllm-guided', { guided_regex: 'ab' }],
    ['sglang', { regex: 'ab' }],
    ['llama-server', { grammar: 'root ::= [\\U00000061-\\U00000061] [\\U00000062-\\U00000062]' }],
  ] as const)('are said in the dialect of %s', async (structured, expected) => {
    const { engine, bodies } = await faulty([json(200, FINE)], { structured });
    await engine.complete({ ...REQUEST, grammar: 'ab' });
    expect(bodies[0]).toMatchObject(expected);
  });
});

describe('streams', () => {
  const done =
    (...data: (object | string)[]): Turn =>
    (response, request) => {
      events(...data)(response, request);
      response.end();
    };
  it('end with the whole answer, also without [DONE]', async () => {
    const { engine } = await faulty([
      done(delta('Hel'), delta('lo'), END),
      done(delta('Hel'), delta('lo'), END, '[DONE]'),
    ]);
    for (let i = 0; i < 2; i++) {
      const deltas = await streamed(engine);
      expect(deltas.map(({ text }) => text).join('')).toBe('Hello');
      expect(deltas.at(-1)?.completion).toMatchObject({ text: 'Hello', finishReason: 'stop' });
    }
  });

  it('are begun again only before their first words', async () => {
    const cut = await faulty([done(), done(delta('Hi'), END)]);
    expect((await streamed(cut.engine))[0].text).toBe('Hi');
    const late = await faulty([done(delta('Hi'))]);
    expect(await failure(streamed(late.engine))).toMatch(/ended its answer in the middle/);
    expect(late.bodies).toHaveLength(1);
  });

  it.each<[string, Turn, RegExp]>([
    [
      'an error object',
      done(delta('Hi'), { error: { message: 'out of memory', code: 500 } }),
      /status 500: "out of memory"/,
    ],
    ['half an event', done(delta('Hi'), '{"choices": [{"del'), /JSON that is cut off/],
    ['a whole answer in their place', json(200, FINE), /does not stream/],
  ])('fail clearly: %s', async (_, turn, message) => {
    const { engine } = await faulty([turn]);
    expect(await failure(streamed(engine))).toMatch(message);
  });

  it('end with the reason of their signal', async () => {
    const { engine } = await faulty([events(delta('Hi'))]);
    const stop = new AbortController();
    const reason = new Error('enough');
    const reading = (async () => {
      for await (const { text } of engine.stream({ ...REQUEST, signal: stop.signal }))
        if (text === 'Hi') stop.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });
});

describe('an engine for servers', () => {
  it('asks no more at once than it may, and gives its place back', async () => {
    let now = 0;
    let most = 0;
    const turn: Turn = async (response, request) => {
      most = Math.max(most, ++now);
      await sleep(20);
      now--;
      json(200, FINE)(response, request);
    };
    const { engine } = await faulty([turn], { concurrency: 2 });
    await Promise.all(Array.from({ length: 7 }, () => engine.complete(REQUEST)));
    expect(most).toBe(2);
  });

  it('ends a waiting or running request with its reason, and all when it is closed', async () => {
    const { engine } = await faulty([() => {}], { concurrency: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const results = [first, second].map(({ signal }) => engine.complete({ ...REQUEST, signal }));
    const reasons = [new Error('first'), new Error('second')];
    await sleep(20);
    second.abort(reasons[1]);
    await expect(results[1]).rejects.toBe(reasons[1]);
    first.abort(reasons[0]);
    await expect(results[0]).rejects.toBe(reasons[0]);
    const last = failure(engine.complete(REQUEST));
    await engine.close();
    expect(await last).toMatch(/is closed; open it again/);
  });

  it('ends its waiting between attempts with the signal’s reason', async () => {
    const { engine } = await faulty([refuse(429, 'busy')], {
      delay: (_, signal) => sleep(5000, undefined, { signal }),
    });
    const reason = new Error('tired');
    const stop = new AbortController();
    const waiting = engine.complete({ ...REQUEST, signal: stop.signal });
    setTimeout(() => stop.abort(reason), 40);
    await expect(waiting).rejects.toBe(reason);
  });

  it('sends its key, and shows it nowhere', async () => {
    process.env[KEY_VARIABLE] = KEY;
    let sent: string | undefined;
    const turn: Turn = (response, request) => {
      sent = request.headers.authorization;
      json(200, FINE)(response, request);
    };
    const { engine } = await faulty([turn], { apiKeyVariable: KEY_VARIABLE });
    await engine.complete(REQUEST);
    expect(sent).toBe(`Bearer ${KEY}`);
    expect(JSON.stringify(engine)).not.toContain(KEY);
  });

  it.each([
    [{ baseURL: 'localhost:8000' }, /"localhost:8000" is no base URL/],
    [{ baseURL: 'ftp://x/v1' }, /is no base URL/],
    [{ baseURL: 'http://me:secret@x/v1' }, /of x must have no user/],
    [{ retries: -1 }, /retries must be a whole number from 0/],
    [{ apiKeyVariable: 'NO_SUCH_KEY' }, /NO_SUCH_KEY holds no API key/],
  ])('refuses %o', (options, message) => {
    expect(() => new OpenAIEngine({ baseURL: 'http://x/v1', model: 'm', ...options })).toThrow(message);
  });
});
