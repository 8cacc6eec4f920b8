import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalEngine } from '../src/engines/local.js';
import { OpenAIEngine } from '../src/engines/openai.js';
import { type StandIn, standIn } from '../src/engines/stand-in-server.test-util.js';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { Guard } from '../src/guard/guard.js';
import { profileNamed } from '../src/guard/profiles/index.js';
import { Policy } from '../src/policy/policy.js';
import type { Verdict } from '../src/guard/verdict.js';

let local: LocalEngine;
let server: StandIn;
let remote: OpenAIEngine;

beforeAll(async () => {
  local = await LocalEngine.load(EMBEDDED_MODEL);
  server = await standIn(local);
  remote = new OpenAIEngine({ baseURL: server.baseURL, model: 'tiny', prefix: 'vllm' });
});
afterAll(async () => {
  await remote.close();
  await server.close();
  await local.close();
});

describe('both engines, with the same weights', () => {
  it('give the same verdicts, at once and after reasoning', async () => {
    const profile = profileNamed('iconworld');
    const [here, there] = [new Guard(local, profile), new Guard(remote, profile)];
    const files = ['policies/school-newsletter.md', 'policies/museum-shop.md'];
    const policies = await Promise.all(files.map((file) => Policy.load(file)));
    for (const regime of ['reason', 'fast'] as const) {
      const ours = await here.judgeMany('examples/museum-knife.png', policies, { regime });
      const theirs = await there.judgeMany('examples/museum-knife.png', policies, { regime });
      const comparable = ({ label, probability, raw, violatedRule }: Verdict) => ({
        label,
        probability: probability?.toFixed(6),
        raw,
        violatedRule,
      });
      expect(theirs.map(comparable)).toEqual(ours.map(comparable));
      expect(ours.map((verdict) => verdict.regime)).toEqual([regime, regime]);
      expect(ours.every(({ probability }) => probability !== null)).toBe(true);
    }
  });

  it('answer questions alike', async () => {
    const profile = profileNamed('iconworld');
    const [ours, theirs] = await Promise.all(
      [local, remote].map((engine) =>
        new Guard(engine, profile).ask('examples/museum-knife.png', 'What is there?', { maxNewTokens: 20 }),
      ),
    );
    expect(theirs).toEqual(ours);
  });
});
