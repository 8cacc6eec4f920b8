/** @module The weights of a run in memory: one f32 array each, updated in place and fed to the graphs without copies. */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { expectedTensors, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import type { AdamWSettings, OptimizedParameter } from '../optim/adamw.js';
import type { HostTensor } from '../runtime/session.js';
import { Random } from '../util/random.js';

/** Weights by their flat names, as the graphs take them. */
export type ModelWeights = ReadonlyMap<string, HostTensor & { readonly data: Float32Array }>;

/** Every weight of the model read from a checkpoint as f32. */
export function readWeights(checkpoint: Checkpoint, config: Qwen2_5_VLConfig): ModelWeights {
  return new Map(
    [...expectedTensors(config)].map(([name, shape]) => [
      name,
      { dtype: 'f32', shape: [...shape], data: checkpoint.readFloat32(name) },
    ]),
  );
}

/**
 * Fresh weights: norms 1, biases 0, everything else normal with the config's initializer range
 * (transformers:modeling_utils.py, `_init_weights`).
 */
export function initialWeights(config: Qwen2_5_VLConfig, seed: number): ModelWeights {
  return new Map(
    [...expectedTensors(config)].map(([name, shape]) => {
      const random = new Random(`${seed}/init/${name}`);
      const size = shape.reduce((product, dim) => product * dim, 1);
      const value = (): number => {
        if (name.endsWith('.bias')) return 0;
        return shape.length === 1 ? 1 : random.normal() * config.initializerRange;
      };
      return [name, { dtype: 'f32', shape: [...shape], data: Float32Array.from({ length: size }, value) }];
    }),
  );
}

export interface GroupSettings {
  readonly optimizer: AdamWSettings;
  /** Factor on the learning rate of weights under `visual.`. */
  readonly visionLrRatio: number;
}

/** Parameter groups: vectors are not decayed, the vision tower has its own learning rate. */
export function optimizedParameters(
  weights: ModelWeights,
  names: readonly string[],
  { optimizer, visionLrRatio }: GroupSettings,
): OptimizedParameter[] {
  return names.map((name) => {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`no weight '${name}'`);
    const { data, shape } = weight;
    return {
      name,
      data,
      settings: {
        ...optimizer,
        lr: optimizer.lr * (name.startsWith('visual.') ? visionLrRatio : 1),
        weightDecay: shape.length > 1 ? optimizer.weightDecay : 0,
      },
      gradient: new Float32Array(data.length),
      firstMoment: new Float32Array(data.length),
      secondMoment: new Float32Array(data.length),
    };
  });
}
