/**
 * Conversions between f32 and the two 16-bit floats, on whole arrays: IEEE 754 binary16 (F16) and the upper half of
 * binary32 (BF16). Narrowing rounds to nearest, ties to even, as PyTorch's `.to()` does; what is too large becomes infinite.
 */

/** The value of one binary16: sign, 5 exponent bits with bias 15, 10 fraction bits. */
function decodeFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  // Subnormals count in steps of 2⁻²⁴; normals have a hidden leading one.
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let float16Values: Float32Array | undefined;

/** Every one of the 65,536 halves, decoded once: a look-up is the fastest conversion. */
function float16Table(): Float32Array {
  float16Values ??= Float32Array.from({ length: 65536 }, (_, half) => decodeFloat16(half));
  return float16Values;
}

/** The values of binary16 bit patterns. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const table = float16Table();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]];
  return out;
}

/** The values of bfloat16 bit patterns: the upper 16 bits of an f32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return out;
}

/** f32 values as bfloat16 bit patterns. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    // Half of the last kept place, less one unless that place is odd: ties go to even.
    out[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** f32 values as binary16 bit patterns. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const sign = (words[i] >>> 16) & 0x8000;
    out[i] = sign | encodeMagnitude(words[i] & 0x7fffffff, values[i]);
  }
  return out;
}

/** The 15 bits below the sign, from the f32's bits without sign and its value. */
function encodeMagnitude(word: number, value: number): number {
  if (word > 0x7f800000) return 0x7e00; // NaN
  if (word >= 0x477ff000) return 0x7c00; // 65,520 and more round to infinity
  if (word < 0x38800000) return roundToEven(Math.abs(value) * 2 ** 24); // below 2⁻¹⁴: steps of 2⁻²⁴
  // Rebias the exponent (127 → 15) and round away 13 fraction bits; a carry moves into the exponent, as it should.
  return (word - (112 << 23) + 0xfff + ((word >>> 13) & 1)) >>> 13;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
