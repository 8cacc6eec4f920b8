/** @module The real command line, killed at any moment: what it leaves goes on to the same bytes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { noise, sharedFolder, tinySource, writeTinyModel } from '../src/training/tiny-model.test-util.js';
import { Random } from '../src/util/random.js';

const STEPS = 24;
/** Whoever waits for a process that never gets there must fail at last. */
const PATIENCE_MS = 20 * 60_000;

const scratch = sharedFolder();
let model = '';
let data = '';

beforeAll(async () => {
  model = await writeTinyModel(scratch);
  data = join(scratch, 'data.jsonl');
  const rows: string[] = [];
  for (let i = 0; i < 12; i++) {
    const { prompt, answer, task, images } = await tinySource().sample(i);
    const names = images.map((_, k) => `${i}-${k}.png`);
    for (const name of names) {
      const { width, height, data: pixels } = noise(56, 28 * (1 + (i % 3)), i);
      await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(join(scratch, name));
    }
    rows.push(JSON.stringify({ prompt, answer, task, images: names }));
  }
  writeFileSync(data, rows.join('\n'));
});

/** Writes a configuration and gives its path and the run's folder. */
function configure(name: string, settings: Record<string, unknown> = {}): { config: string; output: string } {
  const output = join(scratch, name);
  const config = `${output}.yaml`;
  const common = {
    model,
    output,
    steps: STEPS,
    batch_size: 4,
    micro_batch_size: 2,
    vision: 'trained',
    threads: 1,
    optimizer: { lr: 0.01 },
    schedule: { kind: 'cosine', warmup_steps: 4 },
    data: { source: 'jsonl', file: data },
    checkpoint: { every_steps: 1, keep: 2 },
  };
  writeFileSync(config, stringify({ ...common, ...settings }));
  return { config, output };
}

interface Run {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Exit code or signal. */
  readonly ended: Promise<number | string | null>;
}

function train(config: string, method: 'sft' | 'grpo' = 'sft'): Run {
  const argv = ['--import', 'tsx', 'src/cli/main.ts', 'train', method, '--config', config];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<number | string | null>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  return { child, stderr: () => text, ended };
}

/** Shows what the process said where it ended otherwise. */
async function expectEnd(run: Run, end: number | string): Promise<void> {
  const ended = await run.ended;
  expect({ ended, stderr: run.stderr() }).toMatchObject({ ended: end });
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !condition(); ) {
    if (performance.now() > end) throw new Error('waited in vain');
    await pause(2);
  }
}

const metricsLines = (output: string): string[] => {
  const path = join(output, 'metrics.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
};

/** Metrics as they are on the disk, but for the two that tell the time. */
const timeless = (output: string): string[] =>
  metricsLines(output).map((line) =>
    line.replace(/"seconds":(?:[^,{]+|\{[^}]+\}),"tokens_per_second":[^,]+,/, ''),
  );

/** Ends the process the moment something of that name appears in its folder. */
async function killAt(run: Run, output: string, name: RegExp): Promise<void> {
  mkdirSync(output, { recursive: true });
  const watcher = watch(output, { recursive: false }, (_, file) => {
    if (file !== null && name.test(file)) run.child.kill('SIGKILL');
  });
  await run.ended;
  watcher.close();
}

/** Ends the process some milliseconds after that many steps are done. */
async function killAfter(run: Run, output: string, steps: number, milliseconds: number): Promise<void> {
  await until(() => metricsLines(output).length >= steps || run.child.exitCode !== null);
  await pause(milliseconds);
  run.child.kill('SIGKILL');
}

describe('safeguard train sft', () => {
  it('killed at random moments, also while it saves, ends in the same bytes as without', async () => {
    const whole = configure('whole');
    expect(await train(whole.config).ended).toBe(0);

    const { config, output } = configure('killed');
    const random = new Random('kill');
    const kills: ((run: Run) => Promise<void>)[] = [
      (run) => killAt(run, output, /^\.building-3\.partial$/),
      (run) => killAfter(run, output, 6, random.int(0, 60)),
      (run) => killAt(run, output, /^building-1\d$/),
      (run) => killAt(run, output, /^removing-1\d$/),
    ];
    for (const kill of kills) {
      const run = train(config);
      await kill(run);
      await expectEnd(run, 'SIGKILL');
    }
    const last = train(config);
    await expectEnd(last, 0);
    expect(last.stderr()).toMatch(/going on after step \d+ from .*checkpoint-\d+/);

    for (const file of ['model.safetensors', 'optimizer.safetensors', 'config.json', 'tokenizer.json']) {
      const [own, expected] = [output, whole.output].map((folder) =>
        readFileSync(join(folder, `checkpoint-${STEPS}`, file)),
      );
      expect({ file, same: own.equals(expected) }).toEqual({ file, same: true });
    }
    expect(timeless(output)).toEqual(timeless(whole.output));
    expect(metricsLines(output)).toHaveLength(STEPS);
    expect(readdirSync(output).sort()).toEqual(readdirSync(whole.output).sort());
  });

  it('saves on Ctrl-C, says how to go on, and ends at once on the second', async () => {
    // A first step of many seconds, into which both signals fall.
    const { config, output } = configure('stopped', { batch_size: 4000, steps: 2 });
    const run = train(config);
    await until(() => existsSync(output) || run.child.exitCode !== null);
    run.child.kill('SIGINT');
    await until(() => run.stderr().includes('stopping after this step') || run.child.exitCode !== null);
    run.child.kill('SIGINT');
    await expectEnd(run, 'SIGINT');
    expect(readdirSync(output).filter((name) => name.startsWith('checkpoint'))).toEqual([]);

    const quick = configure('stopped-once', { checkpoint: { every_steps: 1000, keep: 1 }, steps: 4000 });
    const once = train(quick.config);
    await until(() => metricsLines(quick.output).length > 2 || once.child.exitCode !== null);
    once.child.kill('SIGINT');
    await expectEnd(once, 130);
    const done = metricsLines(quick.output).length;
    expect(once.stderr()).toContain(`stopped after step ${done} of 4000, saved in`);
    expect(once.stderr()).toContain('give the same command again to go on');
    expect(readdirSync(quick.output).sort()).toEqual([`checkpoint-${done}`, 'metrics.jsonl', 'run.json']);
  });

  it('says in one sentence what is wrong with a configuration, a model or the data', async () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ learning_rate: 1 }, /^error: .*not valid: there is no setting 'learning_rate'\.\n$/],
      [{ model: join(scratch, 'gone') }, /^error: .*gone does not exist: give a checkpoint folder[^\n]*\n$/],
      [
        { data: { source: 'jsonl', file: join(scratch, 'no.jsonl') } },
        /^error: Cannot read the training data .*no\.jsonl[^\n]*\n$/,
      ],
    ];
    for (const [settings, message] of cases) {
      const run = train(configure('wrong', settings).config);
      expect(await run.ended).toBe(2);
      expect(run.stderr()).toMatch(message);
    }
  });
});

describe('safeguard train grpo', () => {
  /** Pictures of the SFT data under policies; completions of an untrained model differ in their lengths alone. */
  function configureGrpo(name: string): { config: string; output: string } {
    const output = join(scratch, name);
    const prompts = join(scratch, 'prompts.jsonl');
    const rows = [1, 3, 5, 7, 9, 11].map((i) =>
      JSON.stringify({ prompt: `No cats on mat ${i}.`, images: [`${i}-0.png`], solution: 'safe' }),
    );
    writeFileSync(prompts, rows.join('\n'));
    const settings = {
      model,
      output,
      steps: 8,
      prompts_per_step: 2,
      num_generations: 6,
      max_completion_length: 64,
      max_truncated_steps: 100,
      max_steps_without_signal: 100,
      mask_truncated_completions: false,
      rewards: { length: 1 },
      optimizer: { lr: 0.003 },
      threads: 1,
      data: { source: 'jsonl', file: prompts, held_out: 2 },
      evaluation: { every_steps: 3, prompts: 2 },
      checkpoint: { every_steps: 1, keep: 2 },
    };
    writeFileSync(`${output}.yaml`, stringify(settings));
    return { config: `${output}.yaml`, output };
  }

  it('killed in rollout, update and save, ends in the same bytes as without', async () => {
    const whole = configureGrpo('grpo-whole');
    await expectEnd(train(whole.config, 'grpo'), 0);
    const updated = metricsLines(whole.output).filter((line) => !line.includes('"grad_norm":0,'));
    expect(updated.length).toBeGreaterThan(1);

    const { config, output } = configureGrpo('grpo-killed');
    const random = new Random('kill grpo');
    const kills: ((run: Run) => Promise<void>)[] = [
      (run) => killAt(run, output, /^building-2$/),
      ...[3, 4, 5].map((steps) => (run: Run) => killAfter(run, output, steps, random.int(0, 250))),
      (run) => killAt(run, output, /^removing-\d$/),
    ];
    for (const kill of kills) {
      const run = train(config, 'grpo');
      await kill(run);
      await expectEnd(run, 'SIGKILL');
    }
    const last = train(config, 'grpo');
    await expectEnd(last, 0);
    expect(last.stderr()).toMatch(/going on after step \d+ from .*checkpoint-\d+/);
    for (const file of [
      'checkpoint-8/model.safetensors',
      'checkpoint-8/optimizer.safetensors',
      'completions.jsonl',
      'held_out.jsonl',
    ]) {
      const [own, expected] = [output, whole.output].map((folder) => readFileSync(join(folder, file)));
      expect({ file, same: own.equals(expected) }).toEqual({ file, same: true });
    }
    expect(timeless(output)).toEqual(timeless(whole.output));
    expect(readdirSync(output).sort()).toEqual(readdirSync(whole.output).sort());
  });
});
