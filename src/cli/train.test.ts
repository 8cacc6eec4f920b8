import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { completion, grpoLine, sftLine, writeRun } from '../training/runs/synthetic-run.test-util.js';
import { createProgram, run } from './program.js';
import { registerTrain } from './train.js';

/** Runs `safeguard train …` and gives its exit code, what it printed and its error. */
async function train(...argv: string[]): Promise<{ code: number | undefined; out: string; err: string }> {
  let out = '';
  let err = '';
  const writes = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    }),
    // Where commander writes of a wrong argument.
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += String(text);
      return true;
    }),
  ];
  try {
    const program = createProgram([registerTrain]);
    const code = await run(['train', ...argv], { program, err: (text) => (err += text) });
    return { code, out, err };
  } finally {
    for (const write of writes) write.mockRestore();
  }
}

const grpoRun = (): Promise<string> =>
  writeRun(join(scratchFolder(), 'run'), {
    metrics: [1, 2, 3].map((step) => grpoLine(step, { clipped_ratio: 0.5 })),
    completions: [1, 2, 3].map((step) => completion(step, step, { completion: 'hidden\u001b[2J words' })),
    description: { method: 'grpo', config: { model: 'models/x', steps: 3 } },
  });

describe('safeguard train inspect', () => {
  it('says where the run is, how it does and what is doubtful', async () => {
    const { code, out } = await train('inspect', await grpoRun());
    expect(code).toBeUndefined();
    expect(out).toMatch(/step 3 of 3, finished\n15s of training, the last step written \d{4}-/);
    expect(out).toContain('no checkpoint yet');
    expect(out).toMatch(/mean reward +0\.525 \(1\) +0\.575 \(3\) +0\.575 \(3\) +weighted sum\n/);
    expect(out).toContain(
      'doubtful: truncated  50 % of the completions are cut off: raise max_completion_length',
    );
    const sft = await writeRun(join(scratchFolder(), 'sft'), {
      metrics: [1, 2, 3].map((step) => sftLine(step)),
    });
    expect((await train('inspect', sft)).out).toMatch(
      /step 3, under way or interrupted.*nothing doubtful found/s,
    );
  });

  it('prints the same as JSON', async () => {
    const folder = await grpoRun();
    const { out } = await train('inspect', folder, '--json');
    expect(JSON.parse(out)).toMatchObject({
      folder,
      method: 'grpo',
      status: 'finished',
      step: 3,
      best: null,
      warnings: [{ name: 'truncated' }],
    });
    const { out: one } = await train('inspect', folder, '--step', '2', '--json');
    expect(JSON.parse(one)).toMatchObject({ completions: [{ step: 2, prompt_index: 2, reward: 1.2 }] });
  });

  it('shows completions with their rewards, without what a terminal would obey', async () => {
    const { out } = await train('inspect', await grpoRun(), '--step', '2', '--prompt', '2');
    expect(out).toMatch(/step 2 {2}prompt 2 {2}gold unsafe\n.*\n {2}No weapons\.\n/);
    expect(out).toContain(
      '1. read unsafe  reward 1.200 (label 1.000, readable 1.000, quote –)  advantage 0.500',
    );
    expect(out).toContain('hidden[2J words');
  });

  it.each([
    [['inspect', '/nowhere'], /^error: \/nowhere is no folder: give the output folder of a training run\.$/],
    [['inspect', 'RUN', '--step', '9'], /^error: No completions of step 9 are kept: .* steps 1–3\.$/],
    [['inspect', 'RUN', '--step', 'last'], /It must be a whole number/],
    [['report', '/nowhere'], /^error: \/nowhere is no folder/],
    [
      ['report', 'RUN', '--output', '/nowhere/r.html'],
      /^error: .*cannot be written; the folder does not exist/,
    ],
  ])('%j ends with 2 and one sentence', async (argv, message) => {
    const folder = await grpoRun();
    const { code, err } = await train(...argv.map((word) => (word === 'RUN' ? folder : word)));
    expect(code).toBe(2);
    expect(err.trim()).toMatch(message);
  });
});

it('safeguard train report writes one page and says where', async () => {
  const folder = await grpoRun();
  expect((await train('report', folder)).out).toBe(`${join(folder, 'report.html')}\n`);
  const elsewhere = join(scratchFolder(), 'page.html');
  expect((await train('report', folder, '--output', elsewhere)).out).toBe(`${elsewhere}\n`);
  expect(existsSync(elsewhere)).toBe(true);
});
