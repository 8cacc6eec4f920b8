import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../checkpoint/files.test-util.js';
import { curvesOf } from './curves.js';
import { completionsAt, inspectRun } from './inspection.js';
import { openRun } from './run-log.js';
import { formatValue, summaries, thinned } from './series.js';
import { completion, grpoLine, sftLine, type SyntheticRun, writeRun } from './synthetic-run.test-util.js';

const steps = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const config = { model: 'models/x', steps: 20, evaluation: { patience: 2 } };
const state = {
  step: 12,
  samples: 1,
  seconds: 60,
  config: 'x',
  grpo: {
    updates: 12,
    silent_steps: 0,
    truncated_steps: 0,
    start: 0.5,
    best: { step: 6, macro_f1: 0.7, reward: 1.1 },
    evaluations_since_best: 1,
  },
};

async function runWith(run: SyntheticRun, saved?: object): Promise<string> {
  const folder = await writeRun(join(scratchFolder(), 'run'), run);
  if (saved !== undefined) {
    mkdirSync(join(folder, 'checkpoint-12'));
    writeFileSync(join(folder, 'checkpoint-12', 'trainer_state.json'), JSON.stringify(saved));
  }
  return folder;
}

describe('a run on the disk', () => {
  it('is read with its last and best values, and with the start from its held-out answers', async () => {
    const held = { reward: 1, macro_f1: 0.7, confusion: grpoLine(1).confusion };
    const folder = await runWith(
      {
        metrics: steps(12).map((step) => grpoLine(step, step === 6 ? { held_out: held } : {})),
        heldOut: [
          completion(0, 0, { reward: 0.2, read: 'safe' }),
          completion(0, 1, { reward: 1.2 }),
          completion(6, 0),
        ],
        description: { method: 'grpo', config },
      },
      state,
    );
    const run = await openRun(folder);
    expect(run.heldOut.map(({ step, reward }) => [step, reward])).toEqual([
      [0, 0.7],
      [6, 1],
    ]);
    // One unsafe of two is found, and no safe picture was asked about.
    expect(run.heldOut[0].macro_f1).toBeCloseTo((2 * 1) / 3 / 2, 12);
    const inspection = inspectRun(run);
    expect(inspection).toMatchObject({
      method: 'grpo',
      status: 'under way',
      step: 12,
      steps: 20,
      seconds: 60,
      checkpoints: ['checkpoint-12'],
      best: { step: 6, by: 'macro_f1', evaluations_since: 1, patience: 2 },
      warnings: [],
    });
    const reward = inspection.measures.find(({ name }) => name === 'mean reward');
    expect(reward).toMatchObject({ first: { step: 1 }, last: { step: 12 }, best: { step: 12 } });
    expect(inspection.measures.map(({ name }) => name)).toContain('kl');
  });

  it('is over when all steps are done, and when patience is used up', async () => {
    const description = { method: 'grpo', config };
    const metrics = steps(20).map((step) => grpoLine(step));
    expect(inspectRun(await openRun(await runWith({ metrics, description }))).status).toBe('finished');
    const out = { ...state, grpo: { ...state.grpo, evaluations_since_best: 2 } };
    const stopped = await runWith({ metrics: metrics.slice(0, 12), description }, out);
    expect(inspectRun(await openRun(stopped)).status).toBe('no longer better');
  });

  it('is read without run.json, and while its last line is being written', async () => {
    const folder = await runWith({ metrics: steps(3).map((step) => sftLine(step)) });
    appendFileSync(join(folder, 'metrics.jsonl'), '{"step": 4, "lo');
    const run = await openRun(folder);
    expect(run).toMatchObject({ method: 'sft', steps: null, config: null, state: null });
    expect(run.metrics).toHaveLength(3);
    const loss = summaries(curvesOf(run)).find(({ name }) => name === 'loss');
    expect(loss).toMatchObject({ first: { value: 2 }, best: { step: 3 }, unit: 'nats a token' });
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    ['nothing', (folder) => writeFileSync(join(folder, 'metrics.jsonl'), ''), /has no step yet: wait/],
    [
      'another file',
      (folder) => writeFileSync(join(folder, 'metrics.jsonl'), '{"step": 1, "reward": "high"}\n'),
      /metrics\.jsonl, line 1, was not written by this version's training: loss: .* Remove the line/,
    ],
    [
      'no JSON',
      (folder) => appendFileSync(join(folder, 'metrics.jsonl'), 'no JSON\n'),
      /line 2, was not .*it is not JSON/,
    ],
    [
      'a wrong run.json',
      (folder) => writeFileSync(join(folder, 'run.json'), '{"method": "dpo"}'),
      /run\.json does not describe a run \(method: /,
    ],
  ])('is refused where it holds %s', async (_, damage, message) => {
    const folder = await runWith({ metrics: [sftLine(1)] });
    damage(folder);
    await expect(openRun(folder)).rejects.toThrow(message);
  });

  it('is told from other folders', async () => {
    const empty = scratchFolder();
    await expect(openRun(join(empty, 'gone'))).rejects.toThrow(/gone is no folder: give the output folder/);
    await expect(openRun(empty)).rejects.toThrow(/has no metrics\.jsonl: give the output folder/);
    writeFileSync(join(empty, 'run.json'), JSON.stringify({ method: 'sft', config }));
    await expect(openRun(empty)).rejects.toThrow(/has no step yet/);
  });
});

describe('completions of a run', () => {
  it('are found by step and prompt', async () => {
    const folder = await runWith({
      metrics: steps(3).map((step) => grpoLine(step)),
      completions: [1, 3].flatMap((step) =>
        [0, 1, 5].flatMap((index) => [0, 1].map((place) => completion(step, index, { place }))),
      ),
      heldOut: [completion(0, 7), completion(2, 7)],
    });
    // Half a line, as a kill leaves it.
    appendFileSync(join(folder, 'completions.jsonl'), '{"step": 3, "prompt_ind');
    const run = await openRun(folder);
    const found = await completionsAt(run, { step: 3, prompt: 5 });
    expect(found).toMatchObject([{ step: 3, promptIndex: 5, completions: [{ place: 0 }, { place: 1 }] }]);
    expect(await completionsAt(run, { step: 1 })).toHaveLength(3);
    expect((await completionsAt(run, { prompt: 7, heldOut: true })).map(({ step }) => step)).toEqual([0, 2]);
    await expect(completionsAt(run, { step: 2 })).rejects.toThrow(
      'No completions of step 2 are kept: there are those of the steps 1, 3.',
    );
    await expect(completionsAt(run, { step: 3, prompt: 2 })).rejects.toThrow(
      'No completions of prompt 2 of step 3 are kept: there are those of the prompts 0–1, 5.',
    );
    appendFileSync(join(folder, 'completions.jsonl'), 'ex": 1}\n{"step": 4}\n');
    await expect(completionsAt(run, { step: 9 })).rejects.toThrow(/line 13, is no completion/);
  });

  it('are not kept by supervised fine-tuning, nor always by GRPO', async () => {
    const sft = await openRun(await runWith({ metrics: [sftLine(1)] }));
    await expect(completionsAt(sft, { step: 1 })).rejects.toThrow(/samples no completions: leave --step/);
    const grpo = await openRun(await runWith({ metrics: [grpoLine(1)] }));
    await expect(completionsAt(grpo, { step: 1 })).rejects.toThrow(/keeps no completions/);
  });
});

const counts = (safe: number, unsafe: number): { safe: number; unsafe: number; invalid: number } => ({
  safe,
  unsafe,
  invalid: 0,
});

describe('warnings', () => {
  const heldOut = (macro: number) => ({
    held_out: { reward: 1, macro_f1: macro, confusion: grpoLine(1).confusion },
  });
  const found = async (run: SyntheticRun): Promise<string[]> =>
    inspectRun(await openRun(await runWith(run))).warnings.map(({ name }) => name);

  it('are none for a run that is well', async () => {
    expect(await found({ metrics: steps(30).map((step) => grpoLine(step)) })).toEqual([]);
    expect(await found({ metrics: steps(30).map((step) => sftLine(step)) })).toEqual([]);
    expect(await found({ metrics: [grpoLine(1)] })).toEqual([]);
    expect(await found({ metrics: [sftLine(1)] })).toEqual([]);
  });

  it.each<[string, (step: number) => Parameters<typeof grpoLine>[1]]>([
    ['zero-spread', () => ({ frac_reward_zero_std: 0.6 })],
    ['truncated', () => ({ clipped_ratio: 0.2 })],
    ['unreadable', () => ({ invalid_ratio: 0.2 })],
    ['always-unsafe', () => ({ confusion: { safe: counts(0, 50), unsafe: counts(1, 49) } })],
    ['always-safe', () => ({ confusion: { safe: counts(50, 0), unsafe: counts(49, 1) } })],
    [
      'format-without-accuracy',
      (step) => ({
        safe_accuracy: 0.5,
        unsafe_accuracy: 0.5,
        rewards: { label: { mean: 0.5, std: 0.5 }, readable: { mean: step / 30, std: 0.2 } },
      }),
    ],
    [
      'reward-of-nobody',
      () => ({ rewards: { label: { mean: 0.5, std: 0.5 }, quote: null, category: null } }),
    ],
    ['entropy-gone', (step) => ({ entropy: step > 10 ? 0.001 : 0.5 })],
  ])('name %s', async (name, more) => {
    expect(await found({ metrics: steps(30).map((step) => grpoLine(step, more(step))) })).toEqual([name]);
  });

  it('name the rewards that applied to nobody, whose curves have no points', async () => {
    const metrics = steps(30).map((step) =>
      grpoLine(step, {
        rewards: {
          label: { mean: 0.5, std: 0.5 },
          quote: null,
          toString: step > 20 ? null : { mean: 1, std: 0 },
        },
      }),
    );
    const { warnings, measures } = inspectRun(await openRun(await runWith({ metrics })));
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^quote and toString applied to no completion: .*leave it out of rewards$/),
    ]);
    const rewards = measures.filter(({ curve }) => curve === 'Reward by function');
    expect(rewards).toMatchObject([
      { name: 'label', last: { step: 30, value: 0.5 } },
      { name: 'toString', last: { step: 20, value: 1 } },
    ]);
  });

  it('say nothing of one answer for all where one label is all there is', async () => {
    const confusion = { safe: counts(0, 0), unsafe: counts(0, 50) };
    expect(await found({ metrics: steps(9).map((step) => grpoLine(step, { confusion })) })).toEqual([]);
  });

  it('name a run that is never better than its start, and only that', async () => {
    const start = [completion(0, 0), completion(0, 1, { label: 'safe', read: 'safe' })];
    const metrics = (later: number) => steps(3).map((step) => grpoLine(step, heldOut(later)));
    expect(await found({ metrics: metrics(0.9), heldOut: start })).toEqual(['no-better-than-start']);
    expect(await found({ metrics: metrics(0.9).slice(0, 2), heldOut: start })).toEqual([]);
    const weak = [completion(0, 0, { read: 'safe' }), completion(0, 1)];
    expect(await found({ metrics: metrics(0.9), heldOut: weak })).toEqual([]);
  });

  it('name a held-out loss that rises while the loss falls', async () => {
    const held = [1, 0.8, 0.7, 0.75];
    const metrics = (losses: readonly number[]) =>
      steps(40).map((step) =>
        sftLine(
          step,
          step % 10 === 0 ? { eval_loss: losses[step / 10 - 1], eval_loss_by_task: { a: 1 } } : {},
        ),
      );
    const { warnings, measures } = inspectRun(await openRun(await runWith({ metrics: metrics(held) })));
    expect(warnings).toEqual([
      {
        name: 'overfitting',
        message: expect.stringMatching(
          /rose from 0\.700 after step 30 to 0\.750: .* nearest to step 30/,
        ) as string,
      },
    ]);
    expect(measures.find(({ name }) => name === 'held-out loss')).toMatchObject({
      curve: 'Loss',
      last: { step: 40, value: 0.75 },
      best: { step: 30 },
    });
    expect(await found({ metrics: metrics([1, 0.8, 0.7, 0.701]) })).toEqual([]);
    expect(await found({ metrics: metrics([1, 2]) })).toEqual([]);
  });

  it('name a loss that does not fall and gradients that grow', async () => {
    const lines = (more: (step: number) => Parameters<typeof sftLine>[1]) =>
      steps(9).map((step) => sftLine(step, more(step)));
    expect(await found({ metrics: lines((step) => ({ loss: step })) })).toEqual(['loss-not-falling']);
    expect(await found({ metrics: lines((step) => ({ grad_norm: 3 ** step })) })).toEqual([
      'gradients-grown',
    ]);
  });
});

describe('numbers over steps', () => {
  it('are thinned to means of neighbours', () => {
    const points = steps(1000).map((step) => ({ step, value: step, low: 0, high: 2 * step }));
    const few = thinned(points, 10);
    expect(few).toHaveLength(10);
    expect(few[0]).toEqual({ step: 100, value: 50.5, low: 0, high: 101 });
    expect(few[9].step).toBe(1000);
    expect(thinned(points.slice(0, 5), 10)).toEqual(points.slice(0, 5));
  });

  it.each([
    [0, '0'],
    [0.12345, '0.123'],
    [-0.5, '-0.500'],
    [12.34, '12.3'],
    [1234.5, '1,235'],
    [0.00001, '1.00e-5'],
    [2.5e7, '2.50e+7'],
  ])('%d is written %s', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});
