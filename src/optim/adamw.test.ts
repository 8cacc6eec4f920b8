import { describe, expect, it } from 'vitest';
import { AdamW, clipFactor, gradientNorm, type OptimizedParameter } from './adamw.js';

const BETAS = [0.9, 0.99] as const;

function parameter(values: readonly number[], settings: Partial<OptimizedParameter['settings']> = {}) {
  return {
    name: 'weight',
    settings: { lr: 0.1, betas: BETAS, eps: 1e-8, weightDecay: 0, ...settings },
    data: Float32Array.from(values),
    gradient: new Float32Array(values.length),
    firstMoment: new Float32Array(values.length),
    secondMoment: new Float32Array(values.length),
  } satisfies OptimizedParameter;
}

/** Algorithm 2 of Loshchilov & Hutter 2019, written down for one number in f64. */
function byTheBook(
  start: number,
  gradients: readonly number[],
  { lr, decay, eps, factors }: { lr: number; decay: number; eps: number; factors: readonly number[] },
): number {
  let [theta, m, v] = [start, 0, 0];
  gradients.forEach((g, i) => {
    const t = i + 1;
    m = BETAS[0] * m + (1 - BETAS[0]) * g;
    v = BETAS[1] * v + (1 - BETAS[1]) * g ** 2;
    const mHat = m / (1 - BETAS[0] ** t);
    const vHat = v / (1 - BETAS[1] ** t);
    const rate = lr * factors[i];
    theta = theta - rate * decay * theta - (rate * mHat) / (Math.sqrt(vHat) + eps);
  });
  return theta;
}

describe('AdamW', () => {
  it('follows the paper over several steps, with decay, a schedule and clipping', () => {
    const gradients = [0.5, -1.5, 0.25, 3, -0.1];
    const factors = [0.5, 1, 1, 0.75, 0.1];
    const settings = { lr: 0.05, eps: 1e-3, weightDecay: 0.2 };
    const weight = parameter([0.8, -2], settings);
    const optimizer = new AdamW([weight]);
    gradients.forEach((g, i) => {
      weight.gradient.set([g, -2 * g]);
      optimizer.update(i + 1, factors[i], 0.5);
    });
    const book = (start: number, scale: number): number =>
      byTheBook(
        start,
        gradients.map((g) => g * scale),
        { lr: 0.05, decay: 0.2, eps: 1e-3, factors },
      );
    expect(weight.data[0]).toBeCloseTo(book(0.8, 0.5), 6);
    expect(weight.data[1]).toBeCloseTo(book(-2, -1), 6);
  });

  it('moves by the learning rate in the first step, whatever the size of the gradient', () => {
    const weight = parameter([1, 1, 1]);
    weight.gradient.set([1e-3, -1e3, 5]);
    new AdamW([weight]).update(1, 1);
    expect(Array.from(weight.data, (value) => Number(value.toFixed(4)))).toEqual([0.9, 1.1, 0.9]);
  });

  it('gives each parameter its own settings', () => {
    const fast = parameter([1], { lr: 0.2 });
    const decayed = parameter([1], { lr: 0.1, weightDecay: 0.5 });
    new AdamW([fast, decayed]).update(1, 1);
    // No gradient: only decay moves a weight, by lr · decay.
    expect([fast.data[0], decayed.data[0]]).toEqual([1, Math.fround(0.95)]);
  });

  it('leaves everything as it is at a factor of 0, except the moments', () => {
    const weight = parameter([3], { weightDecay: 0.5 });
    weight.gradient[0] = 2;
    new AdamW([weight]).update(1, 0);
    expect(weight.data[0]).toBe(3);
    expect(weight.firstMoment[0]).toBeCloseTo(0.2, 6);
    expect(weight.secondMoment[0]).toBeCloseTo(0.04, 6);
  });

  it('refuses arrays of different lengths', () => {
    const wrong = { ...parameter([1, 2]), gradient: new Float32Array(3) };
    expect(() => new AdamW([wrong])).toThrow("'weight' has 2 weights and 3 gradients");
  });
});

describe('clipping', () => {
  it('takes the norm over all gradients together', () => {
    expect(gradientNorm([Float32Array.of(3, 0), Float32Array.of(0, -4)])).toBe(5);
    expect(gradientNorm([])).toBe(0);
  });

  it('keeps what f32 could not sum', () => {
    // 1e20² overflows f32; the sum is taken in f64.
    expect(gradientNorm([Float32Array.of(1e20)])).toBeCloseTo(Math.fround(1e20), -14);
  });

  it('scales down to the largest norm and never up', () => {
    expect(clipFactor(4, 1)).toBeCloseTo(0.25, 6);
    expect(clipFactor(4, 1)).toBe(1 / (4 + 1e-6));
    expect(clipFactor(0.5, 1)).toBe(1);
    expect(clipFactor(0, 1)).toBe(1);
  });
});
