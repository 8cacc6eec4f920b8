import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { blur, newPainting, rectangle, toImage } from './outworld-paint.js';
import { sampleOutOfWorld } from './outworld.js';

describe('sampleOutOfWorld', () => {
  it('gives the same pictures from the same seed, all of them different', () => {
    const hashes = (): string[] => {
      const random = new Random('out');
      return Array.from({ length: 40 }, () =>
        createHash('sha256').update(sampleOutOfWorld(random).data).digest('hex'),
      );
    };
    expect(hashes()).toEqual(hashes());
    expect(new Set(hashes()).size).toBe(40);
  });

  it('keeps to sides of 112–224 px, with ratios that no scene has among them', () => {
    const random = new Random('sizes');
    const ratios = Array.from({ length: 60 }, () => {
      const { width, height, data } = sampleOutOfWorld(random);
      for (const side of [width, height]) expect([112, 140, 168, 196, 224]).toContain(side);
      expect(data).toHaveLength(3 * width * height);
      return Math.max(width, height) / Math.min(width, height);
    });
    expect(Math.max(...ratios)).toBeGreaterThan(1.34);
    expect(Math.max(...ratios)).toBeLessThanOrEqual(2);
  });

  it('shows dark and light, grey and coloured, smooth and rough pictures', () => {
    const random = new Random('variety');
    const all = Array.from({ length: 150 }, () => statistics(sampleOutOfWorld(random, [112]).data));
    for (const key of ['mean', 'colour', 'roughness'] as const) {
      const sorted = all.map((one) => one[key]).sort((a, b) => a - b);
      expect(sorted[135]).toBeGreaterThan(2 * sorted[15] + 10);
    }
  });
});

/** Mean level, mean spread between channels, mean step between neighbours in a row. */
function statistics(data: Uint8Array): { mean: number; colour: number; roughness: number } {
  let [mean, colour, roughness] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 3) {
    mean += data[i + 1];
    colour += Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
    if (i > 0) roughness += Math.abs(data[i + 1] - data[i - 2]);
  }
  const pixels = data.length / 3;
  return { mean: mean / pixels, colour: colour / pixels, roughness: roughness / pixels };
}

describe('paint', () => {
  it('blurs without moving or losing light, and clamps at the end', () => {
    const painting = newPainting(21, 21, [0, 0, 0]);
    rectangle(painting, 10, 10, 1, 1, [900, 900, -50]);
    blur(painting, 2);
    const total = painting.data.reduce((sum, value, i) => (i % 3 === 0 ? sum + value : sum), 0);
    expect(total).toBeCloseTo(900, 2);
    expect(painting.data[3 * (10 * 21 + 8)]).toBeCloseTo(painting.data[3 * (10 * 21 + 12)], 3);
    expect([...toImage(newPainting(1, 1, [300, -4, 12.6])).data]).toEqual([255, 0, 13]);
  });
});
