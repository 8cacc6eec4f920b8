/** One measuring process of our side: `tsx benchmarks/training/ours.ts JOB.json` prints its result as a JSON line. */
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import * as op from '../../src/graph/ops.js';
import { parseConfig, type Qwen2_5_VLConfig } from '../../src/models/qwen2_5_vl/config.js';
import type { ProcessedImage } from '../../src/models/qwen2_5_vl/image-processing.js';
import { lower } from '../../src/onnx/lower.js';
import { AdamW, clipFactor, gradientNorm } from '../../src/optim/adamw.js';
import { type HostTensor, Session } from '../../src/runtime/session.js';
import { collateExamples, type MicroBatch } from '../../src/training/batches.js';
import type { TrainingExample } from '../../src/training/examples.js';
import { sftGraph } from '../../src/training/sft-graph.js';
import { StepSession } from '../../src/training/step-session.js';
import { optimizedParameters, readWeights } from '../../src/training/weights.js';
import { InternalError } from '../../src/util/errors.js';
import { peakMemory, readJob } from '../shared/child.js';
import { type MatmulJob, matmulJob, type StepJob, type StepResult, stepJob } from './jobs.js';

/** The batch as the trainer has it before collation. */
function readExamples({ batch, answerLength }: StepJob): TrainingExample[] {
  const file = SafetensorsFile.open(batch);
  const [rows, seq] = file.tensors.get('input_ids')?.shape ?? [0, 0];
  const ids = Array.from(file.read('input_ids') as BigInt64Array, Number);
  const images = file.tensors.has('pixel_values') ? readImages(file) : [];
  file.close();
  return Array.from({ length: rows }, (_, row) => ({
    inputIds: ids.slice(row * seq, (row + 1) * seq),
    answerLength,
    images: images.slice(row, row + 1),
    task: 'benchmark',
  }));
}

function readImages(file: SafetensorsFile): ProcessedImage[] {
  const values = file.readFloat32('pixel_values');
  const grids = Array.from(file.read('image_grid_thw') as BigInt64Array, Number);
  const each = values.length / (grids.length / 3);
  return Array.from({ length: grids.length / 3 }, (_, i) => ({
    pixelValues: values.subarray(i * each, (i + 1) * each),
    grid: [grids[3 * i], grids[3 * i + 1], grids[3 * i + 2]] as const,
  }));
}

function collate(job: StepJob, config: Qwen2_5_VLConfig): MicroBatch {
  const examples = readExamples(job);
  return collateExamples(examples, {
    config,
    padId: config.padTokenId ?? 0,
    labelWeight: 1 / (examples.length * job.answerLength),
    images: 'tower',
  });
}

/** The steps of `SftTrainer` on one batch that is ready: gradient buffers, clipping and AdamW included. */
async function measureSteps(job: StepJob): Promise<StepResult> {
  const checkpoint = await Checkpoint.open(job.model);
  const config = parseConfig(checkpoint.config);
  const weights = readWeights(checkpoint, config);
  checkpoint.close();
  const batch = collate(job, config);
  const graph = sftGraph(config, {
    images: batch.images.length > 0 ? 'tower' : 'none',
    padding: 'right',
    paddedSlots: batch.padded,
    pieces: batch.pieces,
    trainable: () => true,
    keptEvery: job.keptEvery,
  });
  const optimized = optimizedParameters(weights, graph.trainable, {
    optimizer: job.optimizer,
    visionLrRatio: 1,
  });
  const byName = new Map(optimized.map((parameter) => [parameter.name, parameter]));
  const optimizer = new AdamW(optimized);
  const session = await StepSession.create(graph, weights, { threads: job.threads });
  const losses: number[] = [];
  const gradNorms: number[] = [];
  const milliseconds: number[] = [];
  for (let step = 1; step <= job.warmup + job.steps; step++) {
    const started = performance.now();
    for (const { gradient } of optimized) gradient.fill(0);
    losses.push((await session.accumulate(batch.feeds, byName)).loss);
    const norm = gradientNorm(optimized.map(({ gradient }) => gradient));
    optimizer.update(step, 1, clipFactor(norm, job.optimizer.maxGradNorm));
    gradNorms.push(norm);
    if (step > job.warmup) milliseconds.push(performance.now() - started);
  }
  await session.dispose();
  return { losses, gradNorms, milliseconds, peakMib: peakMemory() };
}

/** One plain MatMul of ONNX Runtime, its output preallocated: what the machine gives at best. */
async function measureMatmul({ matmul: size, repeats, threads }: MatmulJob): Promise<number[]> {
  const shape = [size, size];
  const matrix = (fill: number): HostTensor => ({
    dtype: 'f32',
    shape,
    data: new Float32Array(size * size).fill(fill),
  });
  const product = op.matmul(op.input('a', 'f32', shape), op.input('b', 'f32', shape));
  const session = await Session.create(lower({ product }, { fuse: 'inference', weights: 'input' }), {
    threads,
  });
  const feeds = { a: matrix(0.5), b: matrix(0.25) };
  const fetches = { product: matrix(0) };
  const milliseconds: number[] = [];
  for (let i = 0; i <= repeats; i++) {
    const started = performance.now();
    await session.run(feeds, fetches);
    // The first run allocates.
    if (i > 0) milliseconds.push(performance.now() - started);
  }
  const expected = size * 0.5 * 0.25;
  if (fetches.product.data[0] !== expected) throw new InternalError(`the product is not ${expected}`);
  await session.dispose();
  return milliseconds;
}

const job = readJob(stepJob.or(matmulJob));
const result = 'matmul' in job ? { milliseconds: await measureMatmul(job) } : await measureSteps(job);
console.log(JSON.stringify(result));
