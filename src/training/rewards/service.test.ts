import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { profileFrom } from '../../guard/profiles/index.js';
import { UserError } from '../../util/errors.js';
import { remoteRewards } from './remote.js';
import type { RewardInput, RewardSample } from './reward.js';
import { type RewardService, serveRewards, type ServiceOptions } from './service.js';
import { RewardTable } from './table.js';
import { requestOf } from './wire.js';

const SAMPLE: RewardSample = { label: 'unsafe', statements: [], decisive: [], categories: [], pair: null };
const right =
  '<think>A weapon, which the policy does not allow in any picture at all.</think><answer>no</answer>';
const input = (completion: string): RewardInput => ({
  prompt: 'No weapons.',
  completion,
  tokens: 10,
  truncated: false,
  sample: SAMPLE,
});

const paper = async (functions?: ConstructorParameters<typeof RewardTable>[0]['functions']) =>
  new RewardTable({
    weights: functions === undefined ? { accuracy: 1, format: 1 } : { own: 1 },
    profile: await profileFrom('paper'),
    maxCompletionLength: 64,
    functions,
  });

describe('serveRewards', () => {
  const open: RewardService[] = [];
  afterEach(async () => {
    for (const service of open.splice(0)) await service.close();
  });

  async function serve(options: Partial<ServiceOptions> = {}): Promise<string> {
    const table = options.table ?? (await paper());
    const service = await serveRewards({ maxCompletionLength: 64, port: 0, ...options, table });
    open.push(service);
    return service.url;
  }

  const post = async (url: string, body: string): Promise<{ status: number; said: unknown }> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', body, headers });
    return { status: response.status, said: await response.json() };
  };

  it('gives the shims what the table gives, and OpenRLHF the same in its own words', async () => {
    const table = await paper();
    const inputs = [input(right), input('no idea')];
    const { totals } = await table.score(inputs);
    const url = await serve({ table });
    const shim = await post(`${url}/rewards`, JSON.stringify(requestOf(inputs)));
    expect(shim).toMatchObject({ status: 200, said: { totals: [...totals] } });
    expect(totals[0]).toBe(3);
    const body = {
      query: inputs.map(({ prompt, completion }) => `${prompt}${completion}`),
      prompts: inputs.map(({ prompt }) => prompt),
      labels: inputs.map(({ prompt }) => JSON.stringify({ prompt, ...SAMPLE })),
    };
    const theirs = await post(`${url}/openrlhf`, JSON.stringify(body));
    expect(theirs).toMatchObject({ status: 200, said: { rewards: [...totals], scores: [...totals] } });
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: 'ok', batches: 2 });
  });

  it('refuses what it cannot answer with a sentence', async () => {
    const url = await serve({ maxBodyBytes: 300 });
    expect(await post(`${url}/rewards`, '{"completions": [')).toMatchObject({ status: 400 });
    expect(await post(`${url}/rewards`, '{"completions": ["a"], "samples": []}')).toMatchObject({
      status: 400,
    });
    expect(await post(`${url}/rewards`, 'x'.repeat(400))).toMatchObject({
      status: 413,
      said: { error: { message: expect.stringContaining('larger than 300 bytes') } },
    });
    expect(await post(`${url}/reward`, '{}')).toMatchObject({ status: 404 });
    expect((await fetch(`${url}/rewards`)).status).toBe(405);
  });

  it('answers 504 where rewards are too slow, and 500 where they throw, and goes on', async () => {
    const faults: string[] = [];
    let calls = 0;
    const table = await paper({
      own: async (inputs) => {
        calls++;
        if (calls === 1) await new Promise((resolve) => setTimeout(resolve, 500));
        if (calls === 2) throw new Error('the reward broke');
        return inputs.map(() => 1);
      },
    });
    const url = await serve({ table, timeout: 100, onFault: (message) => faults.push(message) });
    const body = JSON.stringify(requestOf([input(right)]));
    expect(await post(`${url}/rewards`, body)).toMatchObject({ status: 504 });
    expect(await post(`${url}/rewards`, body)).toMatchObject({ status: 500 });
    expect(faults.join()).toContain('the reward broke');
    expect(await post(`${url}/rewards`, body)).toMatchObject({ status: 200, said: { totals: [1] } });
  });

  it('costs a bad row alone, with the reason, and refuses a batch of bad rows', async () => {
    const faults: string[] = [];
    const url = await serve({ onFault: (message) => faults.push(message) });
    const { completions, samples } = requestOf([input(right), input(right), input(right)]);
    const body = (rows: { completions: unknown[]; samples: unknown[] }) => JSON.stringify(rows);
    const mixed = {
      completions: [completions[0], 5, completions[2], right],
      samples: [...samples, 'no JSON'],
    };
    expect(await post(`${url}/rewards`, body(mixed))).toEqual({
      status: 200,
      said: {
        rewards: { accuracy: [2, null, 2, null], format: [1, null, 1, null] },
        totals: [3, null, 3, null],
        errors: [
          { row: 1, message: expect.stringMatching(/^completions\[1\]: .*expected string/u) as string },
          { row: 3, message: 'samples[3] is not JSON: send the sample column of the exported data set' },
        ],
      },
    });
    expect(faults.join()).toContain('the first is 1');
    expect(await post(`${url}/rewards`, body({ completions: [right], samples: [{}] }))).toMatchObject({
      status: 400,
    });
    const labels = [JSON.stringify(samples[0]), '{}'];
    const theirs = { query: [`a${right}`, `a${right}`], prompts: ['a', 'a'], labels };
    expect(await post(`${url}/openrlhf`, JSON.stringify(theirs))).toMatchObject({
      status: 200,
      said: { rewards: [3, 0], errors: [{ row: 1 }] },
    });
  });

  it('costs alone a row that a reward cannot take', async () => {
    const table = await paper({
      own: (inputs) =>
        inputs.map(({ completion }) => {
          if (completion === 'hostile') throw new UserError('it cannot be read');
          return inputs.length;
        }),
    });
    const url = await serve({ table });
    const ask = (...texts: string[]) => post(`${url}/rewards`, JSON.stringify(requestOf(texts.map(input))));
    expect(await ask('a', 'hostile', 'b')).toMatchObject({
      status: 200,
      said: {
        totals: [2, null, 2],
        errors: [{ row: 1, message: expect.stringContaining('it cannot be read') as string }],
      },
    });
    expect(await ask('hostile')).toMatchObject({ status: 400 });
  });

  it('answers no web page, by whatever name it came, and asks for its token', async () => {
    const url = await serve({ allowedHosts: ['rewards.cluster'], token: 'abc' });
    const { port } = new URL(url);
    const body = JSON.stringify(requestOf([input(right)]));
    const good = {
      host: `127.0.0.1:${port}`,
      'content-type': 'application/json',
      authorization: 'Bearer abc',
    };
    const status = (headers: Record<string, string>, method = 'POST'): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const path = method === 'POST' ? '/rewards' : '/health';
        const asking = request(
          { host: '127.0.0.1', port, method, path, headers: { ...good, ...headers } },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        );
        asking.on('error', reject);
        asking.end(method === 'POST' ? body : undefined);
      });
    expect(await status({})).toBe(200);
    for (const host of [`localhost:${port}`, 'LOCALHOST.', `[::1]:${port}`, '10.0.0.7', 'rewards.cluster'])
      expect(await status({ host })).toBe(200);
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'a b',
      '[::1].evil',
    ])
      expect(await status({ host })).toBe(421);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'text/plain; application/json',
      '',
    ])
      expect(await status({ 'content-type': type })).toBe(415);
    expect(await status({ 'content-type': 'Application/JSON; charset=utf-8' })).toBe(200);
    for (const origin of ['http://evil.example', 'null', url]) {
      expect(await status({ origin })).toBe(403);
      expect(await status({ origin }, 'OPTIONS')).toBe(403);
      expect(await status({ origin }, 'GET')).toBe(403);
    }
    for (const authorization of ['', 'Bearer ab', 'Bearer abcd', 'abc'])
      expect(await status({ authorization })).toBe(401);
    expect(await status({ host: 'evil.example' }, 'GET')).toBe(421);
    process.env['SAFEGUARD_REWARDS_TOKEN'] = 'abc';
    try {
      const remote = remoteRewards({ accuracy: { url, timeout_seconds: 5, retries: 0 } });
      expect(await remote['accuracy']([input(right)])).toEqual([2]);
    } finally {
      delete process.env['SAFEGUARD_REWARDS_TOKEN'];
    }
  });

  it('once closed answers what is under way and takes nothing more on the same connection', async () => {
    let closed: Promise<void> | undefined;
    const table = await paper({
      own: (inputs) => {
        closed = open.splice(0)[0]?.close();
        return inputs.map(() => 1);
      },
    });
    const url = await serve({ table });
    const body = JSON.stringify(requestOf([input(right)]));
    expect(await post(`${url}/rewards`, body)).toMatchObject({ status: 200 });
    await expect(post(`${url}/rewards`, body)).rejects.toThrow('fetch failed');
    await closed;
  });

  it('says that an address is taken', async () => {
    const port = Number(new URL(await serve()).port);
    await expect(serve({ port })).rejects.toThrow(/something listens there already: give another --port/);
  });

  it('is a reward of a run, tried again while it fails and given up with a remedy', async () => {
    const url = await serve();
    const delays: number[] = [];
    const ask = (service: Partial<{ url: string; retries: number }>, name = 'accuracy') =>
      remoteRewards({ [name]: { url, timeout_seconds: 5, retries: 2, ...service } }, (wait) => {
        delays.push(wait);
        return Promise.resolve();
      })[name];
    expect(await ask({})([input(right)])).toEqual([2]);
    await expect(ask({}, 'beauty')([input(right)])).rejects.toThrow(/gave no rewards called 'beauty'/);
    expect(delays).toEqual([]);
    await open.splice(0)[0].close();
    await expect(ask({})([input(right)])).rejects.toThrow(
      /does not answer after 3 tries .*start the service, then give the same command again/,
    );
    expect(delays).toHaveLength(2);
  });
});
