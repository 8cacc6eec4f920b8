/** @module The weights of a run in memory: one f32 array each, updated in place and fed to the graphs without copies. */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { expectedTensors, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import type { AdamWSettings, OptimizedParameter } from '../optim/adamw.js';
import type { HostTensor } from '../runtime/session.js';
import { assert, UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import type { SftConfig } from './config.js';
import { fits, isVision } from './trainable.js';

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

/** Settings of their own for the weights whose names fit. */
export interface ParameterGroup {
  /** A name with `*` for any characters. */
  readonly match: string;
  readonly lr?: number;
  /** On matrices alone. */
  readonly weightDecay?: number;
}

export interface GroupSettings {
  readonly optimizer: AdamWSettings;
  /** Factor on the learning rate of weights under `visual.` that no group gives one. */
  readonly visionLrRatio: number;
  /** The first that fits counts. */
  readonly groups?: readonly ParameterGroup[];
}

/** The same in a configuration's words. */
export function groupSettings({
  optimizer: { lr, betas, eps, weight_decay: weightDecay, groups },
  vision_lr_ratio: visionLrRatio,
}: Pick<SftConfig, 'optimizer' | 'vision_lr_ratio'>): GroupSettings {
  return {
    optimizer: { lr, betas, eps, weightDecay },
    visionLrRatio,
    groups: groups?.map(({ match, lr: own, weight_decay }) => ({
      match,
      lr: own,
      weightDecay: weight_decay,
    })),
  };
}

/**
 * The weights to train with their settings: vectors (norms, biases) are not decayed, the vision tower has its own
 * learning rate, and `groups` override both rate and decay.
 * @throws UserError for a group that fits no weight.
 */
export function optimizedParameters(
  weights: ModelWeights,
  names: readonly string[],
  { optimizer, visionLrRatio, groups = [] }: GroupSettings,
): OptimizedParameter[] {
  for (const { match } of groups) {
    if (!names.some((name) => fits(match, name)))
      throw new UserError(`optimizer.groups: no trained weight's name fits '${match}'.`);
  }
  return names.map((name) => {
    const weight = weights.get(name);
    assert(weight !== undefined, `the model has no weight '${name}'`);
    const group = groups.find(({ match }) => fits(match, name));
    const { data, shape } = weight;
    return {
      name,
      data,
      settings: {
        ...optimizer,
        lr: group?.lr ?? optimizer.lr * (isVision(name) ? visionLrRatio : 1),
        weightDecay: shape.length > 1 ? (group?.weightDecay ?? optimizer.weightDecay) : 0,
      },
      gradient: new Float32Array(data.length),
      firstMoment: new Float32Array(data.length),
      secondMoment: new Float32Array(data.length),
    };
  });
}
