/** @module Gradient checkpointing in the training graphs: not one bit differs, and the layers are computed twice. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { beforeAll, describe, expect, it } from 'vitest';
import { reachable, type Tensor } from '../graph/node.js';
import { isLoraName, type LoraSettings } from '../nn/lora.js';
import { lower } from '../onnx/lower.js';
import { InferenceSession } from '../runtime/onnxruntime.js';
import { Random } from '../util/random.js';
import { answerTokens, collateExamples } from './batches.js';
import { encodeSample } from './examples.js';
import { parseGrpoConfig } from './grpo/config.js';
import { trainGrpo } from './grpo/grpo.js';
import { packGroups, type PackableGroup, perToken, tokenValues, unpacked } from './grpo/pack.js';
import { policyGraph } from './grpo/policy-graph.js';
import { FrozenVision } from './image-features.js';
import { loraSettings, withLora } from './lora.js';
import { type ImagePath, type SftGraph, sftGraph } from './sft-graph.js';
import { trainSft } from './sft.js';
import { StepSession } from './step-session.js';
import {
  noise,
  sharedFolder,
  tinyConfig,
  type TinyModel,
  tinyModel,
  tinyPrompts,
  tinySource,
} from './tiny-model.test-util.js';
import { type ModelWeights, optimizedParameters } from './weights.js';

const scratch = sharedFolder();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await tinyModel(scratch);
});

type Feeds = Parameters<StepSession['accumulate']>[0];

/** Loss, log-probabilities and all gradients of one pass, byte by byte. */
async function bytesOf(
  graph: SftGraph,
  weights: ModelWeights,
  feeds: Feeds,
): Promise<Record<string, string>> {
  const session = await StepSession.create(graph, weights, { threads: 1 });
  const optimized = optimizedParameters(weights, graph.trainable, {
    optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 },
    visionLrRatio: 1,
  });
  const { loss, logProbs } = await session.accumulate(
    feeds,
    new Map(optimized.map((one) => [one.name, one])),
  );
  await session.dispose();
  const hex = (data: Float32Array): string =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
  for (const { name, gradient } of optimized) {
    expect({ name, moves: gradient.some((value) => value !== 0) }).toEqual({ name, moves: true });
  }
  return {
    loss: String(loss),
    logProbs: hex(logProbs),
    ...Object.fromEntries(optimized.map(({ name, gradient }) => [name, hex(gradient)])),
  };
}

/** How often an op stands in a graph. */
const countOf = ({ outputs }: SftGraph, name: string): number =>
  reachable(Object.values(outputs) as Tensor[]).filter(({ op }) => op === name).length;

interface SftCase {
  readonly name: string;
  readonly images: ImagePath;
  readonly dropout: number | null;
}

const SFT_CASES: readonly SftCase[] = [
  { name: 'the tower trained', images: 'tower', dropout: null },
  { name: 'the tower frozen', images: 'features', dropout: null },
  { name: 'an adapter', images: 'features', dropout: 0 },
  { name: 'an adapter with dropout', images: 'features', dropout: 0.3 },
];

function adapter(dropout: number): { weights: ModelWeights; lora: LoraSettings } {
  const lora = loraSettings(
    { r: 2, alpha: 4, dropout, rslora: false, target_modules: 'all-linear' },
    tiny.weights,
  );
  const weights = withLora(tiny.weights, lora, 1);
  // B begins at zero, which would leave A without a gradient.
  const random = new Random('b');
  for (const [name, { data }] of weights)
    if (name.includes('lora_B')) data.forEach((_, i) => (data[i] = random.normal()));
  return { weights, lora };
}

describe('an SFT step with gradient checkpointing', () => {
  it.each(SFT_CASES.flatMap((one) => [1, 2].map((every) => ({ ...one, every }))))(
    'has the same bits: $name, every $every',
    async ({ images, dropout, every }) => {
      const { config, processor } = tiny;
      const { weights, lora } =
        dropout === null ? { weights: tiny.weights, lora: undefined } : adapter(dropout);
      const samples = await Promise.all([0, 1, 2, 3].map((i) => tinySource().sample(i)));
      const examples = samples.map((sample) =>
        encodeSample(processor, sample, { maxLength: 200, vocabSize: config.text.vocabSize }),
      );
      const batch = collateExamples(examples, {
        config,
        padId: processor.padId,
        labelWeight: 1 / answerTokens(examples),
        images: images === 'tower' ? 'tower' : 'features',
      });
      const feeds: Feeds = { ...batch.feeds };
      if (images === 'features') {
        const vision = await FrozenVision.create(config, weights, { threads: 1 });
        feeds.features = await vision.features(batch.images);
        await vision.dispose();
      }
      if (dropout !== null && dropout > 0) {
        const random = new Random('rows');
        const { shape } = batch.feeds.input_ids;
        const data = Float32Array.from({ length: shape[0] * shape[1] }, () => random.next());
        feeds.dropout_rows = { dtype: 'f32', shape, data };
      }
      const graphOf = (keptEvery?: number): SftGraph =>
        sftGraph(config, {
          images,
          padding: 'right',
          paddedSlots: batch.padded,
          pieces: batch.pieces,
          trainable: (name) =>
            lora === undefined ? images === 'tower' || !name.startsWith('visual.') : isLoraName(name),
          lora,
          keptEvery,
        });
      const [plain, changed] = [graphOf(), graphOf(every)];
      expect(await bytesOf(changed, weights, feeds)).toEqual(await bytesOf(plain, weights, feeds));
      // Every attention once more: the first layer's pieces, the last layer, and two blocks of the tower where it is trained.
      const again = batch.pieces + 1 + (images === 'tower' ? 2 : 0);
      expect(countOf(changed, 'softmax')).toBe(2 * again);
    },
  );

  it('is not undone by ONNX Runtime', async () => {
    const model = (keptEvery?: number): Uint8Array => {
      const { outputs } = sftGraph(tiny.config, {
        images: 'none',
        padding: 'right',
        paddedSlots: false,
        trainable: () => true,
        keptEvery,
      });
      return lower(outputs, { fuse: 'training', weights: 'input' }).proto;
    };
    const left: number[] = [];
    for (const proto of [model(), model(1)]) {
      const optimized = join(scratch, 'optimized.onnx');
      const session = await InferenceSession.create(proto, {
        optimizedModelFilePath: optimized,
        logSeverityLevel: 3,
      });
      await session.release();
      const { graph } = fromBinary(ModelProtoSchema, readFileSync(optimized));
      left.push(graph?.node.filter(({ opType }) => opType === 'Softmax').length ?? 0);
    }
    expect(left).toEqual([2, 4]);
  });

  it('leaves what nothing is trained below', () => {
    const graph = sftGraph(tiny.config, {
      images: 'none',
      padding: 'right',
      paddedSlots: false,
      trainable: (name) => name.startsWith('model.layers.1.'),
      keptEvery: 1,
    });
    expect(countOf(graph, 'softmax')).toBe(3);
  });
});

describe('a GRPO update with gradient checkpointing', () => {
  function groups(): PackableGroup[] {
    const random = new Random('groups');
    return ['what is in the picture?', 'a red cat on a blue mat'].map((text, seed) => ({
      prompt: tiny.processor.encodeChat([
        {
          role: 'user',
          content: [
            { type: 'image', image: noise(28 * (1 + seed), 56, seed) },
            { type: 'text', text },
          ],
        },
      ]),
      completions: Array.from({ length: 3 }, () =>
        Array.from({ length: random.int(1, 9) }, () => random.int(0, 200)),
      ),
    }));
  }

  it.each(
    [
      { name: 'packed', of: (list: PackableGroup[]) => list, isLora: false },
      { name: 'unpacked', of: unpacked, isLora: false },
      { name: 'packed, an adapter', of: (list: PackableGroup[]) => list, isLora: true },
    ].flatMap((one) => [1, 2].map((every) => ({ ...one, every }))),
  )('has the same bits: $name, every $every', async ({ of, isLora, every }) => {
    const { config } = tiny;
    const { weights, lora } = isLora ? adapter(0) : { weights: tiny.weights, lora: undefined };
    const { feeds, lengths } = packGroups(of(groups()), { config, padId: 0, images: 'tower' });
    const random = new Random('values');
    const perCompletion = lengths.map(() => random.normal());
    const values = (): ReturnType<typeof tokenValues> =>
      tokenValues(lengths.map((length) => Array.from({ length }, () => -5 - random.normal())));
    const all: Feeds = {
      ...feeds,
      advantages: perToken(perCompletion, lengths),
      token_weights: perToken(
        lengths.map((length) => 1 / length),
        lengths,
      ),
      old_log_probs: values(),
      ref_log_probs: values(),
    };
    const graphOf = (keptEvery?: number): SftGraph =>
      policyGraph(config, {
        images: 'tower',
        paddedSlots: true,
        temperature: 0.7,
        lora,
        keptEvery,
        update: {
          loss: { loss_type: 'dapo', importance_sampling_level: 'token', epsilon: 0.2, beta: 0.04 },
          isOffPolicy: true,
          trainable: isLora ? isLoraName : () => true,
        },
      });
    const [plain, changed] = [graphOf(), graphOf(every)];
    expect(await bytesOf(changed, weights, all)).toEqual(await bytesOf(plain, weights, all));
    // Two layers attend within prompts, within completions and to both; nothing of a frozen tower is computed again.
    expect(countOf(changed, 'softmax')).toBe(2 * 2 * 3 + (isLora ? 2 : 4));
  });
});

describe('runs with gradient_checkpointing', () => {
  it('end in the same bytes, and may begin and end without it', async () => {
    const folders: string[] = [];
    for (const settings of [{}, { gradient_checkpointing: true }, { gradient_checkpointing: 2 }]) {
      const config = tinyConfig(tiny.folder, join(scratch, `sft-${folders.length}`), {
        steps: 3,
        ...settings,
      });
      folders.push((await trainSft(config, tinySource(), { quiet: true })).checkpoint);
    }
    const stop = new AbortController();
    const output = join(scratch, 'sft-changed');
    await trainSft(tinyConfig(tiny.folder, output, { steps: 3 }), tinySource(), {
      quiet: true,
      signal: stop.signal,
      onStep: () => stop.abort(),
    });
    const going = tinyConfig(tiny.folder, output, { steps: 3, gradient_checkpointing: true });
    folders.push((await trainSft(going, tinySource(), { quiet: true })).checkpoint);
    const [first, ...others] = folders.map((folder) => readFileSync(join(folder, 'model.safetensors')));
    for (const other of others) expect(other.equals(first)).toBe(true);
  });

  it('end in the same bytes under GRPO', async () => {
    const weights: Buffer[] = [];
    for (const settings of [{}, { gradient_checkpointing: true }]) {
      const config = parseGrpoConfig({
        model: tiny.folder,
        output: join(scratch, `grpo-${weights.length}`),
        steps: 2,
        prompts_per_step: 2,
        num_generations: 4,
        max_completion_length: 6,
        max_truncated_steps: 9,
        mask_truncated_completions: false,
        vision: 'trained',
        rewards: { short: 1 },
        optimizer: { lr: 0.01 },
        data: { source: 'jsonl', file: 'unused' },
        threads: 1,
        ...settings,
      });
      const { checkpoint } = await trainGrpo(config, tinyPrompts, {
        quiet: true,
        rewards: { short: (inputs) => inputs.map(({ completion }) => -completion.length) },
      });
      weights.push(readFileSync(join(checkpoint, 'model.safetensors')));
    }
    expect(weights[1].equals(weights[0])).toBe(true);
  });
});
