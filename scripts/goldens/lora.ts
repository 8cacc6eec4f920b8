/** @module checkpoints/X/lora: loss, gradients and optimizer steps of a PEFT adapter's SFT. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { adapterConfig } from '../../src/checkpoint/adapter-config.js';
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { isJsonObject } from '../../src/checkpoint/json.js';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import { parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { isLoraName } from '../../src/nn/lora.js';
import { AdamW, clipFactor, gradientNorm } from '../../src/optim/adamw.js';
import { flatStored, loraSettings, readAdapterInto, withLora } from '../../src/training/lora.js';
import { sftGraph } from '../../src/training/sft-graph.js';
import { StepSession } from '../../src/training/step-session.js';
import { optimizedParameters, readWeights } from '../../src/training/weights.js';
import { GoldenCase } from './case.js';
import { compareFloats, guarded } from './compare.js';
import { checkpointFolders } from './folders.js';
import type { GoldenCheck, GoldenLine } from './types.js';

const schema = z.object({
  lr: z.number(),
  betas: z.tuple([z.number(), z.number()]),
  weight_decay: z.number(),
  max_grad_norm: z.number(),
  steps: z.array(z.object({ loss: z.number(), grad_norm: z.number() })),
});

export const check: GoldenCheck = {
  name: 'lora',
  async *run(dir) {
    for (const { folder, path } of checkpointFolders(dir)) {
      const lora = join(folder, 'lora');
      if (!existsSync(join(lora, 'sft.json'))) continue;
      yield* guarded({ path: `${path}/lora` }, () => loraLines(folder, lora, `${path}/lora/sft`));
    }
  },
};

async function* loraLines(folder: string, lora: string, path: string): AsyncIterable<GoldenLine> {
  const checkpoint = await Checkpoint.open(folder);
  const config = parseConfig(checkpoint.config);
  const base = readWeights(checkpoint, config);
  checkpoint.close();
  const adapter = join(lora, 'adapter');
  const json: unknown = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8'));
  const { rank, alpha, rankStabilized } = adapterConfig(isJsonObject(json) ? json : {}, adapter);
  const settings = loraSettings(
    { r: rank, alpha, dropout: 0, rslora: rankStabilized, target_modules: 'all-linear' },
    base,
  );
  const weights = withLora(base, settings, 0);
  readAdapterInto(adapter, weights);
  const golden = schema.parse(JSON.parse(readFileSync(join(lora, 'sft.json'), 'utf8')));
  const file = SafetensorsFile.open(join(lora, 'sft.safetensors'));
  const feeds = new GoldenCase(file, config).trainingFeeds();
  const graph = sftGraph(config, {
    images: 'tower',
    padding: 'any',
    paddedSlots: true,
    trainable: isLoraName,
    lora: settings,
  });
  const session = await StepSession.create(graph, weights);
  const { betas, weight_decay: weightDecay } = golden;
  const optimized = optimizedParameters(weights, graph.trainable, {
    optimizer: { lr: 1, betas, eps: 1e-8, weightDecay },
    visionLrRatio: 1,
  });
  const byName = new Map(optimized.map((parameter) => [parameter.name, parameter]));
  const optimizer = new AdamW(optimized);
  for (const [step, expected] of golden.steps.entries()) {
    for (const { gradient } of optimized) gradient.fill(0);
    const { loss } = await session.accumulate(feeds, byName);
    const norm = gradientNorm(optimized.map(({ gradient }) => gradient));
    yield compareFloats({ path: `${path}.json`, part: `step${step}.loss` }, [loss], [expected.loss]);
    yield compareFloats(
      { path: `${path}.json`, part: `step${step}.grad_norm` },
      [norm],
      [expected.grad_norm],
    );
    if (step === 0) {
      for (const { name, own, values } of tensorsOf('grad.', file)) {
        const gradient = byName.get(own)?.gradient ?? new Float32Array(0);
        yield compareFloats({ path: `${path}.safetensors`, part: name }, gradient, values);
      }
    }
    optimizer.update(step + 1, golden.lr, clipFactor(norm, golden.max_grad_norm));
  }
  for (const { name, own, values } of tensorsOf('final.', file)) {
    const data = weights.get(own)?.data ?? new Float32Array(0);
    yield compareFloats({ path: `${path}.safetensors`, part: name }, data, values);
  }
  await session.dispose();
  file.close();
}

/** The stored tensors of a kind, with the names that they have in training. */
function* tensorsOf(
  prefix: string,
  file: SafetensorsFile,
): Iterable<{ name: string; own: string; values: Float32Array }> {
  for (const name of file.tensors.keys()) {
    if (!name.startsWith(prefix)) continue;
    yield { name, own: flatStored(name.slice(prefix.length)), values: file.readFloat32(name) };
  }
}
