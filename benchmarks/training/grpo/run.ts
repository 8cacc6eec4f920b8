/**
 * A GRPO step here and in TRL (GRPOTrainer on torch), on the CPU, with the same weights, prompt and completions:
 * `npx tsx benchmarks/training/grpo/run.ts [--python PATH] [--rounds 3] [--steps 3] [--threads N] [--attention sdpa|eager]
 * [--size tiny|large] [--smoke] [--save]`. Prints tables, then one JSON line; exit code 1 if the sides do not learn the same.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseFrom, wholeNumber } from '../../../scripts/script-util.js';
import { defaultThreads } from '../../../src/runtime/device.js';
import { pythonScript, typescript } from '../../shared/child.js';
import { publish, runBenchmark } from '../../shared/benchmark.js';
import { describeMachine, findPython, machineLine, type Python } from '../../shared/machine.js';
import { measureRounds, OURS, type Side } from '../measure.js';
import type { BenchmarkModel } from '../shapes.js';
import { completionsOf, GRPO_SHAPES, type GrpoShape, makeGrpoModel, promptOf, shapeName } from './cases.js';
import { type GrpoJob, grpoResult } from './jobs.js';
import {
  grpoAgreementLine,
  type GrpoCaseFigures,
  grpoFigures,
  growthTable,
  ratioTable,
  sameTable,
  timeTable,
} from './report.js';

/** The paper's, but for a rate that moves fresh weights. */
const OPTIMIZER: GrpoJob['optimizer'] = {
  lr: 1e-5,
  betas: [0.9, 0.95],
  eps: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

/** The paper's weight of the reference, so that there is something to score. */
const BETA = 0.01;

/** The first step allocates, and pages weights and libraries in. */
const WARMUP_STEPS = 1;

const SIZES = ['tiny', 'large'] as const;

/** Shows that all runs end to end; its numbers mean nothing. */
const SMOKE_SHAPE: GrpoShape = { size: 'tiny', promptTokens: 64, newTokens: 8, generations: 4 };

function sidesOf(python: Python | undefined, attention: string): Side[] {
  const ours = new URL('ours.ts', import.meta.url);
  const trl = new URL('trl_step.py', import.meta.url);
  return [
    { ...OURS, command: (job) => typescript(ours, job) },
    ...(python === undefined
      ? []
      : [
          {
            name: `TRL, torch ${attention}`,
            command: (job: string) => pythonScript(python.command, trl, job, attention),
          },
        ]),
  ];
}

async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      python: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      steps: { type: 'string', default: '3' },
      threads: { type: 'string', default: String(defaultThreads()) },
      attention: { type: 'string', default: 'sdpa' },
      /** The cases of one model size alone; all if absent. */
      size: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  const rounds = wholeNumber('--rounds', values.rounds, 1);
  const steps = wholeNumber('--steps', values.steps, 1);
  const threads = wholeNumber('--threads', values.threads, 1);
  const attention = chooseFrom('--attention', values.attention, ['sdpa', 'eager']);
  const only = values.size === undefined ? SIZES : [chooseFrom('--size', values.size, SIZES)];
  const shapes = values.smoke ? [SMOKE_SHAPE] : GRPO_SHAPES.filter(({ size }) => only.includes(size));
  const python = findPython(values.python, ['torch', 'transformers', 'trl']);
  const machine = describeMachine(python);
  const models = new Map<string, BenchmarkModel>();
  const cases: GrpoCaseFigures[] = [];
  for (const shape of shapes) {
    const model = models.get(shape.size) ?? (await makeGrpoModel(shape.size, join(folder, shape.size)));
    models.set(shape.size, model);
    const job: GrpoJob = {
      model: model.folder,
      ...(await promptOf(model.folder, shape.promptTokens)),
      ...completionsOf(shape),
      beta: BETA,
      warmup: WARMUP_STEPS,
      steps,
      threads,
      optimizer: OPTIMIZER,
    };
    const results = measureRounds(sidesOf(python, attention), job, grpoResult, {
      rounds,
      folder,
      onRun: (run) => console.error(`${shapeName(shape)}: ${run}`),
    });
    cases.push(grpoFigures(model, shape, results));
  }
  const markdown = [
    '# A GRPO step: safeguard-vl and TRL',
    `${machineLine(machine)}; ${threads} threads, ${rounds} rounds of ${steps} steps after ${WARMUP_STEPS}, f32, fresh processes in alternating order. One prompt a step; loss grpo, β ${BETA}; the language model is trained. Milliseconds.`,
    timeTable(cases),
    'How a step grows, relative to the first line:',
    growthTable(cases),
    ...(python === undefined
      ? ['No Python with TRL was there: nothing is compared.']
      : [
          'How many times as fast ours is (step and phases; memory: ours / theirs):',
          ratioTable(cases),
          sameTable(cases),
          grpoAgreementLine(cases),
        ]),
  ].join('\n\n');
  publish({
    name: 'grpo',
    markdown,
    figures: { machine, threads, rounds, steps, attention, cases },
    save: values.save,
    agree: cases.every(({ agree }) => agree),
  });
}

await runBenchmark(main);
