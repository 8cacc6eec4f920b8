/** @module checkpoints/X/training: loss, gradients, three AdamW steps and schedules against PyTorch; sampling against transformers. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { flatName } from '../../src/checkpoint/names.js';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import { type SamplingSettings, warpLogits } from '../../src/generation/sampling.js';
import { parseConfig, type Qwen2_5_VLConfig } from '../../src/models/qwen2_5_vl/config.js';
import { AdamW, clipFactor, gradientNorm } from '../../src/optim/adamw.js';
import { SCHEDULES, scheduleFactor } from '../../src/optim/schedules.js';
import { sftGraph } from '../../src/training/sft-graph.js';
import { StepSession } from '../../src/training/step-session.js';
import { type ModelWeights, optimizedParameters, readWeights } from '../../src/training/weights.js';
import { NaiveModel } from '../../test/support/naive.js';
import { GoldenCase } from './case.js';
import { compareExact, compareFloats, guarded } from './compare.js';
import { checkpointFolders } from './folders.js';
import type { GoldenCheck, GoldenLine } from './types.js';

const adamwSchema = z.object({
  lr: z.number(),
  betas: z.tuple([z.number(), z.number()]),
  eps: z.number(),
  max_grad_norm: z.number(),
  steps: z.array(z.object({ loss: z.number(), grad_norm: z.number(), lr: z.number() })),
});

const scheduleSchema = z.array(
  z.object({ kind: z.enum(SCHEDULES), warmup: z.int(), total: z.int(), factor: z.array(z.number()) }),
);

/** Weight decay of the golden run: "0.1 on parameters of two or more dimensions, else 0" (training/adamw.json). */
const WEIGHT_DECAY = 0.1;

export const check: GoldenCheck = {
  name: 'training',
  async *run(dir) {
    for (const { folder, path } of checkpointFolders(dir)) {
      const training = join(folder, 'training');
      if (!existsSync(training)) continue;
      yield* guarded({ path: `${path}/training` }, () => sftLines(folder, training, `${path}/training`));
      yield* guarded({ path: `${path}/training/schedules.json` }, () =>
        scheduleLines(join(training, 'schedules.json'), `${path}/training/schedules.json`),
      );
    }
    yield* guarded({ path: 'sampling.safetensors' }, () => samplingLines(dir));
  },
};

/** One loss with all gradients, then as many optimizer steps as the golden took, weights and logits at the end. */
async function* sftLines(folder: string, training: string, path: string): AsyncIterable<GoldenLine> {
  const checkpoint = await Checkpoint.open(folder);
  const config = parseConfig(checkpoint.config);
  const weights = readWeights(checkpoint, config);
  const sft = SafetensorsFile.open(join(training, 'sft.safetensors'));
  const golden = new GoldenCase(sft, config);
  const feeds = golden.trainingFeeds();
  const graph = sftGraph(config, {
    images: golden.batch.images.length > 0 ? 'tower' : 'none',
    padding: 'any',
    paddedSlots: true,
    trainable: () => true,
  });
  const session = await StepSession.create(graph, weights);
  const adamwFile = join(training, 'adamw.json');
  const settings = adamwSchema.parse(JSON.parse(readFileSync(adamwFile, 'utf8')));
  const optimized = optimizedParameters(weights, graph.trainable, {
    optimizer: { lr: 1, betas: settings.betas, eps: settings.eps, weightDecay: WEIGHT_DECAY },
    visionLrRatio: 1,
  });
  const byName = new Map(optimized.map((parameter) => [parameter.name, parameter]));
  const optimizer = new AdamW(optimized);
  for (const [step, expected] of settings.steps.entries()) {
    for (const { gradient } of optimized) gradient.fill(0);
    const { loss } = await session.accumulate(feeds, byName);
    const norm = gradientNorm(optimized.map(({ gradient }) => gradient));
    if (step === 0) {
      const file = `${path}/sft.safetensors`;
      yield compareFloats({ path: file, part: 'loss' }, [loss], sft.readFloat32('loss'));
      for (const name of sft.tensors.keys()) {
        if (!name.startsWith('grad.')) continue;
        const gradient = byName.get(flatName(name.slice('grad.'.length)))?.gradient ?? new Float32Array(0);
        yield compareFloats({ path: file, part: name }, gradient, sft.readFloat32(name));
      }
    }
    const file = `${path}/adamw.json`;
    yield compareFloats({ path: file, part: `step${step}.loss` }, [loss], [expected.loss]);
    yield compareFloats({ path: file, part: `step${step}.grad_norm` }, [norm], [expected.grad_norm]);
    // The golden's own learning rate of each step; its schedule has a line of its own.
    optimizer.update(step + 1, expected.lr, clipFactor(norm, settings.max_grad_norm));
  }
  yield* finalLines(join(training, 'adamw.safetensors'), { weights, config, golden }, path);
  await session.dispose();
  sft.close();
  checkpoint.close();
}

/** What the optimizer made of the weights. */
async function* finalLines(
  file: string,
  { weights, config, golden }: { weights: ModelWeights; config: Qwen2_5_VLConfig; golden: GoldenCase },
  path: string,
): AsyncIterable<GoldenLine> {
  if (!existsSync(file)) return;
  const adamw = SafetensorsFile.open(file);
  for (const name of adamw.tensors.keys()) {
    if (name === 'final_logits') continue;
    const data = weights.get(flatName(name))?.data ?? new Float32Array(0);
    yield compareFloats({ path: `${path}/adamw.safetensors`, part: name }, data, adamw.readFloat32(name));
  }
  const naive = new NaiveModel(config, { read: (name) => weights.get(name)?.data ?? new Float32Array(0) });
  const { logits } = await naive.forward(golden.batch);
  const [rows, positions, vocabulary] = adamw.tensors.get('final_logits')?.shape ?? [];
  const perRow = golden.batch.seq * vocabulary;
  const last = Array.from({ length: rows }, (_, row) =>
    Array.from(logits.subarray((row + 1) * perRow - positions * vocabulary, (row + 1) * perRow)),
  );
  yield compareFloats(
    { path: `${path}/adamw.safetensors`, part: 'final_logits' },
    last.flat(),
    adamw.readFloat32('final_logits'),
  );
  await naive.dispose();
  adamw.close();
}

function* scheduleLines(file: string, path: string): Iterable<GoldenLine> {
  if (!existsSync(file)) return;
  const schedules = scheduleSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  for (const { kind, warmup, total, factor } of schedules) {
    const own = factor.map((_, step) =>
      scheduleFactor({ kind, warmupSteps: warmup, totalSteps: total }, step),
    );
    yield compareFloats({ path, part: `${kind}-${warmup}-${total}` }, own, factor);
  }
}

const samplingSchema = z.record(
  z.string(),
  z.object({
    repetition_penalty: z.number().optional(),
    temperature: z.number().optional(),
    top_k: z.number().optional(),
    top_p: z.number().optional(),
    min_p: z.number().optional(),
  }),
);

/** Logits after the warpers: what is removed exactly, what stays within the tolerance. */
function* samplingLines(dir: string): Iterable<GoldenLine> {
  const path = 'sampling.safetensors';
  if (!existsSync(join(dir, path))) return;
  const settings = samplingSchema.parse(JSON.parse(readFileSync(join(dir, 'sampling.json'), 'utf8')));
  const file = SafetensorsFile.open(join(dir, path));
  const [rows, vocabulary] = file.tensors.get('logits')?.shape ?? [];
  const logits = file.readFloat32('logits');
  const ids = file.read('input_ids') as BigInt64Array;
  const length = ids.length / rows;
  for (const [name, values] of Object.entries(settings)) {
    const own: SamplingSettings = {
      repetitionPenalty: values.repetition_penalty,
      temperature: values.temperature,
      topK: values.top_k,
      topP: values.top_p,
      minP: values.min_p,
    };
    const warped = Array.from({ length: rows }, (_, row) => {
      const seen = new Set(Array.from(ids.subarray(row * length, (row + 1) * length), Number));
      return Array.from(warpLogits(logits.subarray(row * vocabulary, (row + 1) * vocabulary), own, seen));
    }).flat();
    const golden = file.readFloat32(`out.${name}`);
    const removed = (values: ArrayLike<number>): boolean[] =>
      Array.from(values, (value) => value === -Infinity);
    yield compareExact({ path, part: `${name}/removed` }, removed(warped), removed(golden));
    yield compareFloats({ path, part: name }, warped, golden);
  }
  file.close();
}
