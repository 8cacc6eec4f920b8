import { describe, expect, it } from 'vitest';
import { interpret } from '../graph/interpreter.js';
import * as op from '../graph/ops.js';
import { inverseFrequencies, mrope, type Rotary, rope2d } from './rotary.js';

const THETA = 10_000;
/** Frequency `i` of a head of `size`, as the paper writes it (Su et al. 2021, arXiv:2104.09864, section 3.2.2). */
const frequency = (i: number, size: number, theta: number): number => theta ** ((-2 * i) / size);

/** cos and sin as the interpreter gives them, and their shapes. */
function valuesOf({ cos, sin }: Rotary, positions: { shape: number[]; data: number[] }) {
  const [c, s] = interpret([cos, sin], { positions });
  return { cos: Array.from(c.data), sin: Array.from(s.data), shape: c.shape };
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i])));
  // Frequencies are rounded to f32, and positions multiply that error.
  expect(worst).toBeLessThan(1e-5);
}

describe('inverseFrequencies', () => {
  it('falls from 1 by equal factors', () => {
    expectClose(
      Array.from(inverseFrequencies(16, 1e6)),
      Array.from({ length: 8 }, (_, i) => frequency(i, 16, 1e6)),
    );
    expect(inverseFrequencies(16, 1e6)[0]).toBe(1);
  });
});

describe('mrope', () => {
  const sections = [2, 3, 3];
  const [batch, seq, headDim] = [2, 3, 16];
  const positions = Array.from({ length: 3 * batch * seq }, (_, i) => (i * 7) % 23);
  const tensor = op.input('positions', 'i64', [3, batch, seq]);

  it('turns each section of the frequencies with its own position', () => {
    const result = valuesOf(mrope(tensor, headDim, THETA, sections), {
      shape: [3, batch, seq],
      data: positions,
    });
    expect(result.shape).toEqual([batch, seq, headDim / 2]);
    const angles: number[] = [];
    for (let row = 0; row < batch * seq; row++) {
      for (let pair = 0; pair < headDim / 2; pair++) {
        const axis = pair < 2 ? 0 : pair < 5 ? 1 : 2;
        angles.push(positions[axis * batch * seq + row] * frequency(pair, headDim, THETA));
      }
    }
    expectClose(result.cos, angles.map(Math.cos));
    expectClose(result.sin, angles.map(Math.sin));
  });

  it('is plain rope where the three positions agree', () => {
    const same = Array.from({ length: 3 * batch * seq }, (_, i) => i % (batch * seq));
    const result = valuesOf(mrope(tensor, headDim, THETA, sections), { shape: [3, batch, seq], data: same });
    const pairs = headDim / 2;
    const angles = Array.from(
      { length: batch * seq * pairs },
      (_, i) => Math.floor(i / pairs) * frequency(i % pairs, headDim, THETA),
    );
    expect(result.shape).toEqual([batch, seq, headDim / 2]);
    expectClose(result.cos, angles.map(Math.cos));
    expectClose(result.sin, angles.map(Math.sin));
  });
});

describe('rope2d', () => {
  it('turns half of the frequencies with the row and half with the column', () => {
    const [groups, length, headDim] = [2, 2, 8];
    const places = [
      [0, 0],
      [3, 1],
      [2, 5],
      [9, 4],
    ];
    const tensor = op.input('positions', 'i64', [groups, length, 2]);
    const result = valuesOf(rope2d(tensor, headDim), { shape: [groups, length, 2], data: places.flat() });
    expect(result.shape).toEqual([groups, length, headDim / 2]);
    const angles = places.flatMap(([row, column]) => {
      const quarter = [0, 1].map((i) => frequency(i, headDim / 2, THETA));
      return [...quarter.map((f) => row * f), ...quarter.map((f) => column * f)];
    });
    expectClose(result.cos, angles.map(Math.cos));
    expectClose(result.sin, angles.map(Math.sin));
  });
});
