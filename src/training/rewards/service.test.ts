import { afterEach, describe, expect, it } from 'vitest';
import { profileFrom } from '../../guard/profiles/index.js';
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
    const response = await fetch(url, { method: 'POST', body });
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
