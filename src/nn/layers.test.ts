import { describe, expect, it } from 'vitest';
import { type Feed, interpret } from '../graph/interpreter.js';
import * as op from '../graph/ops.js';
import { gatedMlp, linear, rmsNorm } from './layers.js';
import { Parameters } from './parameters.js';

const feed = (shape: number[], data: number[]): Feed => ({ shape, data });
const x = op.input('x', 'f32', [1, 2]);

describe('layers', () => {
  it('linear multiplies by the rows of its weight and adds its bias', () => {
    const weights = new Parameters();
    const y = linear(weights, 'proj', x, 3, true);
    expect([...weights.all().keys()]).toEqual(['proj.weight', 'proj.bias']);
    const [value] = interpret([y], {
      x: feed([1, 2], [2, -1]),
      'proj.weight': feed([3, 2], [1, 0, 0, 1, 3, 4]),
      'proj.bias': feed([3], [10, 20, 30]),
    });
    expect(Array.from(value.data)).toEqual([12, 19, 32]);
  });

  it('linear without bias asks for none', () => {
    const weights = new Parameters();
    linear(weights, 'proj', x, 3, false);
    expect([...weights.all().keys()]).toEqual(['proj.weight']);
  });

  it('rmsNorm divides by the root mean square', () => {
    const [value] = interpret([rmsNorm(new Parameters(), 'norm', x, 0.5)], {
      x: feed([1, 2], [3, -4]),
      'norm.weight': feed([2], [1, 2]),
    });
    const root = Math.sqrt((9 + 16) / 2 + 0.5);
    expect(value.data[0]).toBeCloseTo(3 / root, 12);
    expect(value.data[1]).toBeCloseTo(-8 / root, 12);
  });

  it('gatedMlp is down(silu(gate) · up)', () => {
    const [value] = interpret([gatedMlp(new Parameters(), 'mlp', x, 1, false)], {
      x: feed([1, 2], [1, 2]),
      'mlp.gate_proj.weight': feed([1, 2], [0.5, -1]),
      'mlp.up_proj.weight': feed([1, 2], [3, 1]),
      'mlp.down_proj.weight': feed([2, 1], [1, -2]),
    });
    const gate = 0.5 - 2;
    const inner = (gate / (1 + Math.exp(-gate))) * 5;
    expect(value.data[0]).toBeCloseTo(inner, 12);
    expect(value.data[1]).toBeCloseTo(-2 * inner, 12);
  });
});

describe('Parameters', () => {
  it('gives one tensor for one name, so that tied weights have one gradient', () => {
    const weights = new Parameters();
    expect(weights.get('w', [2, 3])).toBe(weights.get('w', [2, 3]));
    expect(weights.all().size).toBe(1);
  });

  it('refuses one name for two shapes', () => {
    const weights = new Parameters();
    weights.get('w', [2, 3]);
    expect(() => weights.get('w', [3, 2])).toThrow("'w' is used as [2, 3] and as [3, 2]");
  });
});
