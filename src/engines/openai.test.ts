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

describe('a stream in the manners of servers', () => {
  it.each<[string, string]>([
    ['spaces about [DONE]', 'data: A\n\ndata:  [DONE] \n\n'],
    ['empty data', 'data:\n\ndata: \n\ndata\n\ndata: A\n\ndata: [DONE]\n\n'],
    ['comments', ': ping\n\ndata: A\n: ping\n\nevent: x\nid: 1\nretry: 3\n\ndata: [DONE]\n\n'],
    ['CRLF', 'data: A\r\n\r\ndata: [DONE]\r\n\r\n'],
    ['CR', 'data: A\r\rdata: [DONE]\r\r'],
    ['a byte order mark', '\ufeffdata: A\n\ndata: [DONE]\n\n'],
    ['no choices in the chunk of usage', 'data: A\n\ndata: U\n\ndata: [DONE]\n\n'],
    ['words behind [DONE]', 'data: A\n\ndata: [DONE]\n\ndata: {"error": "late"}\n\n'],
    ['NaN', 'data: N\n\ndata: A\n\ndata: [DONE]\n\n'],
  ])('is read whole: %s', async (_, wire) => {
    const answer = JSON.stringify({ choices: [{ delta: { content: 'schön 😀' }, finish_reason: 'stop' }] });
    const used = JSON.stringify({ choices: null, usage: { prompt_tokens: 3, completion_tokens: 2 } });
    const strange =
      '{"choices": [{"delta": {}, "logprobs": {"content": [{"token": "NaN", "logprob": NaN}]}}]}';
    const bytes = Buffer.from(
      wire.replace('A', answer).replace('data: U', `data: ${used}`).replace('data: N', `data: ${strange}`),
    );
    const { engine } = await faulty([
      (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const byte of bytes) response.write(Buffer.from([byte]));
        response.end();
      },
    ]);
    const deltas = await streamed(engine);
    expect(deltas.at(-1)?.completion?.text).toBe('schön 😀');
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

  it('ends a waiting or running request with its reason alone', async () => {
    const { engine } = await faulty([() => {}], { concurrency: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const results = [first, second].map(({ signal }) => engine.complete({ ...REQUEST, signal }));
    const reasons = [new Error('first'), new Error('second')];
    await sleep(20);
    second.abort(reasons[1]);
    await expect(results[1]).rejects.toBe(reasons[1]);
    first.abort(reasons[0]);
    await expect(results[0]).rejects.toBe(reasons[0]);
  });

  it('waits for what is under way when it is closed, and takes no more', async () => {
    const answers: (() => void)[] = [];
    const turn: Turn = (response, request) => {
      if (bodies.length > 2) events(delta('fi'), delta('ne'), END)(response, request);
      if (bodies.length > 2) response.end('data: [DONE]\n\n');
      else answers.push(() => void json(200, FINE)(response, request));
    };
    const { engine, bodies } = await faulty([turn], { concurrency: 2 });
    const chats = [REQUEST.messages, REQUEST.messages];
    const work = [engine.completeAll(chats, { maxNewTokens: 8 }), streamed(engine)] as const;
    await expect.poll(() => answers.length).toBe(2);
    let closed = false;
    const closing = engine.close().then(() => {
      closed = true;
    });
    expect(await failure(engine.complete(REQUEST), 'closed')).toMatch(/is closed; open it again/);
    expect(await failure(engine.completeAll(chats, { maxNewTokens: 8 }), 'closed')).toMatch(/is closed/);
    expect(await failure(streamed(engine), 'closed')).toMatch(/is closed/);
    await sleep(20);
    expect(closed).toBe(false);
    for (const answer of answers) answer();
    const [whole, stream] = await Promise.all(work);
    expect(whole.map(({ text }) => text)).toEqual(['fine', 'fine']);
    expect(stream.at(-1)?.completion?.text).toBe('fine');
    await closing;
    expect(bodies).toHaveLength(3);
  });

  it('is closed though a reader left a stream lying', async () => {
    const { engine } = await faulty([events(delta('Hi'))], { timeout: 100 });
    const lying = engine.stream(REQUEST);
    expect((await lying.next()).value).toMatchObject({ text: 'Hi' });
    await engine.close();
  });

  it('shares its places among batches, and ends the one batch that fails', async () => {
    let now = 0;
    let most = 0;
    const turn: Turn = async (response, request) => {
      most = Math.max(most, ++now);
      await sleep(10);
      now--;
      const last = bodies.at(-1);
      (last?.max_tokens === 7 ? refuse(400, 'no') : json(200, FINE))(response, request);
    };
    const { engine, bodies } = await faulty([turn], { concurrency: 3 });
    const chats = Array.from({ length: 6 }, () => REQUEST.messages);
    const bad = failure(engine.completeAll(chats.slice(0, 1), { maxNewTokens: 7 }));
    expect(await bad).toMatch(/refuses the request/);
    const stop = new AbortController();
    const reason = new Error('enough');
    const [first, second] = [
      engine.completeAll(chats, { maxNewTokens: 8, signal: stop.signal }),
      engine.completeAll(chats, { maxNewTokens: 8 }),
    ];
    stop.abort(reason);
    await expect(first).rejects.toBe(reason);
    expect(await second).toHaveLength(6);
    expect(most).toBe(3);
  });

  it('learns once of a parameter that many requests at once had', async () => {
    const turn: Turn = (response, request) =>
      (bodies.at(-1)?.logprobs === true ? refuse(400, "unknown 'logprobs'") : json(200, FINE))(
        response,
        request,
      );
    const { engine, bodies } = await faulty([turn]);
    const chats = Array.from({ length: 5 }, () => REQUEST.messages);
    expect(await engine.completeAll(chats, { maxNewTokens: 8, topLogprobs: 2 })).toHaveLength(5);
  });

  it('goes on asking for log-probabilities after malformed ones', async () => {
    const choice = { message: { content: 'safe' }, finish_reason: 'stop', logprobs: { content: [null] } };
    const { engine } = await faulty([json(200, { choices: [choice] })]);
    await engine.complete({ ...REQUEST, topLogprobs: 2 });
    expect(engine.capabilities.logprobs).toBe(true);
  });

  it('begins an answer behind turns of both sides and pictures', async () => {
    const image = { width: 1, height: 1, data: new Uint8Array(3) };
    const messages: EngineRequest['messages'] = [
      {
        role: 'user',
        content: [
          { type: 'image', image },
          { type: 'text', text: 'Judge it.' },
        ],
      },
      { role: 'assistant', content: 'There is a knife.' },
      { role: 'user', content: 'One word.' },
    ];
    const top = { token: ' Un', logprob: -0.2, top_logprobs: [{ token: ' Un', logprob: -0.2 }] };
    const answer = { message: { content: ' Un' }, finish_reason: 'length', logprobs: { content: [top] } };
    const { engine, bodies } = await faulty([json(200, { choices: [answer] })], { prefix: 'vllm' });
    const request = { messages, prefix: 'Final judgment:', maxNewTokens: 1, topLogprobs: 20 };
    const [completion] = await engine.complete(request);
    expect(completion).toMatchObject({ text: ' Un', finishReason: 'length', tokens: [{ logprob: -0.2 }] });
    expect(bodies[0]).toMatchObject({
      max_tokens: 1,
      continue_final_message: true,
      add_generation_prompt: false,
    });
    expect(bodies[0].messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(bodies[0].messages.at(-1)?.content).toBe('Final judgment:');
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

  it.each([KEY, 'sk_live_0123456789abcdef', 'AKIAIOSFODNN7EXAMPLE', 'hf_abcdefghijklmnop', 'me:secret@host'])(
    'prints no key that was given as the name of a variable, nor a password: %s',
    (given) => {
      for (const options of [{ apiKeyVariable: given }, { baseURL: given.includes('@') ? given : 'x@y' }]) {
        const open = () => new OpenAIEngine({ baseURL: 'http://x/v1', model: 'm', ...options });
        expect(open).toThrow(/never the key itself|is no base URL/);
        expect(open).not.toThrow(given);
      }
    },
  );

  it.each([
    [{ baseURL: 'localhost:8000' }, /"localhost:8000" is no base URL/],
    [{ baseURL: 'ftp://x/v1' }, /is no base URL/],
    [{ baseURL: 'http://me:secret@x/v1' }, /of x must have no user/],
    [{ retries: -1 }, /retries must be a whole number from 0/],
    [{ apiKeyVariable: 'NO_SUCH_KEY' }, /NO_SUCH_KEY holds no API key/],
    [{ apiKeyVariable: KEY }, /give the name of the variable that holds the key/],
  ])('refuses %o', (options, message) => {
    expect(() => new OpenAIEngine({ baseURL: 'http://x/v1', model: 'm', ...options })).toThrow(message);
  });
});
