import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFORMANCE, REQUESTS } from './conformance.test-util.js';
import type { Engine, EngineRequest } from './engine.js';
import { LocalEngine } from './local.js';
import { OpenAIEngine } from './openai.js';
import { type StandIn, standIn } from './stand-in-server.test-util.js';

const MODEL = 'models/safeguard-vl-tiny';

let local: LocalEngine;
let server: StandIn;
let remote: OpenAIEngine;
let llamaServer: StandIn;
let llama: OpenAIEngine;

beforeAll(async () => {
  local = await LocalEngine.load(MODEL);
  server = await standIn(local);
  remote = new OpenAIEngine({ baseURL: server.baseURL, model: 'tiny', structured: 'vllm', prefix: 'vllm' });
  llamaServer = await standIn(local, 'llama-server');
  llama = new OpenAIEngine({ baseURL: llamaServer.baseURL, model: 'tiny', prefix: 'trailing' });
});
afterAll(async () => {
  await remote.close();
  await llama.close();
  await server.close();
  await llamaServer.close();
  await local.close();
});

describe.each([
  ['the local engine', () => local],
  ['the engine for servers', () => remote],
  ['the engine for servers, before llama-server', () => llama],
] satisfies [string, () => Engine][])('%s', (_, engine) => {
  it.each(CONFORMANCE)('$name', async ({ applies, run }) => {
    if (applies?.(engine().capabilities) === false) return;
    await expect(run(engine())).resolves.toBeUndefined();
  });
});

describe('both engines', () => {
  const more: Record<string, EngineRequest> = {
    prefix: { ...REQUESTS.images, prefix: '<think>In a museum: ' },
    grammar: { ...REQUESTS.text, grammar: '<answer>(?:yes|no)</answer>' },
  };
  it.each(Object.entries({ ...REQUESTS, ...more }))('answer alike: %s', async (_, request: EngineRequest) => {
    const ours = await local.complete(request);
    const servers = request.grammar === undefined ? [remote, llama] : [remote];
    const comparable = (all: typeof ours) =>
      all.map(({ text, tokens, finishReason }) => ({ text, tokens, finishReason }));
    const plain = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (_key, item: unknown) => (item instanceof Uint8Array ? [...item] : item)),
      );
    for (const engine of servers) {
      const theirs = await engine.complete(request);
      expect(plain(comparable(theirs))).toEqual(plain(comparable(ours)));
      expect(theirs[0].usage.prompt).toBe(ours[0].usage.prompt);
    }
  });

  it('send images without loss, as pixels or as a file', async () => {
    const noise = Uint8Array.from({ length: 3 * 60 * 60 }, (_unused, i) => (i * 7919) % 256);
    const request = (image: { width: number; height: number; data: Uint8Array }): EngineRequest => ({
      messages: [{ role: 'user', content: [{ type: 'image', image }] }],
      maxNewTokens: 4,
      topLogprobs: 0,
    });
    const asked = request({ width: 60, height: 60, data: noise });
    const [[ours], [theirs]] = [await local.complete(asked), await remote.complete(asked)];
    expect(theirs.tokens.map(({ logprob }) => logprob)).toEqual(ours.tokens.map(({ logprob }) => logprob));
  });
});

describe('the local engine', () => {
  it('is itself: name, path, hash, abilities', () => {
    expect(local.identity).toMatchObject({
      name: 'safeguard-vl-tiny',
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(local.capabilities).toMatchObject({ images: 'many', score: true, contextLength: 2048 });
  });

  it('refuses senseless requests', async () => {
    await expect(local.complete({ ...REQUESTS.text, n: 0 })).rejects.toThrow(
      'n must be a whole number from 1',
    );
    await expect(local.complete({ ...REQUESTS.text, topP: 2 })).rejects.toThrow('topP must lie above 0');
    await expect(local.complete({ ...REQUESTS.text, temperature: -1 })).rejects.toThrow('temperature');
    await expect(local.stream({ ...REQUESTS.sampled }).next()).rejects.toThrow(
      'n must be a whole number from 1 to 1',
    );
  });

  it('answers requests one after the other, and none after it is closed', async () => {
    const engine = await LocalEngine.load(MODEL);
    const pending = [engine.complete(REQUESTS.short), engine.complete(REQUESTS.short)];
    const [first, second] = await Promise.all(pending);
    expect(first).toEqual(second);
    const last = engine.complete(REQUESTS.short);
    await Promise.all([last, engine.close()]);
    await expect(engine.complete(REQUESTS.short)).rejects.toThrow('is closed');
  });
});
