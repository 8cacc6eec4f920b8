/** One measuring process of our side: `tsx benchmarks/generation/ours.ts JOB.json` prints its result as a JSON line. */
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { LoadedModel } from '../../src/generation/model.js';
import { parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { Processor } from '../../src/models/qwen2_5_vl/processor.js';
import { peakMemory, readJob } from '../shared/child.js';
import { type GenerateJob, type GenerateResult, generateJob } from './jobs.js';
import { readPrompts } from './prompts.js';

/** Without stop tokens every row has the same number of new tokens, and both sides the same work. */
async function load({ model, suppressed, pad, threads }: GenerateJob): Promise<LoadedModel> {
  const checkpoint = await Checkpoint.open(model);
  const loaded = await LoadedModel.fromWeights(
    parseConfig(checkpoint.config),
    await Processor.load(model),
    { read: (name) => checkpoint.readFloat32(name) },
    { stop: new Set(), suppressed, pad },
    { threads },
  );
  checkpoint.close();
  return loaded;
}

async function measure(job: GenerateJob): Promise<GenerateResult> {
  const model = await load(job);
  const prompts = readPrompts(job.prompts);
  const timed = async (maxNewTokens: number): Promise<{ ms: number; tokens: number[][] }> => {
    const started = performance.now();
    const answers = await model.generate(prompts, { maxNewTokens });
    return { ms: performance.now() - started, tokens: answers.map(({ tokens }) => [...tokens]) };
  };
  const { tokens } = await timed(job.newTokens);
  const firstToken: number[] = [];
  const allTokens: number[] = [];
  for (let i = 0; i < job.repeats; i++) {
    firstToken.push((await timed(1)).ms);
    allTokens.push((await timed(job.newTokens)).ms);
  }
  await model.dispose();
  return { firstToken, allTokens, tokens, peakMib: peakMemory() };
}

console.log(JSON.stringify(await measure(readJob(generateJob))));
