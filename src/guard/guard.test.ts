import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../images/png.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { FakeModel, type Script } from './fake-model.test-util.js';
import { DEFAULT_MAX_NEW_TOKENS, EMBEDDED_MODEL, Guard } from './guard.js';
import { profileNamed } from './profiles/index.js';

const image = { width: 2, height: 1, data: new Uint8Array(6) };
const noBeer = Policy.fromMarkdown('No beer.', { name: 'strict' });
const anything = Policy.fromMarkdown('Anything goes.');
const byPolicy = (prompt: string): Script =>
  prompt.includes('No beer')
    ? { text: '<think>A beer.</think><answer>no</answer>', unsafe: 0.9 }
    : { text: '<think>A beer.</think><answer>yes</answer>', unsafe: 0.2 };

describe('Guard.judge', () => {
  it('gives a verdict with all that led to it', async () => {
    const model = new FakeModel(byPolicy);
    const verdict = await new Guard(model, profileNamed('paper')).judge(image, noBeer);
    expect(verdict).toMatchObject({
      label: 'unsafe',
      category: null,
      violatedRule: null,
      reasoning: 'A beer.',
      raw: '<think>A beer.</think><answer>no</answer>',
      problem: null,
      model: model.identity,
      policy: { id: noBeer.id, title: 'strict' },
      profile: 'paper',
      finishReason: 'stop',
    });
    expect(verdict.probability).toBeCloseTo(0.9, 6);
    expect(verdict.tokens.completion).toBe(12);
    expect(verdict.tokens.prompt).toBeGreaterThan(100);
    const { image: decode, prompt, generate, total } = verdict.timings;
    expect(total).toBe(decode + prompt + generate);
    expect(Math.min(decode, prompt, generate)).toBeGreaterThanOrEqual(0);
    expect(model.batches[0]?.options).toEqual({ maxNewTokens: DEFAULT_MAX_NEW_TOKENS, watch: [4, 5] });
  });

  it('judges by the policy that is given', async () => {
    const guard = new Guard(new FakeModel(byPolicy), profileNamed('paper'));
    expect((await guard.judge(image, 'No beer.')).label).toBe('unsafe');
    expect((await guard.judge(image, 'Anything goes.')).label).toBe('safe');
    expect((await guard.judge(await encodePng(image), anything)).label).toBe('safe');
  });

  it('gives no probability to an answer that cannot be read', async () => {
    const guard = new Guard(new FakeModel(() => ({ text: 'It is safe, yes.' })), profileNamed('paper'));
    expect(await guard.judge(image, noBeer)).toMatchObject({
      label: 'invalid',
      probability: null,
      problem: { kind: 'unreadable', message: 'the answer has no <answer>' },
    });
  });

  it('says where the token limit cut an answer off', async () => {
    const model = new FakeModel(() => ({ text: '<think>A', finishReason: 'length' }));
    const verdict = await new Guard(model, profileNamed('paper')).judge(image, noBeer, { maxNewTokens: 2 });
    expect(verdict.problem).toEqual({
      kind: 'truncated',
      message: 'the answer was cut off after 2 tokens; allow more',
    });
    expect(model.batches[0]?.options.maxNewTokens).toBe(2);
  });

  it.each([
    [
      { width: 2, height: 2, data: new Uint8Array(6) },
      {},
      'an image of 2×2 has 12 bytes of RGB, and 6 were given',
    ],
    [{ width: 0, height: 2, data: new Uint8Array(0) }, {}, 'width and height must be whole numbers from 1'],
    ['/nowhere/x.png', {}, '/nowhere/x.png'],
    [new Uint8Array(0), {}, 'is empty'],
    [image, { maxNewTokens: 0 }, 'maxNewTokens must be a whole number from 1, and 0 was given'],
  ])('refuses what cannot be judged (%#)', async (source, options, message) => {
    const judging = new Guard(new FakeModel(byPolicy), profileNamed('paper')).judge(source, noBeer, options);
    await expect(judging).rejects.toThrow(UserError);
    await expect(judging).rejects.toThrow(message);
  });
});

describe('Guard.judgeAll', () => {
  it('keeps the order over batches', async () => {
    const model = new FakeModel(byPolicy);
    const guard = new Guard(model, profileNamed('paper'));
    const policies = [noBeer, anything, anything, noBeer, anything];
    const verdicts = await guard.judgeAll(
      policies.map((policy) => ({ image, policy })),
      { batchSize: 2 },
    );
    expect(verdicts.map(({ label }) => label)).toEqual(['unsafe', 'safe', 'safe', 'unsafe', 'safe']);
    expect(model.batches.map(({ size }) => size)).toEqual([2, 2, 1]);
  });

  it('of nothing asks nothing', async () => {
    const model = new FakeModel(byPolicy);
    expect(await new Guard(model, profileNamed('paper')).judgeAll([])).toEqual([]);
    expect(model.batches).toEqual([]);
  });
});

describe('Guard.load', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'guard-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });
  const opened: string[] = [];
  const open = async (path: string): Promise<FakeModel> => {
    opened.push(path);
    return await Promise.resolve(new FakeModel(byPolicy));
  };

  it('takes the paper profile for a folder that names none', async () => {
    expect((await Guard.load(folder, { open })).profile.name).toBe('paper');
    expect(opened).toEqual([folder]);
  });

  it('takes the profile of guard.json, unless another is asked for', async () => {
    await writeFile(join(folder, 'guard.json'), '{"profile": "iconworld"}');
    expect((await Guard.load(folder, { open })).profile.name).toBe('iconworld');
    expect((await Guard.load(folder, { open, profile: 'paper' })).profile.name).toBe('paper');
  });

  it.each([
    ['{', 'guard.json is not understood; it should be like {"profile": "paper"}'],
    ['[]', 'guard.json is not understood'],
    ['{"profile": 3}', 'guard.json is not understood'],
    ['{"profile": "llama"}', 'there is no profile "llama"; choose one of: paper ('],
  ])('refuses %s', async (json, message) => {
    await writeFile(join(folder, 'guard.json'), json);
    await expect(Guard.load(folder, { open })).rejects.toThrow(UserError);
    await expect(Guard.load(folder, { open })).rejects.toThrow(message);
  });

  it('frees the model', async () => {
    const model = new FakeModel(byPolicy);
    await new Guard(model, profileNamed('paper')).dispose();
    expect(model.disposed).toBe(true);
  });

  it('has its own model at the root of the package', () => {
    expect(EMBEDDED_MODEL).toMatch(/models[/\\]safeguard-vl-tiny$/);
  });
});
