/**
 * Greedy generation with a cache, here and in transformers, on the CPU, from the same checkpoint and prompts:
 * `npx tsx benchmarks/generation/run.ts [--python PATH] [--rounds 5] [--tokens 64] [--threads N] [--model FOLDER] [--save]`.
 * Prints a table, then one JSON line.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { wholeNumber } from '../../scripts/script-util.js';
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { tokenRules } from '../../src/generation/model.js';
import { EMBEDDED_MODEL } from '../../src/checkpoint/embedded.js';
import { parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { Processor } from '../../src/models/qwen2_5_vl/processor.js';
import { defaultThreads } from '../../src/runtime/device.js';
import { pythonScript, runProcess, typescript } from '../shared/child.js';
import { publish, runBenchmark } from '../shared/benchmark.js';
import { describeMachine, findPython, machineLine, type Python } from '../shared/machine.js';
import { alternating } from '../shared/report.js';
import { type GenerateJob, type GenerateResult, generateResult } from './jobs.js';
import { judgementPrompts, writePrompts } from './prompts.js';
import { type BatchFigures, batchFigures, generationTable, OURS, TRANSFORMERS } from './report.js';

const BATCHES: readonly number[] = [1, 16, 48];

/** Runs within one process; the median of them counts. */
const REPEATS = 3;

/** The programs to measure by name, each with its job file to come. */
function sides(python: Python | undefined): Map<string, (job: string) => string[]> {
  const found = new Map([[OURS, (job: string) => typescript(new URL('ours.ts', import.meta.url), job)]]);
  if (python !== undefined) {
    const file = new URL('torch_generate.py', import.meta.url);
    found.set(TRANSFORMERS, (job) => pythonScript(python.command, file, job));
  }
  return found;
}

function measure(
  python: Python | undefined,
  job: GenerateJob,
  rounds: number,
  folder: string,
): Map<string, GenerateResult[]> {
  const programs = sides(python);
  const results = new Map<string, GenerateResult[]>([...programs.keys()].map((name) => [name, []]));
  const path = join(folder, 'job.json');
  writeFileSync(path, JSON.stringify(job));
  for (let round = 0; round < rounds; round++) {
    for (const [name, command] of alternating([...programs], round)) {
      console.error(`  round ${round + 1}/${rounds}, ${name}`);
      const env = { OMP_NUM_THREADS: String(job.threads) };
      results.get(name)?.push(runProcess(command(path), generateResult, env));
    }
  }
  return results;
}

async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      python: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      tokens: { type: 'string', default: '64' },
      threads: { type: 'string', default: String(defaultThreads()) },
      model: { type: 'string', default: EMBEDDED_MODEL },
      save: { type: 'boolean', default: false },
    },
  });
  const rounds = wholeNumber('--rounds', values.rounds, 1);
  // The time to the first token is taken away from the time to the last, so there must be two.
  const newTokens = wholeNumber('--tokens', values.tokens, 2);
  const threads = wholeNumber('--threads', values.threads, 1);
  const modelFolder = resolve(values.model);
  const checkpoint = await Checkpoint.open(modelFolder);
  const processor = await Processor.load(modelFolder);
  const { suppressed, pad } = tokenRules(checkpoint, parseConfig(checkpoint.config), processor);
  checkpoint.close();
  const python = findPython(values.python);
  const machine = describeMachine(python);

  const prompts = await judgementPrompts(processor, Math.max(...BATCHES));
  const figures: BatchFigures[] = [];
  for (const batch of BATCHES) {
    console.error(`batch ${batch}`);
    const file = join(folder, 'prompts.safetensors');
    await writePrompts(file, prompts.slice(0, batch), pad);
    const job: GenerateJob = {
      model: modelFolder,
      prompts: file,
      newTokens,
      repeats: REPEATS,
      threads,
      pad,
      suppressed: [...suppressed],
    };
    const promptTokens = prompts.slice(0, batch).reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    figures.push(batchFigures(batch, newTokens, promptTokens, measure(python, job, rounds, folder)));
  }

  const markdown = [
    '# Greedy generation: safeguard-vl and transformers',
    `${machineLine(machine)}; ${threads} threads, ${rounds} rounds of ${REPEATS} runs after one, f32, ${newTokens} new tokens a row, stop tokens off, fresh processes in alternating order.`,
    generationTable(figures),
    '"tokens/s" are new tokens over the whole time, vision tower and prompts included; "decode tokens/s" leave out the time to the first token.',
    ...(python === undefined ? ['No Python with torch was there: nothing is compared.'] : []),
  ].join('\n\n');
  publish({
    name: 'generation',
    markdown,
    figures: { machine, threads, rounds, newTokens, batches: figures },
    save: values.save,
  });
}

await runBenchmark(main);
