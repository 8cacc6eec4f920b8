/** @module grpo/: TRL's losses and their gradients on given log-probabilities, and through a model. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { flatName } from '../../src/checkpoint/names.js';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import { gradients } from '../../src/graph/gradients.js';
import type { Tensor } from '../../src/graph/node.js';
import * as op from '../../src/graph/ops.js';
import { parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { gradientNorm } from '../../src/optim/adamw.js';
import { evaluate } from '../../src/runtime/evaluate.js';
import type { HostTensor } from '../../src/runtime/session.js';
import { grpoLoss, type LossSettings, tokenWeights } from '../../src/training/grpo/loss.js';
import { LOSS_TYPES, RATIO_LEVELS } from '../../src/training/grpo/loss-types.js';
import {
  packGroups,
  type PackableGroup,
  perToken,
  segmentFeeds,
  tokenValues,
  unpacked,
} from '../../src/training/grpo/pack.js';
import { policyGraph } from '../../src/training/grpo/policy-graph.js';
import { StepSession } from '../../src/training/step-session.js';
import { optimizedParameters, readWeights } from '../../src/training/weights.js';
import { GoldenCase } from './case.js';
import { compareFloats, guarded } from './compare.js';
import type { GoldenCheck, GoldenLine } from './types.js';

const lossSchema = z.array(
  z.object({
    key: z.string(),
    loss_type: z.enum(LOSS_TYPES),
    beta: z.number(),
    importance_sampling_level: z.enum(RATIO_LEVELS),
    on_policy: z.boolean(),
    epsilon: z.tuple([z.number(), z.number()]),
    max_completion_length: z.number(),
    loss: z.number(),
  }),
);

const modelSchema = z.object({
  checkpoint: z.string(),
  variants: z.array(
    z.object({
      loss_type: z.enum(LOSS_TYPES),
      beta: z.number(),
      temperature: z.number(),
      num_generations: z.int(),
      max_completion_length: z.number(),
      loss: z.number(),
      grad_norm: z.number(),
    }),
  ),
});

export const check: GoldenCheck = {
  name: 'grpo',
  async *run(dir) {
    const folder = join(dir, 'grpo');
    if (existsSync(join(folder, 'loss.json'))) {
      yield* guarded({ path: 'grpo/loss.json' }, () => lossLines(folder));
    }
    if (existsSync(join(folder, 'model.json'))) {
      yield* guarded({ path: 'grpo/model.json' }, () => modelLines(dir, folder));
    }
  },
};

/** Rows of a [rows, length] tensor, each as long as its mask says. */
function ragged(values: Float32Array, mask: BigInt64Array, rows: number): number[][] {
  const length = values.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    Array.from(values.subarray(row * length, (row + 1) * length)).filter(
      (_, i) => mask[row * length + i] !== 0n,
    ),
  );
}

/** The same values back in their places, 0 where the mask is. */
function filledUp(values: ArrayLike<number>, mask: BigInt64Array): Float32Array {
  let next = 0;
  return Float32Array.from(mask, (one) => (one === 0n ? 0 : values[next++]));
}

async function* lossLines(folder: string): AsyncIterable<GoldenLine> {
  const file = SafetensorsFile.open(join(folder, 'loss.safetensors'));
  const mask = file.read('mask') as BigInt64Array;
  const advantages = Array.from(file.readFloat32('advantages'));
  const rows = advantages.length;
  const read = (name: string): number[][] => ragged(file.readFloat32(name), mask, rows);
  const [logps, old, ref] = ['logps', 'old_logps', 'ref_logps'].map(read);
  const lengths = logps.map(({ length }) => length);
  for (const golden of lossSchema.parse(JSON.parse(readFileSync(join(folder, 'loss.json'), 'utf8')))) {
    const settings: LossSettings = {
      ...golden,
      epsilon: golden.epsilon[0],
      epsilon_high: golden.epsilon[1],
    };
    const completions = lengths.map((length) => ({ length, masked: false }));
    const weights = tokenWeights(completions, completions, 1, golden);
    const isSequence = golden.importance_sampling_level === 'sequence';
    const feeds: Record<string, HostTensor> = {
      logps: tokenValues(logps),
      old: tokenValues(golden.on_policy ? logps : old),
      ...(golden.beta === 0 ? {} : { ref: tokenValues(ref) }),
      advantages: perToken(advantages, lengths),
      weights: perToken(weights, lengths),
      ...(isSequence ? segmentFeeds(lengths) : {}),
    };
    const fed = (name: string): Tensor | undefined =>
      name in feeds ? op.input(name, feeds[name].dtype, feeds[name].shape) : undefined;
    const need = (name: string): Tensor => op.input(name, 'f32', feeds[name].shape);
    const logProbs = need('logps');
    const { loss } = grpoLoss(
      {
        logProbs,
        oldLogProbs: need('old'),
        refLogProbs: fed('ref'),
        advantages: need('advantages'),
        weights: need('weights'),
        completionOf: fed('completion_of'),
        segmentMean: fed('segment_mean'),
      },
      settings,
    );
    const [gradient] = gradients(loss, [logProbs]);
    const results = await evaluate({ loss, gradient }, feeds);
    const path = 'grpo/loss.safetensors';
    yield compareFloats({ path: 'grpo/loss.json', part: golden.key }, results.loss.data as Float32Array, [
      golden.loss,
    ]);
    const derived = filledUp(results.gradient.data as Float32Array, mask);
    yield compareFloats(
      { path, part: `grad.${golden.key}` },
      derived,
      file.readFloat32(`grad.${golden.key}`),
    );
  }
  file.close();
}

/** Log-probabilities, loss and gradients of two groups, packed and not. */
async function* modelLines(dir: string, folder: string): AsyncIterable<GoldenLine> {
  const { checkpoint: name, variants } = modelSchema.parse(
    JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')),
  );
  const checkpoint = await Checkpoint.open(join(dir, name));
  const config = parseConfig(checkpoint.config);
  const weights = readWeights(checkpoint, config);
  const file = SafetensorsFile.open(join(folder, 'model.safetensors'));
  const mask = file.read('completion_mask') as BigInt64Array;
  const rows = file.readFloat32('advantages').length;
  const read = (tensor: string): number[][] => ragged(file.readFloat32(tensor), mask, rows);
  const ids = ragged(Float32Array.from(file.read('completion_ids') as BigInt64Array, Number), mask, rows);
  const { rows: prompts } = new GoldenCase(promptsOf(file), config);
  const advantages = Array.from(file.readFloat32('advantages'));
  for (const [index, variant] of variants.entries()) {
    const groups = prompts.map((prompt, i) => ({
      prompt,
      completions: ids.slice(i * variant.num_generations, (i + 1) * variant.num_generations),
    }));
    const settings: LossSettings = { ...variant, importance_sampling_level: 'token', epsilon: 0.2 };
    const graph = policyGraph(config, {
      images: 'tower',
      paddedSlots: true,
      temperature: variant.temperature,
      update: { loss: settings, isOffPolicy: false, trainable: () => true },
    });
    const session = await StepSession.create(graph, weights);
    const optimized = optimizedParameters(weights, graph.trainable, {
      optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 },
      visionLrRatio: 1,
    });
    const byName = new Map(optimized.map((parameter) => [parameter.name, parameter]));
    const losses: number[] = [];
    const forms: readonly (readonly [string, readonly PackableGroup[]])[] = [
      ['unpacked', unpacked(groups)],
      ['packed', groups],
    ];
    for (const [form, packable] of forms) {
      for (const { gradient } of optimized) gradient.fill(0);
      const { feeds, lengths } = packGroups(packable, { config, padId: 0, images: 'tower' });
      const completions = lengths.map((length) => ({ length, masked: false }));
      const result = await session.accumulate(
        {
          ...feeds,
          advantages: perToken(advantages, lengths),
          token_weights: perToken(tokenWeights(completions, completions, 1, variant), lengths),
          ref_log_probs: tokenValues(read('ref_logps')),
        },
        byName,
      );
      losses.push(result.loss);
      const path = 'grpo/model.safetensors';
      const at = `${variant.loss_type}.${form}`;
      if (index === 0) {
        const golden = filledUp(read('logps').flat(), mask);
        yield compareFloats({ path, part: `${form}.logps` }, filledUp(result.logProbs, mask), golden);
      }
      yield compareFloats({ path: 'grpo/model.json', part: `${at}.loss` }, [result.loss], [variant.loss]);
      const norm = gradientNorm(optimized.map(({ gradient }) => gradient));
      yield compareFloats({ path: 'grpo/model.json', part: `${at}.grad_norm` }, [norm], [variant.grad_norm]);
      for (const tensor of file.tensors.keys()) {
        const prefix = `grad.${variant.loss_type}.`;
        if (!tensor.startsWith(prefix)) continue;
        const own = byName.get(flatName(tensor.slice(prefix.length)))?.gradient ?? new Float32Array(0);
        yield compareFloats({ path, part: `${form}.${tensor}` }, own, file.readFloat32(tensor));
      }
    }
    await session.dispose();
  }
  file.close();
  checkpoint.close();
}

/** The prompts under the names that `GoldenCase` knows. */
function promptsOf(file: SafetensorsFile): SafetensorsFile {
  const names: Readonly<Record<string, string>> = { input_ids: 'prompt_ids', attention_mask: 'prompt_mask' };
  const named = (name: string): string => names[name] ?? name;
  return {
    tensors: {
      has: (name: string) => file.tensors.has(named(name)),
      get: (name: string) => file.tensors.get(named(name)),
    },
    read: (name: string) => file.read(named(name)),
    readFloat32: (name: string) => file.readFloat32(named(name)),
  } as SafetensorsFile;
}
