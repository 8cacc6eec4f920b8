import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../../checkpoint/files.test-util.js';
import { loadIcons } from '../../iconworld/raster.js';
import { encodePng } from '../../images/png.js';
import { noise } from '../tiny-model.test-util.js';
import { parseGrpoConfig } from './config.js';
import { openPrompts, type PromptSource } from './prompts.js';

const common = { model: 'model', output: 'out', steps: 50, optimizer: { lr: 1e-3 } };

const open = (data: unknown, settings: object = {}): Promise<PromptSource> =>
  openPrompts(parseGrpoConfig({ ...common, data, prompts_per_step: 4, ...settings }));

describe('prompts of IconWorld', () => {
  beforeAll(() => loadIcons());

  it('are the same under the same number, and never held out', async () => {
    const [one, two] = [await open({ source: 'iconworld' }), await open({ source: 'iconworld' })];
    expect(await one.prompt(7)).toEqual(await two.prompt(7));
    const heldOut = await one.heldOut(20);
    const trained = await Promise.all(Array.from({ length: 20 }, (_, i) => one.prompt(i)));
    const texts = new Set(trained.map(({ prompt }) => prompt));
    expect(heldOut.filter(({ prompt }) => texts.has(prompt))).toEqual([]);
    expect(new Set(heldOut.map(({ sample }) => sample.label))).toEqual(new Set(['safe', 'unsafe']));
  });

  it('name the statements that decide', async () => {
    const source = await open({ source: 'iconworld' });
    for (let i = 0; i < 30; i++) {
      const { sample, prompt } = await source.prompt(i);
      expect(sample.decisive.length > 0).toBe(sample.label === 'unsafe');
      expect(sample.categories.length > 0).toBe(sample.label === 'unsafe');
      for (const statement of sample.statements) expect(prompt).toContain(statement);
      for (const number of sample.decisive) expect(sample.statements[number - 1]).toBeDefined();
    }
  });

  it('have pages as long as asked for', async () => {
    const longest = async (max_voice?: number, pairs = 0): Promise<number> => {
      const source = await open({
        source: 'iconworld',
        pairs,
        ...(max_voice !== undefined && { max_voice }),
      });
      const prompts = await Promise.all(Array.from({ length: 60 }, (_, i) => source.prompt(i)));
      return Math.max(...prompts.map(({ sample }) => sample.statements.length));
    };
    // Nine ruling statements, the default, and the voice: four as free policies have it, or what is asked for.
    expect(await longest(0)).toBeLessThanOrEqual(10);
    expect(await longest()).toBeLessThanOrEqual(14);
    expect(await longest(9)).toBeGreaterThan(14);
    expect(await longest(9, 1)).toBeGreaterThan(14);
  });

  it('have policies that were not written for their pictures where asked', async () => {
    const brokenTogether = async (unrelated: number): Promise<number> => {
      const source = await open({ source: 'iconworld', unrelated });
      const prompts = await Promise.all(Array.from({ length: 120 }, (_, i) => source.prompt(i)));
      const pairs = prompts.filter(({ sample }) => sample.categories.some((name) => name.includes(' + ')));
      return pairs.length;
    };
    expect(await brokenTogether(0)).toBeGreaterThan(2);
    expect(await brokenTogether(1)).toBeLessThan(2);
  });

  it('are questions in the share that is asked for, and judgements are held out', async () => {
    const questions = await open(
      { source: 'iconworld', questions: 0.3 },
      { rewards: { label: 1, exact: 1 } },
    );
    const plain = await open({ source: 'iconworld' });
    const prompts = await Promise.all(Array.from({ length: 100 }, (_, i) => questions.prompt(i)));
    const asked = prompts.filter(({ sample }) => sample.label === null);
    expect(asked.length).toBeGreaterThan(15);
    expect(asked.length).toBeLessThan(45);
    for (const { sample, prompt, images, kind } of asked) {
      expect(sample.answer).toMatch(/\S/);
      expect([prompt.length > 0, images.length, kind]).toEqual([true, 1, 'question']);
    }
    // The others are the prompts that they would have been.
    const other = prompts.findIndex(({ sample }) => sample.label !== null);
    expect(prompts[other]).toEqual(await plain.prompt(other));
    expect((await questions.heldOut(20)).every(({ sample }) => sample.label !== null)).toBe(true);
  });

  it('come as pairs of one picture under two policies that disagree', async () => {
    const source = await open({ source: 'iconworld', pairs: 1 });
    for (let i = 0; i < 10; i += 2) {
      const [pass, block] = [await source.prompt(i), await source.prompt(i + 1)];
      expect([pass.sample.label, block.sample.label]).toEqual(['safe', 'unsafe']);
      expect(pass.sample.pair).toBe(block.sample.pair);
      expect(pass.images).toEqual(block.images);
      const changed = pass.sample.statements.filter((text, k) => text !== block.sample.statements[k]);
      expect(changed).toHaveLength(1);
    }
  });
});

describe('prompts of a file', () => {
  const good = { prompt: 'No beer.', images: ['a.png'], solution: '<answer>unsafe</answer>' };

  async function file(rows: readonly (string | object)[]): Promise<string> {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'a.png'), await encodePng(noise(56, 56, 1)));
    writeFileSync(join(folder, 'broken.png'), 'no picture at all');
    mkdirSync(join(folder, 'folder.png'));
    const path = join(folder, 'prompts.jsonl');
    writeFileSync(path, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
    return path;
  }

  it('are shuffled anew each epoch, the last ones held out', async () => {
    const rows = Array.from({ length: 12 }, (_, i) => ({ ...good, prompt: `policy ${i}` }));
    const source = await open({ source: 'jsonl', file: await file(rows), held_out: 2 });
    const texts = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => (await source.prompt(i)).prompt),
    );
    expect(new Set(texts.slice(0, 10)).size).toBe(10);
    expect(texts.slice(0, 10).sort()).toEqual(texts.slice(10).sort());
    expect(texts.slice(0, 10)).not.toEqual(texts.slice(10));
    expect((await source.heldOut(5)).map(({ prompt }) => prompt)).toEqual(['policy 10', 'policy 11']);
    expect((await source.prompt(0)).sample.label).toBe('unsafe');
  });

  it('are made of a policy in the words of the profile', async () => {
    const policy = '# House rules\n\n- No beer.\n- No knives.';
    const path = await file([{ policy, images: ['a.png'], label: 'unsafe' }]);
    const paper = await (await open({ source: 'jsonl', file: path })).prompt(0);
    expect(paper.system).toMatch(/^A conversation between User and Assistant/);
    expect(paper.prompt).toContain(`Policy:\n${policy}\n`);
    expect(paper.prompt).toContain('<answer> </answer>');
    expect(paper.sample).toMatchObject({ label: 'unsafe', statements: ['No beer.', 'No knives.'] });
    const config = { ...common, data: { source: 'jsonl', file: path }, prompts_per_step: 4 };
    const card = await openPrompts(parseGrpoConfig({ ...config, profile: 'safe-unsafe' }));
    const asked = await card.prompt(0);
    expect(asked).not.toHaveProperty('system');
    expect(asked.prompt).toContain('Answer with one word');
  });

  it('ask for an answer instead of a verdict', async () => {
    const row = { prompt: 'How many knives?', images: ['a.png'], answer: 'two' };
    const path = await file([row]);
    const { prompt, sample } = await (
      await open({ source: 'jsonl', file: path }, { rewards: { exact: 1 } })
    ).prompt(0);
    expect([prompt, sample.label, sample.answer]).toEqual(['How many knives?', null, 'two']);
    await expect(open({ source: 'jsonl', file: path })).rejects.toThrow(
      /line 1 asks for an answer, and no reward is for it: give the reward exact a weight/,
    );
  });

  it('stay as they are where a line has both, and keep its statements', async () => {
    const row = { ...good, system: 'Be brief.', policy: 'One. Two.', statements: ['Three.'] };
    const { prompt, system, sample } = await (
      await open({ source: 'jsonl', file: await file([row]) })
    ).prompt(0);
    expect([prompt, system, sample.statements]).toEqual(['No beer.', 'Be brief.', ['Three.']]);
  });

  it.each<[string, readonly (string | object)[], RegExp]>([
    [
      'neither prompt nor policy',
      [{ images: ['a.png'], label: 'safe' }],
      /line 1: prompt: give a prompt, or a policy/,
    ],
    [
      'an empty policy',
      [{ policy: '<!-- -->', images: ['a.png'], label: 'safe' }],
      /line 1: the policy is empty/,
    ],
    [
      'no label',
      [{ prompt: 'p', images: ['a.png'] }],
      /line 1: solution: give a solution or a label, one of/,
    ],
    [
      'an answer beside a label',
      [{ ...good, answer: 'two' }],
      /line 1: solution: .* or the answer to a question/,
    ],
    [
      'an answer to a policy',
      [{ policy: 'No beer.', images: ['a.png'], answer: 'two' }],
      /line 1: prompt: an answer goes with a prompt that asks for it/,
    ],
    ['two labels', [{ ...good, label: 'unsafe' }], /line 1: solution: give a solution or a label/],
    [
      'a label outside the vocabulary',
      [{ policy: 'p', images: ['a.png'], label: 'Review' }],
      /line 1: label: must be one of/,
    ],
    ['an empty file', [], /holds no prompts: give one JSON object a line/],
    ['no JSON', ['{"prompt":'], /line 1 is not valid JSON/],
    ['no images', [{ prompt: 'p', images: [], solution: 'safe' }], /line 1: images: .*name at least one/],
    ['images missing', [{ prompt: 'p', solution: 'safe' }], /line 1: images/],
    ['a missing picture', [good, { ...good, images: ['b.png'] }], /line 2: there is no picture b\.png/],
    [
      'a label outside the vocabulary',
      [{ ...good, solution: 'maybe' }],
      /line 1: solution: must be one of <answer>safe/,
    ],
    ['a label of an object', [{ ...good, solution: 'toString' }], /line 1: solution: must be one of/],
    ['an unknown field', [{ ...good, labels: 1 }], /line 1: .*labels/],
  ])('refuse %s', async (_, rows, message) => {
    await expect(open({ source: 'jsonl', file: await file(rows) })).rejects.toThrow(message);
  });

  it.each(['broken.png', 'folder.png'])(
    'say which line has a picture that cannot be read: %s',
    async (name) => {
      const source = await open({ source: 'jsonl', file: await file([{ ...good, images: [name] }]) });
      await expect(source.prompt(0)).rejects.toThrow(/prompts\.jsonl, line 1: /);
    },
  );

  it('refuse to hold out everything', async () => {
    await expect(open({ source: 'jsonl', file: await file([good]), held_out: 1 })).rejects.toThrow(
      /has 1 prompts, of which data\.held_out keeps 1 back/,
    );
  });
});

describe('parseGrpoConfig', () => {
  const data = { source: 'iconworld' };
  it('fills in the presets', () => {
    expect(parseGrpoConfig({ preset: 'paper-exact', model: 'm', output: 'o', steps: 1, data })).toMatchObject(
      {
        loss_type: 'grpo',
        beta: 0.01,
        num_generations: 8,
        top_p: 0.9,
        top_k: 50,
        rewards: { accuracy: 1, format: 1 },
        optimizer: { lr: 1e-6, weight_decay: 0.1 },
      },
    );
    expect(parseGrpoConfig({ ...common, data, beta: 0.01 })).toMatchObject({
      loss_type: 'dapo',
      beta: 0.01,
      top_p: 1,
    });
  });

  it.each<[object, RegExp]>([
    [{ preset: 'best' }, /preset must be paper-exact or recommended/],
    [{ preset: 'constructor' }, /preset must be/],
    [{ loss_type: 'ppo' }, /loss_type/],
    [{ num_generations: 1 }, /num_generations/],
    [{ batches: 3, prompts_per_step: 4 }, /prompts_per_step must be a multiple of batches/],
    [{ rewards: { label: 0 } }, /rewards gives no function a weight/],
    [{ epsilons: 1 }, /there is no setting 'epsilons'/],
    [{ data: { source: 'iconworld', questions: 0.2 } }, /data\.questions .* give the reward exact a weight/],
    [{ data: { source: 'hub' } }, /'source' must be iconworld or jsonl/],
  ])('refuses %j', (settings, message) => {
    expect(() => parseGrpoConfig({ ...common, data, ...settings })).toThrow(message);
  });
});
