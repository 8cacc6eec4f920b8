/**
 * The largest resident memory of a training process with all values kept and with gradient checkpointing:
 * `npx tsx benchmarks/training/memory.ts [--threads N] [--smoke] [--save]`. Prints a table, then one JSON line; exit
 * code 1 if checkpointing changes any loss, gradient norm or entropy by a single bit. Speed is not measured.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { wholeNumber } from '../../scripts/script-util.js';
import { defaultThreads } from '../../src/runtime/device.js';
import { runProcess, typescript } from '../shared/child.js';
import { publish, runBenchmark } from '../shared/benchmark.js';
import { describeMachine, machineLine } from '../shared/machine.js';
import { table } from '../shared/report.js';
import { completionsOf, type GrpoShape, makeGrpoModel, promptOf, shapeName } from './grpo/cases.js';
import { type GrpoJob, grpoResult } from './grpo/jobs.js';
import { OPTIMIZER, type StepJob, stepResult } from './jobs.js';
import { ANSWER_TOKENS, type BatchShape, makeModel, writeBatch } from './shapes.js';

interface SftCase {
  readonly size: GrpoShape['size'];
  readonly shape: BatchShape;
}

const text = (rows: number, textTokens: number): BatchShape => ({
  name: `text ${rows}×${textTokens}`,
  rows,
  textTokens,
  images: false,
});

const SFT_CASES: readonly SftCase[] = [
  { size: 'tiny', shape: text(16, 352) },
  { size: 'tiny', shape: { name: 'image+text 16×(25+200)', rows: 16, textTokens: 200, images: true } },
  { size: 'large', shape: text(16, 224) },
  { size: 'large', shape: text(4, 1024) },
];

/** Shows that all runs end to end. */
const SMOKE_CASE: SftCase = { size: 'tiny', shape: text(2, 80) };

const GRPO_CASES: readonly GrpoShape[] = (['tiny', 'large'] as const).map((size) => ({
  size,
  promptTokens: 1200,
  newTokens: 100,
  generations: 8,
}));

/** Layers between two kept states; undefined keeps everything. */
const SETTINGS = [undefined, 1, 2] as const;

/** Everything that a checkpointed step must give bit for bit. */
interface Numbers {
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  readonly entropies?: readonly number[];
}

interface MemoryFigures {
  readonly name: string;
  /** By setting, in their order. */
  readonly peakMib: readonly number[];
  readonly isSame: boolean;
}

/** The second step shows what the allocator does with what the first has freed. */
const STEPS = { warmup: 0, steps: 2, optimizer: OPTIMIZER } as const;

/** Runs a case once under each setting. */
function figuresOf(
  name: string,
  run: (keptEvery: number | undefined) => Numbers & { readonly peakMib: number },
): MemoryFigures {
  const results = SETTINGS.map((keptEvery) => {
    const result = run(keptEvery);
    const setting = keptEvery === undefined ? 'all kept' : `a state every ${keptEvery}`;
    console.error(`${name}: ${setting}: ${result.peakMib} MiB`);
    return result;
  });
  const numbers = results.map(({ losses, gradNorms, entropies }) =>
    JSON.stringify({ losses, gradNorms, entropies }),
  );
  return {
    name,
    peakMib: results.map(({ peakMib }) => peakMib),
    isSame: numbers.every((one) => one === numbers[0]),
  };
}

/** One process of our side. */
function runOnce<Result>(
  file: string,
  job: StepJob | GrpoJob,
  schema: z.ZodType<Result>,
  folder: string,
): Result {
  const path = join(folder, 'job.json');
  writeFileSync(path, JSON.stringify(job));
  return runProcess(typescript(new URL(file, import.meta.url), path), schema);
}

async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: String(defaultThreads()) },
      smoke: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  const threads = wholeNumber('--threads', values.threads, 1);
  const machine = describeMachine(undefined);
  const figures: MemoryFigures[] = [];
  for (const { size, shape } of values.smoke ? [SMOKE_CASE] : SFT_CASES) {
    const model = await makeModel(size, join(folder, `sft-${size}`));
    const batch = join(folder, 'batch.safetensors');
    await writeBatch(batch, model.config, shape);
    const job: StepJob = { model: model.folder, batch, answerLength: ANSWER_TOKENS, threads, ...STEPS };
    const name = `SFT, ${size}, ${shape.name}`;
    figures.push(
      figuresOf(name, (keptEvery) => runOnce('ours.ts', { ...job, keptEvery }, stepResult, folder)),
    );
  }
  for (const shape of values.smoke ? [] : GRPO_CASES) {
    const model = await makeGrpoModel(shape.size, join(folder, `grpo-${shape.size}`));
    const prompt = await promptOf(model.folder, shape.promptTokens);
    const job: GrpoJob = {
      model: model.folder,
      ...prompt,
      ...completionsOf(shape),
      beta: 0,
      threads,
      ...STEPS,
    };
    const name = `GRPO, ${shapeName(shape)}`;
    figures.push(
      figuresOf(name, (keptEvery) => runOnce('grpo/ours.ts', { ...job, keptEvery }, grpoResult, folder)),
    );
  }
  const rows = figures.map(({ name, peakMib: [all, one, two], isSame }) => [
    name,
    ...[all, one, two].map(String),
    (one / all).toFixed(2),
    isSame ? 'yes' : 'NO',
  ]);
  const markdown = [
    '# Peak memory with gradient checkpointing',
    `${machineLine(machine)}; ${threads} threads, one fresh process for each number, ${STEPS.steps} steps, f32. Largest resident set in MiB, with Node, ONNX Runtime, weights, gradients and moments.`,
    table(['step', 'all kept', 'every layer', 'every 2 layers', 'every layer / all', 'same bits'], rows),
  ].join('\n\n');
  publish({
    name: 'memory',
    markdown,
    figures: { machine, threads, figures },
    save: values.save,
    agree: figures.every(({ isSame }) => isSame),
  });
}

await runBenchmark(main);
