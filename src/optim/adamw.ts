import { InternalError } from '../util/errors.js';

/** Settings of one group of parameters (PyTorch `torch.optim.AdamW`). */
export interface AdamWSettings {
  /** Learning rate before the schedule's factor. */
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Decoupled weight decay: each step multiplies the weights by 1 − lr·decay first. */
  readonly weightDecay: number;
}

/** One weight being trained, with its gradient and its two running moments; all of one length. */
export interface OptimizedParameter {
  readonly name: string;
  readonly settings: AdamWSettings;
  readonly data: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** AdamW with parameter groups, equal to PyTorch's up to rounding (Loshchilov & Hutter 2019, algorithm 2). */
export class AdamW {
  constructor(readonly parameters: readonly OptimizedParameter[]) {
    for (const { name, data, gradient } of parameters) {
      if (data.length !== gradient.length) {
        throw new InternalError(`'${name}' has ${data.length} weights and ${gradient.length} gradients`);
      }
    }
  }

  /**
   * Updates every weight in place. `step` counts from 1 over the whole run, `factor` is the schedule's, and
   * `gradientScale` multiplies every gradient first (clipping).
   */
  update(step: number, factor: number, gradientScale = 1): void {
    for (const parameter of this.parameters) updateOne(parameter, step, factor, gradientScale);
  }
}

function updateOne(parameter: OptimizedParameter, step: number, factor: number, scale: number): void {
  const { data, gradient, firstMoment, secondMoment, settings } = parameter;
  const { betas, eps, weightDecay } = settings;
  const lr = settings.lr * factor;
  const [beta1, beta2] = betas;
  const keep = 1 - lr * weightDecay;
  const stepSize = lr / (1 - beta1 ** step);
  const rootCorrection = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < data.length; i++) {
    const g = gradient[i] * scale;
    const m = beta1 * firstMoment[i] + (1 - beta1) * g;
    const v = beta2 * secondMoment[i] + (1 - beta2) * g * g;
    firstMoment[i] = m;
    secondMoment[i] = v;
    data[i] = data[i] * keep - (stepSize * m) / (Math.sqrt(v) / rootCorrection + eps);
  }
}

/** The Euclidean norm of all gradients together. */
export function gradientNorm(gradients: readonly Float32Array[]): number {
  // Four sums at once: of one alone each addition waits for the one before.
  let [a, b, c, d] = [0, 0, 0, 0];
  for (const gradient of gradients) {
    const end = gradient.length - (gradient.length % 4);
    for (let i = 0; i < end; i += 4) {
      a += gradient[i] * gradient[i];
      b += gradient[i + 1] * gradient[i + 1];
      c += gradient[i + 2] * gradient[i + 2];
      d += gradient[i + 3] * gradient[i + 3];
    }
    for (let i = end; i < gradient.length; i++) a += gradient[i] * gradient[i];
  }
  return Math.sqrt(a + b + (c + d));
}

/** The factor that brings a norm down to `maxNorm` (PyTorch `clip_grad_norm_`, which adds 1e-6 below the line). */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
