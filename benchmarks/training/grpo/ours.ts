/** One measuring process of our side: `tsx benchmarks/training/grpo/ours.ts JOB.json` prints its result as a JSON line. */
import { profileFrom } from '../../../src/guard/profiles/index.js';
import { parseGrpoConfig } from '../../../src/training/grpo/config.js';
import { GrpoTrainer } from '../../../src/training/grpo/grpo-trainer.js';
import type { PromptSource } from '../../../src/training/grpo/prompts.js';
import { RewardTable } from '../../../src/training/rewards/table.js';
import { InternalError } from '../../../src/util/errors.js';
import { peakMemory, readJob } from '../../shared/child.js';
import { type GrpoJob, grpoJob, type GrpoResult, type Phases } from './jobs.js';

async function trainerOf(job: GrpoJob): Promise<GrpoTrainer> {
  const { lr, betas, eps, weightDecay, maxGradNorm } = job.optimizer;
  const config = parseGrpoConfig({
    preset: 'paper-exact',
    model: job.model,
    output: 'unused',
    steps: job.warmup + job.steps,
    prompts_per_step: 1,
    num_generations: job.completions.length,
    max_completion_length: job.completions[0].length,
    // The sampler is the same on both sides, and its warpers are not what is compared.
    top_p: 1,
    top_k: 0,
    beta: job.beta,
    rewards: { given: 1 },
    optimizer: { lr, betas, eps, weight_decay: weightDecay, max_grad_norm: maxGradNorm },
    schedule: { kind: 'constant' },
    data: { source: 'jsonl', file: 'unused' },
    threads: job.threads,
    ...(job.keptEvery === undefined ? {} : { gradient_checkpointing: job.keptEvery }),
  });
  const source: PromptSource = {
    prompt: (index) =>
      Promise.resolve({
        index,
        images: [],
        prompt: job.prompt,
        sample: { label: 'safe', statements: [], decisive: [], categories: [], pair: null },
        kind: 'benchmark',
      }),
    heldOut: () => Promise.resolve([]),
  };
  const profile = await profileFrom('paper');
  const rewards = new RewardTable({
    weights: config.rewards,
    profile,
    maxCompletionLength: config.max_completion_length,
    functions: { given: () => [...job.rewards] },
  });
  return GrpoTrainer.create(config, { source, rewards, profile });
}

/** The steps of `GrpoRun`: completions are sampled in earnest, then those of the job take their place. */
async function measure(job: GrpoJob): Promise<GrpoResult> {
  const trainer = await trainerOf(job);
  const result = { losses: [] as number[], gradNorms: [] as number[], entropies: [] as number[] };
  const sampled: number[] = [];
  const measured: Phases[] = [];
  for (let step = 0; step < job.warmup + job.steps; step++) {
    const started = performance.now();
    const { learned } = await trainer.gather(step, step);
    const gathered = performance.now();
    const [{ encoded, completions }] = learned;
    if (encoded.inputIds.join() !== job.promptIds.join())
      throw new InternalError('the prompt is not that of the job');
    const same = completions.map((completion, i) => ({
      ...completion,
      tokens: job.completions[i],
      logProbs: job.completions[i].map(() => 0),
    }));
    const { loss, gradNorm, sums } = await trainer.update([{ ...learned[0], completions: same }], step);
    const ended = performance.now();
    result.losses.push(loss);
    result.gradNorms.push(gradNorm);
    result.entropies.push(sums.entropy / sums.tokens);
    if (step < job.warmup) continue;
    const scoring = 1000 * sums.scoringSeconds;
    sampled.push(completions.reduce((sum, { tokens }) => sum + tokens.length, 0));
    measured.push({ rollout: gathered - started, scoring, update: ended - gathered - scoring });
  }
  await trainer.dispose();
  return { ...result, sampled, measured, peakMib: peakMemory() };
}

console.log(JSON.stringify(await measure(readJob(grpoJob))));
