import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Checkpoint } from '../../checkpoint/checkpoint.js';
import { fullDiskFor } from '../../checkpoint/files.test-util.js';
import type { RewardFunction } from '../rewards/reward.js';
import { noise, sharedFolder, writeTinyModel } from '../tiny-model.test-util.js';
import { type GrpoConfig, parseGrpoConfig } from './config.js';
import { type GrpoHooks, trainGrpo } from './grpo.js';
import { readState } from '../run-folder.js';
import type { PromptSource } from './prompts.js';
import { markOf } from './mark.js';
import { completionRecord, grpoMetrics } from './records.js';

const scratch = sharedFolder();
let model = '';
beforeAll(async () => {
  model = await writeTinyModel(scratch);
});

const WORDS = ['red cat', 'blue mat', 'a picture', 'is it allowed'];

/** Prompts with a picture each; odd ones are unsafe. */
const source: PromptSource = {
  prompt: (index) =>
    Promise.resolve({
      index,
      images: [noise(56, 28 * (1 + (index % 2)), index % 5)],
      prompt: WORDS[index % WORDS.length],
      sample: {
        label: index % 2 === 0 ? 'safe' : 'unsafe',
        statements: ['No red cats.'],
        decisive: [1],
        categories: [],
        pair: null,
      },
      kind: 'all',
    }),
  heldOut: (count) => Promise.all(Array.from({ length: count }, (_, i) => source.prompt(1000 + i))),
};

/** How many of a completion's letters are vowels: a reward that an untrained model can climb. */
const vowels: RewardFunction = (inputs) =>
  inputs.map(({ completion }) => {
    const letters = completion.match(/\p{L}/gu) ?? [];
    return letters.length === 0
      ? 0
      : letters.filter((letter) => /[aeiou]/iu.test(letter)).length / letters.length;
  });

function configOf(output: string, settings: Record<string, unknown> = {}): GrpoConfig {
  return parseGrpoConfig({
    model,
    output,
    steps: 4,
    prompts_per_step: 2,
    num_generations: 4,
    max_completion_length: 8,
    mask_truncated_completions: false,
    dynamic_sampling: 1,
    rewards: { vowels: 1 },
    optimizer: { lr: 0.01 },
    data: { source: 'jsonl', file: 'unused.jsonl' },
    evaluation: { every_steps: 2, prompts: 3 },
    checkpoint: { every_steps: 2, keep: 2 },
    max_steps_without_signal: 50,
    max_truncated_steps: 50,
    threads: 1,
    ...settings,
  });
}

const hooks: GrpoHooks = { quiet: true, rewards: { vowels } };
const linesOf = (output: string, file: string): unknown[] =>
  readFileSync(join(output, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
const metricsOf = (output: string) => linesOf(output, 'metrics.jsonl').map((line) => grpoMetrics.parse(line));
const timeless = (output: string): unknown[] =>
  metricsOf(output).map((line) => ({ ...line, seconds: undefined, tokens_per_second: undefined }));
const bytes = (folder: string, name: string): Buffer => readFileSync(join(folder, name));

/** Stops after `step` steps, as Ctrl-C does. */
function stopAfter(step: number): GrpoHooks {
  const stop = new AbortController();
  return {
    ...hooks,
    signal: stop.signal,
    onStep: (metrics) => {
      if (metrics.step === step) stop.abort();
    },
  };
}

describe('trainGrpo', () => {
  it.each([
    { name: 'on-policy, frozen tower', settings: {} },
    { name: 'trained tower', settings: { vision: 'trained' } },
    {
      name: 'off-policy with a reference, sequence ratios',
      settings: {
        batches: 2,
        num_iterations: 2,
        beta: 0.05,
        importance_sampling_level: 'sequence',
        dynamic_sampling: 0,
        delta: 4,
      },
    },
    { name: 'cispo', settings: { loss_type: 'cispo', epsilon_high: 2, batches: 2 } },
  ])('ends bit-equal after interruptions: $name', async ({ name, settings }) => {
    const folder = name.replaceAll(/\W+/g, '-');
    const output = join(scratch, `whole-${folder}`);
    const whole = await trainGrpo(configOf(output, settings), source, hooks);
    expect(whole).toMatchObject({ step: 4, ended: 'finished', best: join(output, 'best') });

    const pieces = join(scratch, `pieces-${folder}`);
    const config = configOf(pieces, settings);
    expect(await trainGrpo(config, source, stopAfter(1))).toMatchObject({ step: 1, ended: 'interrupted' });
    expect(await trainGrpo(config, source, stopAfter(3))).toMatchObject({ step: 3, ended: 'interrupted' });
    const last = await trainGrpo(config, source, hooks);
    for (const file of ['model.safetensors', 'optimizer.safetensors']) {
      expect(bytes(last.checkpoint, file).equals(bytes(whole.checkpoint, file))).toBe(true);
    }
    expect(timeless(pieces)).toEqual(timeless(output));
    expect(linesOf(pieces, 'completions.jsonl')).toEqual(linesOf(output, 'completions.jsonl'));
  });

  it('learns from questions among the verdicts, and counts them as none', async () => {
    const output = join(scratch, 'questions');
    const mixed: PromptSource = {
      heldOut: (count) => source.heldOut(count),
      async prompt(index) {
        const prompt = await source.prompt(index);
        if (index % 2 === 0) return prompt;
        return { ...prompt, sample: { ...prompt.sample, label: null, answer: 'e' }, kind: 'question' };
      },
    };
    const settings = { rewards: { vowels: 1, exact: 0.5, label: 0.5 }, dynamic_sampling: 0, steps: 2 };
    await trainGrpo(configOf(output, settings), mixed, hooks);
    for (const { confusion, accuracy_by_policy } of metricsOf(output)) {
      const counted = Object.values(confusion).flatMap((row) => Object.values(row));
      expect(counted.reduce((sum, count) => sum + count, 0)).toBe(4);
      expect(Object.keys(accuracy_by_policy)).toEqual(['all']);
    }
    const records = linesOf(output, 'completions.jsonl').map((line) => completionRecord.parse(line));
    const asked = records.filter(({ label }) => label === null);
    expect(asked).toHaveLength(8);
    for (const record of asked) {
      expect(record).toMatchObject({ answer: 'e', rewards: { label: null } });
      expect(markOf(record)).toBe(record.completion.trim() === 'e' ? 'right' : 'wrong');
    }
    expect(asked.some(({ advantage }) => advantage !== 0)).toBe(true);
  });

  it('says of a reward that applied to nobody that it has no mean', async () => {
    const output = join(scratch, 'nobody');
    const rewards = { vowels: 1, exact: 0.5, label: 0.5 };
    await trainGrpo(configOf(output, { rewards, steps: 1 }), source, hooks);
    const [metrics] = metricsOf(output);
    expect(metrics.rewards).toMatchObject({ exact: null, label: { mean: expect.any(Number) } });
  });

  it('gives weights the rate and the decay of their group', async () => {
    const groups = [
      { match: 'model.layers.0.*', lr: 1e-30, weight_decay: 0 },
      { match: 'model.norm.*', lr: 0.5 },
    ];
    const output = join(scratch, 'groups');
    const { checkpoint } = await trainGrpo(
      configOf(output, { optimizer: { lr: 0.01, groups } }),
      source,
      hooks,
    );
    const [before, after] = [await Checkpoint.open(model), await Checkpoint.open(checkpoint)];
    const moved = (name: string): number => {
      const [old, now] = [before.readFloat32(name), after.readFloat32(name)];
      return now.reduce((most, value, i) => Math.max(most, Math.abs(value - old[i])), 0);
    };
    expect(moved('model.layers.0.mlp.up_proj.weight')).toBeLessThan(1e-20);
    expect(moved('model.layers.1.mlp.up_proj.weight')).toBeGreaterThan(1e-3);
    expect(moved('model.norm.weight')).toBeGreaterThan(10 * moved('model.layers.1.input_layernorm.weight'));
    before.close();
    after.close();
    const wrong = configOf(output, { optimizer: { lr: 0.01, groups: [{ match: 'head.*', lr: 1 }] } });
    await expect(trainGrpo(wrong, source, hooks)).rejects.toThrow(
      "optimizer.groups: no trained weight's name fits 'head.*'",
    );
  });

  it('earns more from step to step, and keeps what it said with its pictures', async () => {
    const output = join(scratch, 'learns');
    const steps = 30;
    await trainGrpo(
      configOf(output, {
        steps,
        num_generations: 8,
        optimizer: { lr: 0.03 },
        evaluation: { every_steps: 30, prompts: 2 },
      }),
      source,
      hooks,
    );
    const metrics = metricsOf(output);
    const meanOf = (part: typeof metrics): number =>
      part.reduce((sum, { reward }) => sum + reward, 0) / part.length;
    expect(meanOf(metrics.slice(-5))).toBeGreaterThan(meanOf(metrics.slice(0, 5)) + 0.2);
    const records = linesOf(output, 'completions.jsonl').map((line) => completionRecord.parse(line));
    expect(records.length).toBeGreaterThanOrEqual(steps * 16);
    const pictures = readdirSync(join(output, 'images'));
    for (const { images } of records) expect(pictures).toContain(images[0].slice('images/'.length));
    // Advantages of a group that was learned from add up to nothing.
    const first = records.filter(({ prompt_index: index }) => index === records[0].prompt_index);
    expect(first).toHaveLength(8);
    expect(new Set(first.map(({ completion }) => completion)).size).toBeGreaterThan(1);
  });

  it.each<{ name: string; rewards: RewardFunction; message: string }>([
    {
      name: 'throws',
      rewards: () => {
        throw new Error('no connection');
      },
      message: "The reward 'vowels' failed: no connection.",
    },
    { name: 'NaN', rewards: (inputs) => inputs.map(() => Number.NaN), message: "'vowels' gave NaN" },
    { name: 'count', rewards: () => [1], message: "'vowels' gave 1 values for" },
  ])('refuses a reward that is wrong: $name', async ({ name, rewards, message }) => {
    const run = trainGrpo(configOf(join(scratch, `reward-${name}`)), source, {
      quiet: true,
      rewards: { vowels: rewards },
    });
    await expect(run).rejects.toThrow(message);
  });

  it('stops with a reason where no group has any spread', async () => {
    const output = join(scratch, 'silent');
    const config = configOf(output, { max_steps_without_signal: 3, steps: 9 });
    const run = trainGrpo(config, source, { quiet: true, rewards: { vowels: (all) => all.map(() => 1) } });
    await expect(run).rejects.toThrow(
      /Stopped at step 3 \(reward-spread\): for 3 steps .* raise temperature/,
    );
    // What was saved before stays, and the same command ends the same way.
    expect(readdirSync(output)).toContain('checkpoint-2');
    expect(metricsOf(output).map(({ frac_reward_zero_std: share }) => share)).toEqual([1, 1]);
  });

  it('stops where every completion is cut off', async () => {
    const config = configOf(join(scratch, 'cut'), {
      max_completion_length: 1,
      max_truncated_steps: 3,
      steps: 9,
    });
    await expect(trainGrpo(config, source, hooks)).rejects.toThrow(
      /completions-end.*raise max_completion_length/,
    );
  });

  it('refuses to go on under another configuration, and ends at patience', async () => {
    const output = join(scratch, 'resumed');
    await trainGrpo(configOf(output, { steps: 2 }), source, hooks);
    const warmer = configOf(output, { steps: 2, temperature: 0.9, rewards: { vowels: 2 } });
    await expect(trainGrpo(warmer, source, hooks)).rejects.toThrow(
      /under another configuration: temperature was 1 and is 0\.9; rewards\.vowels was 1 and is 2\. Set them back/,
    );
    const patient = configOf(join(scratch, 'patience'), {
      steps: 12,
      optimizer: { lr: 1e-9 },
      evaluation: { every_steps: 1, prompts: 2, patience: 2 },
    });
    expect(await trainGrpo(patient, source, hooks)).toMatchObject({ ended: 'no longer better', step: 2 });
  });

  it.each([
    { select: 'macro_f1', lr: 1e-9, improves: false },
    { select: 'reward', lr: 0.03, improves: true },
  ] as const)(
    'stops at the same step after interruptions, chosen by $select',
    async ({ select, lr, improves }) => {
      const settings = {
        steps: 80,
        num_generations: 8,
        optimizer: { lr },
        evaluation: { every_steps: 2, prompts: 4, patience: 3, select },
        checkpoint: { every_steps: 3, keep: 2 },
      };
      const output = join(scratch, `early-${select}`);
      const whole = await trainGrpo(configOf(output, settings), source, hooks);
      expect(whole.ended).toBe('no longer better');
      expect(whole.step).toBeLessThan(80);

      const pieces = join(scratch, `early-${select}-pieces`);
      const config = configOf(pieces, settings);
      // Stopped within the patience, and on the very step that uses it up.
      for (const step of [1, whole.step - 2, whole.step]) {
        expect(await trainGrpo(config, source, stopAfter(step))).toMatchObject({
          step,
          ended: 'interrupted',
        });
      }
      for (const again of [1, 2]) {
        expect({ again, ...(await trainGrpo(config, source, hooks)) }).toMatchObject({
          step: whole.step,
          ended: 'no longer better',
        });
      }
      expect(timeless(pieces)).toEqual(timeless(output));
      for (const file of [`checkpoint-${whole.step}/model.safetensors`, 'best/model.safetensors']) {
        expect(bytes(pieces, file).equals(bytes(output, file))).toBe(true);
      }

      // The best model is the one whose held-out score is highest, the start included; the first of equals.
      const answers = linesOf(output, 'held_out.jsonl').map((line) => completionRecord.parse(line));
      expect(linesOf(pieces, 'held_out.jsonl')).toEqual(linesOf(output, 'held_out.jsonl'));
      const measured = metricsOf(output).flatMap(({ step, held_out: held }) =>
        held ? [{ step, held }] : [],
      );
      expect([...new Set(answers.map(({ step }) => step))]).toEqual([0, ...measured.map(({ step }) => step)]);
      const atStart = answers.filter(({ step }) => step === 0);
      expect(atStart).toHaveLength(4);
      const grpo = readState(join(output, `checkpoint-${whole.step}`)).grpo ?? { best: null, start: null };
      const startReward = atStart.reduce((sum, { reward }) => sum + reward, 0) / 4;
      const scores = [{ macro_f1: grpo.start, reward: startReward }, ...measured.map(({ held }) => held)].map(
        (held) => held[select] ?? Number.NaN,
      );
      const most = Math.max(...scores);
      expect(grpo.best?.[select]).toBeCloseTo(most, 12);
      expect(grpo.best?.step).toBe([0, ...measured.map(({ step }) => step)][scores.indexOf(most)]);
      expect(scores.indexOf(most) > 0).toBe(improves);
    },
  );

  it('goes on with more steps, and lets nobody else train in its folder', async () => {
    const constant = { schedule: { kind: 'constant' }, evaluation: { every_steps: 2, prompts: 3 } };
    const [whole, output] = [join(scratch, 'six'), join(scratch, 'four-and-two')];
    await trainGrpo(configOf(whole, { ...constant, steps: 6 }), source, hooks);
    await trainGrpo(configOf(output, { ...constant, steps: 4 }), source, hooks);
    const longer = configOf(output, { ...constant, steps: 6 });
    const both = await Promise.allSettled([1, 2].map(() => trainGrpo(longer, source, hooks)));
    expect(both).toMatchObject([
      { status: 'fulfilled', value: { step: 6, ended: 'finished' } },
      { status: 'rejected', reason: { code: 'busy' } },
    ]);
    expect(timeless(output)).toEqual(timeless(whole));
    expect(bytes(output, 'checkpoint-6/model.safetensors')).toEqual(
      bytes(whole, 'checkpoint-6/model.safetensors'),
    );
  });

  it('says so where the disk is full, and keeps what was there', async () => {
    const output = join(scratch, 'full');
    await trainGrpo(configOf(output), source, stopAfter(2));
    const run = trainGrpo(configOf(output), source, { ...hooks, files: fullDiskFor(/model/) });
    await expect(run).rejects.toThrow(/was not saved|cannot be written/);
    expect(await trainGrpo(configOf(output), source, hooks)).toMatchObject({ step: 4 });
  });
});
