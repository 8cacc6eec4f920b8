/**
 * An SFT step here, in TRL and in torch alone (transformers), on the CPU, with the same weights and the same batch:
 * `npx tsx benchmarks/training/run.ts [--python PATH] [--rounds 5] [--steps 5] [--threads N] [--model FOLDER] [--save]`.
 * Prints tables, then one JSON line; exit code 1 if the sides do not compute the same loss and gradient norm.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { wholeNumber } from '../../scripts/script-util.js';
import { defaultThreads } from '../../src/runtime/device.js';
import { publish, runBenchmark } from '../shared/benchmark.js';
import { describeMachine, findPython, machineLine } from '../shared/machine.js';
import { formatSpread, median, spread } from '../shared/report.js';
import { OPTIMIZER, type StepJob, stepResult } from './jobs.js';
import { measureMatmul, measureRounds, OURS, type Progress, torchSides, trlSides } from './measure.js';
import { agreementLine, type CaseFigures, caseFigures, flopLines, sameTable, speedTable } from './report.js';
import {
  ANSWER_TOKENS,
  type BatchShape,
  type BenchmarkModel,
  LARGE_SHAPES,
  makeModel,
  openModel,
  SHAPES,
  writeBatch,
} from './shapes.js';

/** Large enough to be bound by arithmetic, small enough to take 0.1 s. */
const MATMUL_SIZE = 2048;
const MATMUL_REPEATS = 10;

/** The first steps allocate, and page weights and libraries in. */
const WARMUP_STEPS = 2;

type Case = readonly [BenchmarkModel, BatchShape];

async function cases(model: string | undefined, folder: string): Promise<Case[]> {
  if (model !== undefined) {
    const opened = await openModel('given', resolve(model));
    return SHAPES.map((shape) => [opened, shape]);
  }
  const tiny = await makeModel('tiny', join(folder, 'tiny'));
  const large = await makeModel('large', join(folder, 'large'));
  return [
    ...SHAPES.map((shape): Case => [tiny, shape]),
    ...LARGE_SHAPES.map((shape): Case => [large, shape]),
  ];
}

async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      python: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '5' },
      threads: { type: 'string', default: String(defaultThreads()) },
      model: { type: 'string' },
      save: { type: 'boolean', default: false },
    },
  });
  const rounds = wholeNumber('--rounds', values.rounds, 1);
  const steps = wholeNumber('--steps', values.steps, 1);
  const threads = wholeNumber('--threads', values.threads, 1);
  const python = findPython(values.python, ['torch', 'transformers', 'trl']);
  const machine = describeMachine(python);
  const torch = torchSides(python);
  const progress = (what: string): Progress => ({
    rounds,
    folder,
    onRun: (run) => console.error(`${what}: ${run}`),
  });

  // A product has no attention: torch needs one side.
  const products = (): Map<string, number[]> =>
    measureMatmul(
      [OURS, ...torch.slice(0, 1)],
      { matmul: MATMUL_SIZE, repeats: MATMUL_REPEATS, threads },
      progress('matmul'),
    );
  const before = products();

  const measured: ((peak: number) => CaseFigures)[] = [];
  for (const [model, shape] of await cases(values.model, folder)) {
    const batchFile = join(folder, 'batch.safetensors');
    const batch = await writeBatch(batchFile, model.config, shape);
    const job: StepJob = {
      model: model.folder,
      batch: batchFile,
      answerLength: ANSWER_TOKENS,
      warmup: WARMUP_STEPS,
      steps,
      threads,
      optimizer: OPTIMIZER,
    };
    const results = measureRounds(
      [OURS, ...trlSides(python), ...torch],
      job,
      stepResult,
      progress(`${model.name}, ${shape.name}`),
    );
    measured.push((peak) => caseFigures(model, shape.name, batch, results, peak));
  }
  // Measured at both ends, so that a machine that slows down meanwhile shows in the spread.
  const after = products();
  const peaks = new Map([...before].map(([side, rates]) => [side, [...rates, ...(after.get(side) ?? [])]]));
  const peak = Math.max(...[...peaks.values()].map(median));
  const figures = measured.map((figuresAt) => figuresAt(peak));

  const matmul = [...peaks].map(
    ([side, gflops]) => `${side === OURS.name ? 'ONNX Runtime' : 'torch'} ${formatSpread(spread(gflops), 0)}`,
  );
  const markdown = [
    '# An SFT step: safeguard-vl, TRL and torch',
    `${machineLine(machine)}; ${threads} threads, ${rounds} rounds of ${steps} steps after ${WARMUP_STEPS}, f32, fresh processes in alternating order.`,
    speedTable(figures),
    `Peak: one ${MATMUL_SIZE}³ f32 product, GFLOP/s: ${matmul.join(', ')}; "of peak" is of the higher median, ${peak.toFixed(0)}.`,
    `FLOP counted are 3 × 2·m·n·k of the forward pass's products (flops.ts), for real tokens only:\n\n${flopLines(figures)}`,
    ...(python === undefined
      ? ['No Python with torch and TRL was there: nothing is compared.']
      : [sameTable(figures), agreementLine(figures)]),
  ].join('\n\n');
  publish({
    name: 'training',
    markdown,
    figures: {
      machine,
      threads,
      rounds,
      steps,
      matmulGflops: Object.fromEntries([...peaks].map(([side, gflops]) => [side, spread(gflops)])),
      cases: figures,
    },
    save: values.save,
    agree: figures.every(({ agree }) => agree),
  });
}

await runBenchmark(main);
