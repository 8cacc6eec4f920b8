import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fullDiskFor, smallDisk } from '../checkpoint/files.test-util.js';
import { SafetensorsFile } from '../checkpoint/safetensors.js';
import type { SampleSource } from './examples.js';
import { type SftHooks, trainSft } from './sft.js';
import { noise, sharedFolder, tinyConfig, tinySource, writeTinyModel } from './tiny-model.test-util.js';

const quiet: SftHooks = { quiet: true };
const bytes = (folder: string, name: string): Buffer => readFileSync(join(folder, name));
const lines = (output: string): Record<string, unknown>[] =>
  readFileSync(join(output, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
/** What must not depend on when a run was stopped. */
const timeless = (output: string): unknown[] =>
  lines(output).map((line) => ({ ...line, seconds: undefined, tokens_per_second: undefined }));

/** Stops after `step` steps, as Ctrl-C does. */
function stopAfter(step: number): SftHooks {
  const stop = new AbortController();
  return {
    quiet: true,
    signal: stop.signal,
    onStep: (metrics) => {
      if (metrics.step === step) stop.abort();
    },
  };
}

describe('trainSft', () => {
  const scratch = sharedFolder();
  let model = '';
  beforeAll(async () => {
    model = await writeTinyModel(scratch);
  });

  it.each(['trained', 'frozen'])('ends bit-equal after interruptions, vision %s', async (vision) => {
    const output = join(scratch, `whole-${vision}`);
    const whole = await trainSft(tinyConfig(model, output, { vision }), tinySource(), quiet);
    expect(whole).toMatchObject({ step: 6, finished: true });

    const pieces = join(scratch, `pieces-${vision}`);
    const config = tinyConfig(model, pieces, { vision });
    expect(await trainSft(config, tinySource(), stopAfter(1))).toMatchObject({ step: 1, finished: false });
    expect(await trainSft(config, tinySource(), stopAfter(4))).toMatchObject({ step: 4, finished: false });
    const asked: number[] = [];
    const last = await trainSft(config, tinySource(asked), quiet);
    // It goes on at the sample where it stopped, and looks no further than the end.
    expect([Math.min(...asked), Math.max(...asked)]).toEqual([16, 23]);
    for (const file of ['model.safetensors', 'optimizer.safetensors']) {
      expect(bytes(last.checkpoint, file).equals(bytes(whole.checkpoint, file))).toBe(true);
    }
    expect(timeless(pieces)).toEqual(timeless(output));
    expect(readdirSync(pieces).sort()).toEqual(['checkpoint-4', 'checkpoint-6', 'metrics.jsonl', 'run.json']);
  });

  it('learns, and says so in its metrics', async () => {
    const output = join(scratch, 'learns');
    const sample = { images: [noise(56, 56, 1)], prompt: 'cat?', answer: 'red mat', task: 'see' };
    const one: SampleSource = { sample: () => Promise.resolve(sample) };
    const config = tinyConfig(model, output, { steps: 30, optimizer: { lr: 0.02 } });
    await trainSft(config, one, quiet);
    const metrics = lines(output);
    const losses = metrics.map(({ loss }) => Number(loss));
    expect(losses[29]).toBeLessThan(losses[0] / 10);
    expect(Object.keys(metrics[0])).toEqual([
      'step',
      'loss',
      'grad_norm',
      'lr',
      'samples',
      'tokens',
      'padded_tokens',
      'seconds',
      'tokens_per_second',
      'loss_by_task',
    ]);
    expect(metrics[29]).toMatchObject({ step: 30, samples: 120 });
    const { see } = metrics[29].loss_by_task as Record<string, number>;
    expect(see).toBeCloseTo(losses[29], 5);
  });

  it('leaves a frozen tower as it was and trains only what trainable names', async () => {
    const output = join(scratch, 'chosen');
    const config = tinyConfig(model, output, {
      steps: 2,
      vision: 'frozen',
      trainable: ['model.layers.1.*', 'model.norm.weight'],
    });
    const { checkpoint } = await trainSft(config, tinySource(), quiet);
    const before = SafetensorsFile.open(join(model, 'model.safetensors'));
    const after = SafetensorsFile.open(join(checkpoint, 'model.safetensors'));
    const changed = [...before.tensors.keys()].filter(
      (name) =>
        !Buffer.from(before.readFloat32(name).buffer).equals(Buffer.from(after.readFloat32(name).buffer)),
    );
    expect(changed.length).toBeGreaterThan(5);
    expect(changed.filter((name) => !/^model\.(layers\.1|norm)\./.test(name))).toEqual([]);
    before.close();
    after.close();
  });

  it('keeps the old checkpoint on a full disk and goes on from it', async () => {
    const words = tinySource([], false);
    const output = join(scratch, 'full');
    const config = tinyConfig(model, output);
    await trainSft(config, words, stopAfter(2));
    for (const files of [fullDiskFor(/optimizer/), fullDiskFor(/trainer_state/), smallDisk(20_000, 4096)]) {
      await expect(trainSft(config, words, { quiet: true, files })).rejects.toThrow(
        /^The checkpoint of step 4 was not saved: .* the disk is full: free some space .*checkpoint-2 is whole: give the same command again to go on from there\.$/,
      );
      expect(readdirSync(output).sort()).toEqual(['checkpoint-2', 'metrics.jsonl', 'run.json']);
    }
    const { checkpoint } = await trainSft(config, words, quiet);
    const whole = await trainSft(tinyConfig(model, join(scratch, 'never-full')), words, quiet);
    const [resumed, expected] = [checkpoint, whole.checkpoint].map((folder) =>
      bytes(folder, 'model.safetensors'),
    );
    expect(resumed.equals(expected)).toBe(true);
  });

  it('says that there is no earlier checkpoint when the first cannot be written', async () => {
    const config = tinyConfig(model, join(scratch, 'full-at-once'));
    const hooks = { quiet: true, files: fullDiskFor(/model\.safetensors/) };
    await expect(trainSft(config, tinySource(), hooks)).rejects.toThrow(
      /checkpoint of step 2 .* disk is full.*no earlier checkpoint: the run begins anew/,
    );
  });

  it('stops with the step and a remedy when the loss is no number', async () => {
    const config = tinyConfig(model, join(scratch, 'diverged'), {
      steps: 20,
      optimizer: { lr: 1e30 },
      schedule: { kind: 'constant' },
    });
    await expect(trainSft(config, tinySource(), quiet)).rejects.toThrow(
      /^Step \d+ gave a loss of .*lower optimizer\.lr/,
    );
  });

  it('goes on with more steps, as if begun with them where nothing depends on their number', async () => {
    const constant = { schedule: { kind: 'constant', warmup_steps: 2 }, checkpoint: { every_steps: 100 } };
    const whole = join(scratch, 'seven');
    await trainSft(tinyConfig(model, whole, { ...constant, steps: 7 }), tinySource(), quiet);
    const output = join(scratch, 'five-and-two');
    await trainSft(tinyConfig(model, output, { ...constant, steps: 5 }), tinySource(), quiet);
    // Extended, killed before anything was saved, and extended again.
    await expect(
      trainSft(tinyConfig(model, output, { ...constant, steps: 6 }), tinySource(), {
        quiet: true,
        files: fullDiskFor(/model/),
      }),
    ).rejects.toThrow(/disk is full/);
    const { checkpoint } = await trainSft(
      tinyConfig(model, output, { ...constant, steps: 7 }),
      tinySource(),
      quiet,
    );
    expect(
      bytes(checkpoint, 'model.safetensors').equals(bytes(join(whole, 'checkpoint-7'), 'model.safetensors')),
    ).toBe(true);
    expect(timeless(output)).toEqual(timeless(whole));
    expect(JSON.parse(bytes(output, 'run.json').toString())).toMatchObject({
      config: { steps: 7 },
      extended: [
        { after: 5, from: 5, to: 6 },
        { after: 5, from: 5, to: 7 },
      ],
    });
  });

  it('goes on with more steps under the schedule of their new number, exactly', async () => {
    const run = async (name: string, stopped: boolean): Promise<string> => {
      const output = join(scratch, name);
      await trainSft(tinyConfig(model, output, { steps: 4 }), tinySource(), quiet);
      const longer = tinyConfig(model, output, { steps: 8 });
      if (stopped) await trainSft(longer, tinySource(), stopAfter(6));
      await trainSft(longer, tinySource(), quiet);
      return output;
    };
    const [once, twice] = [await run('extended', false), await run('extended-in-pieces', true)];
    expect(bytes(join(once, 'checkpoint-8'), 'model.safetensors')).toEqual(
      bytes(join(twice, 'checkpoint-8'), 'model.safetensors'),
    );
    expect(timeless(twice)).toEqual(timeless(once));
    // The cosine of 4 steps was at its end; that of 8, with 2 of warm-up, is at a half of its way down after 5 steps.
    expect(lines(once)[3].lr).toBeCloseTo(0.01 * 0.5, 12);
    expect(lines(once)[5].lr).toBeCloseTo(0.01 * 0.5, 12);
  });

  it('lets nobody else train in its folder', async () => {
    const config = tinyConfig(model, join(scratch, 'two-at-once'));
    const both = await Promise.allSettled([1, 2].map(() => trainSft(config, tinySource(), quiet)));
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({
      reason: {
        code: 'busy',
        message: expect.stringMatching(/two-at-once is in use by train sft/) as string,
      },
    });
    expect(lines(config.output)).toHaveLength(6);
  });

  it('refuses another configuration in the same folder, and a damaged checkpoint', async () => {
    const output = join(scratch, 'other');
    await trainSft(tinyConfig(model, output, { steps: 2 }), tinySource(), quiet);
    const other = { seed: 3, optimizer: { lr: 0.02, groups: [{ match: '*', lr: 1 }] }, steps: 9 };
    await expect(trainSft(tinyConfig(model, output, other), tinySource(), quiet)).rejects.toThrow(
      /checkpoint-2 was made under another configuration: seed was 0 and is 3; optimizer\.lr was 0\.01 and is 0\.02; optimizer\.groups was not set and is \[.*\]\. Set them back to go on, or give the run another output folder\.$/,
    );
    const same = tinyConfig(model, output, { steps: 2, image_cache_mb: 1, checkpoint: { keep: 1 } });
    expect(await trainSft(same, tinySource(), quiet)).toMatchObject({ step: 2, finished: true });
    writeFileSync(join(output, 'checkpoint-2', 'trainer_state.json'), '{"step": 2');
    await expect(trainSft(same, tinySource(), quiet)).rejects.toThrow(
      /checkpoint-2 is damaged: trainer_state\.json cannot be read .*Remove it to go on from the checkpoint before it/,
    );
    writeFileSync(join(output, 'checkpoint-2', 'trainer_state.json'), '{"step": "2"}');
    await expect(trainSft(same, tinySource(), quiet)).rejects.toThrow(/does not hold a run's state \(step: /);
  });

  it.each([
    [{ model: '/nowhere/at/all' }, /\/nowhere\/at\/all does not exist: give a checkpoint folder/],
    [
      { trainable: ['model.layer.*'] },
      /trainable: no weight's name fits 'model\.layer\.\*'; names look like/,
    ],
    [
      { vision: 'frozen', trainable: ['visual.merger.*'] },
      /'visual\.merger\.\*' fits weights of the vision tower only, which is frozen: set vision: trained/,
    ],
    [
      { optimizer: { lr: 1, groups: [{ match: 'head.*', lr: 1 }] } },
      /optimizer\.groups: no trained weight's name fits 'head\.\*'/,
    ],
    [
      { token_weights: { 'of many tokens': 2 } },
      /token_weights: 'of many tokens' is \d+ tokens of this tokenizer/,
    ],
    [{ max_length: 8 }, /A read sample has \d+ tokens, more than max_length 8/],
  ])('refuses %j', async (settings, message) => {
    const config = tinyConfig(model, join(scratch, 'refused'), settings);
    await expect(trainSft(config, tinySource(), quiet)).rejects.toThrow(message);
  });

  it('names the file that keeps it from writing its folder', async () => {
    writeFileSync(join(scratch, 'a-file'), '');
    const config = tinyConfig(model, join(scratch, 'a-file', 'run'));
    await expect(trainSft(config, tinySource(), quiet)).rejects.toThrow(
      /a-file.* cannot be written; a part of the path/,
    );
  });
});
