import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half.js';

const ALL_BITS = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

const FORMATS = [
  { name: 'F16', widen: float16ToFloat32, narrow: float32ToFloat16, infinity: 0x7c00 },
  { name: 'BF16', widen: bfloat16ToFloat32, narrow: float32ToBfloat16, infinity: 0x7f80 },
];

describe.each(FORMATS)('$name', ({ widen, narrow, infinity }) => {
  const values = widen(ALL_BITS);

  it('gives back the bits of every number', () => {
    const back = narrow(values);
    const again = widen(back);
    const changed = [...ALL_BITS].filter((bits) =>
      Number.isNaN(values[bits]) ? !Number.isNaN(again[bits]) : back[bits] !== bits,
    );
    expect(changed).toEqual([]);
  });

  it('rounds to the nearest number, ties to the even one', () => {
    const wrong = fc.check(
      fc.property(fc.float({ noNaN: true }), (value) => {
        const [bits] = narrow(Float32Array.of(Math.abs(value)));
        // Distances in doubles are exact here; beyond the largest number the next step stands for infinity.
        const step = values[infinity - 1] - values[infinity - 2];
        const at = (index: number): number =>
          index === infinity ? values[infinity - 1] + step : index > infinity ? Number.NaN : values[index];
        if (!Number.isFinite(value) || Math.abs(value) > at(infinity)) return bits === infinity;
        const distance = (index: number): number => Math.abs(at(index) - Math.abs(value));
        return [bits - 1, bits + 1]
          .filter((other) => other >= 0 && other <= infinity)
          .every(
            (other) =>
              distance(bits) < distance(other) || (distance(bits) === distance(other) && bits % 2 === 0),
          );
      }),
      { numRuns: 2000 },
    );
    expect(wrong.counterexample).toBeNull();
  });

  it('rounds the middle between two neighbours to the even one, subnormals included', () => {
    for (let bits = 0; bits + 1 < infinity; bits += 7) {
      const middle = Math.fround((values[bits] + values[bits + 1]) / 2);
      expect(narrow(Float32Array.of(middle, -middle))).toEqual(
        Uint16Array.of(bits + (bits % 2), 0x8000 | (bits + (bits % 2))),
      );
    }
  });
});

it('knows the landmarks of F16', () => {
  const landmarks = Float32Array.of(1, -2, 65504, 65519, 65520, 2 ** -24, 2 ** -25, 6.103515625e-5);
  expect([...float32ToFloat16(landmarks)]).toEqual([
    0x3c00, 0xc000, 0x7bff, 0x7bff, 0x7c00, 0x0001, 0x0000, 0x0400,
  ]);
});

it('knows the landmarks of BF16', () => {
  expect([...float32ToBfloat16(Float32Array.of(1, -2, 3.4e38, 3.4028235e38, 1.00390625))]).toEqual([
    0x3f80, 0xc000, 0x7f80, 0x7f80, 0x3f80,
  ]);
});
