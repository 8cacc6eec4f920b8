/** @module The command line on a run whose reward is a service that dies: one sentence, and the same bytes once it is back. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { createProgram, run } from '../src/cli/program.js';
import { registerTrain } from '../src/cli/train.js';
import { profileFrom } from '../src/guard/profiles/index.js';
import { encodePng } from '../src/images/png.js';
import type { RewardFunction } from '../src/training/rewards/reward.js';
import { type RewardService, serveRewards } from '../src/training/rewards/service.js';
import { RewardTable } from '../src/training/rewards/table.js';
import { noise, sharedFolder, writeTinyModel } from '../src/training/tiny-model.test-util.js';

const STEPS = 5;
const MAX_TOKENS = 8;

const scratch = sharedFolder();
let model = '';
let prompts = '';
beforeAll(async () => {
  model = await writeTinyModel(scratch);
  prompts = join(scratch, 'prompts.jsonl');
  const rows: string[] = [];
  for (let i = 0; i < 6; i++) {
    writeFileSync(join(scratch, `${i}.png`), await encodePng(noise(56, 28 * (1 + (i % 2)), i)));
    rows.push(JSON.stringify({ prompt: `No cats on mat ${i}.`, images: [`${i}.png`], solution: 'safe' }));
  }
  writeFileSync(prompts, rows.join('\n'));
});

/** How many of a completion's letters are vowels: untrained completions differ in it. */
const vowels = (text: string): number => {
  const letters = text.match(/\p{L}/gu) ?? [];
  return letters.filter((letter) => /[aeiou]/iu.test(letter)).length / Math.max(1, letters.length);
};

let service: RewardService | undefined;
let batches = 0;

/** Serves `vowels`, and takes nothing more once it has answered that many batches. */
async function serve(port: number, dieAfter = Number.POSITIVE_INFINITY): Promise<RewardService> {
  batches = 0;
  const own: RewardFunction = (inputs) => {
    batches++;
    if (batches === dieAfter) void service?.close();
    return inputs.map(({ completion }) => vowels(completion));
  };
  const table = new RewardTable({
    weights: { vowels: 1 },
    profile: await profileFrom('paper'),
    maxCompletionLength: MAX_TOKENS,
    functions: { vowels: own },
  });
  service = await serveRewards({ table, maxCompletionLength: MAX_TOKENS, port });
  return service;
}

afterEach(async () => {
  await service?.close();
  vi.restoreAllMocks();
});

interface Ended {
  readonly code: number | undefined;
  readonly errors: readonly string[];
}
const WELL: Ended = { code: undefined, errors: [] };

/** Runs `safeguard train grpo` with the service at `url`: its exit code and the lines of its error. */
async function train(output: string, url: string): Promise<Ended> {
  const config = `${output}.yaml`;
  const settings = {
    model,
    output,
    steps: STEPS,
    prompts_per_step: 2,
    num_generations: 4,
    max_completion_length: MAX_TOKENS,
    max_truncated_steps: 50,
    max_steps_without_signal: 50,
    mask_truncated_completions: false,
    dynamic_sampling: 1,
    rewards: { vowels: 1 },
    remote_rewards: { vowels: { url, timeout_seconds: 20, retries: 1 } },
    optimizer: { lr: 0.01 },
    threads: 1,
    data: { source: 'jsonl', file: prompts, held_out: 2 },
    evaluation: { every_steps: 2, prompts: 2 },
    checkpoint: { every_steps: 2, keep: STEPS },
  };
  writeFileSync(config, stringify(settings));
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const errors: string[] = [];
  const program = createProgram([registerTrain]);
  const code = await run(['train', 'grpo', '--config', config], {
    program,
    err: (line) => errors.push(line),
  });
  return { code, errors };
}

const linesOf = (output: string, file: string): string[] => {
  const path = join(output, file);
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
};

/** Metrics as they are on the disk, but for what tells the time. */
const timeless = (output: string): string[] =>
  linesOf(output, 'metrics.jsonl').map((line) =>
    line.replace(/"seconds":(?:[^,{]+|\{[^}]+\}),"tokens_per_second":[^,]+,/u, ''),
  );

const checkpoints = (output: string): string[] =>
  existsSync(output) ? readdirSync(output).filter((name) => name.startsWith('checkpoint-')) : [];

/** Files of weights and moments, which tell no time. */
const TENSORS = ['model.safetensors', 'optimizer.safetensors'];

function expectSameBytes(output: string, whole: string, files: readonly string[]): void {
  for (const file of files) {
    const [own, expected] = [output, whole].map((folder) => readFileSync(join(folder, file)));
    expect({ file, same: own.equals(expected) }).toEqual({ file, same: true });
  }
}

describe('a run whose reward service dies', () => {
  let whole = '';
  let url = '';
  let all = 0;
  let uninterrupted: Ended | undefined;
  beforeAll(async () => {
    whole = join(scratch, 'whole');
    url = (await serve(0)).url;
    uninterrupted = await train(whole, url);
    await service?.close();
    all = batches;
  });

  it.each([
    { name: 'before its first batch', share: 0, least: 0 },
    { name: 'half-way', share: 0.5, least: 1 },
    { name: 'before its last batch', share: 1, least: STEPS - 1 },
  ])('ends with one sentence and goes on to the same bytes: $name', async ({ name: when, share, least }) => {
    const port = Number(new URL(url).port);
    const output = join(scratch, when.replaceAll(' ', '-'));
    const answered = Math.floor((all - 1) * share);
    expect(uninterrupted).toEqual(WELL);
    batches = 0;
    if (answered > 0) await serve(port, answered);

    const { code, errors } = await train(output, url);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(
      new RegExp(
        `^error: The reward 'vowels' failed: ${url}/rewards does not answer after 2 tries \\(connect ECONNREFUSED [^)]+\\): ` +
          'start the service, then give the same command again to go on from the last checkpoint\\.$',
        'u',
      ),
    );
    expect(code).toBe(2);
    expect(batches).toBe(answered);

    // All that was written before stays as it would be without the death.
    const done = linesOf(output, 'metrics.jsonl').length;
    expect(done).toBeGreaterThanOrEqual(least);
    expect(checkpoints(output)).toHaveLength(Math.floor(done / 2));
    const saved = checkpoints(output).flatMap((name) => TENSORS.map((file) => `${name}/${file}`));
    expectSameBytes(output, whole, saved);
    expect(timeless(output)).toEqual(timeless(whole).slice(0, done));
    for (const file of ['completions.jsonl', 'held_out.jsonl']) {
      const lines = linesOf(output, file);
      expect(lines).toEqual(linesOf(whole, file).slice(0, lines.length));
    }

    await serve(port);
    expect(await train(output, url)).toEqual(WELL);
    const last = TENSORS.map((file) => `checkpoint-${STEPS}/${file}`);
    expectSameBytes(output, whole, [
      ...last,
      'best/model.safetensors',
      'completions.jsonl',
      'held_out.jsonl',
    ]);
    expect(timeless(output)).toEqual(timeless(whole));
    expect(readdirSync(output).sort()).toEqual(readdirSync(whole).sort());
  });
});
