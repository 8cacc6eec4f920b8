import { assert } from '../util/errors.js';
import type { RgbImage } from './image.js';

/** Weights are fixed-point numbers with this many fractional bits (python-pillow/Pillow:src/libImaging/Resample.c). */
const PRECISION_BITS = 22;
const ONE_HALF = 1 << (PRECISION_BITS - 1);
/** Keys' cubic convolution kernel reaches two source pixels to each side. */
const BICUBIC_SUPPORT = 2;
/** Its free parameter as Pillow sets it. */
const BICUBIC_A = -0.5;

/** Along one side: for each output position the first source pixel, how many are read, and their weights. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `stride` fixed-point weights for each output position. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * `image` at `width` x `height` by bicubic interpolation, antialiased when it shrinks: the bytes that Pillow 13's
 * `resize((width, height), BICUBIC)` gives. A side that keeps its size is not touched.
 */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  assert(width > 0 && height > 0, `an image cannot be resized to ${width} x ${height}`);
  // The order decides what is rounded first. Since Pillow 13 it is vertical first where that saves enough work.
  const verticalFirst = height < image.height && image.height - height > 2 * (image.width - width);
  const passes = verticalFirst ? [resizeRows, resizeColumns] : [resizeColumns, resizeRows];
  return passes.reduce((result, pass) => pass(result, pass === resizeRows ? height : width), image);
}

function bicubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((BICUBIC_A + 2) * x - (BICUBIC_A + 3)) * x * x + 1;
  if (x < BICUBIC_SUPPORT) return (((x - 5) * x + 8) * x - 4) * BICUBIC_A;
  return 0;
}

function tapsFor(from: number, to: number): Taps {
  const scale = from / to;
  const filterScale = Math.max(scale, 1);
  const support = BICUBIC_SUPPORT * filterScale;
  // Multiplied by the reciprocal, not divided, for the last bit's sake.
  const perPixel = 1 / filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let x = 0; x < to; x++) {
    const centre = (x + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const taps = Math.min(from, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let i = 0; i < taps; i++) {
      const weight = bicubic((i + start - centre + 0.5) * perPixel);
      exact[i] = weight;
      sum += weight;
    }
    for (let i = 0; i < taps; i++) {
      const fixed = ((exact[i] ?? 0) / sum) * (1 << PRECISION_BITS);
      weights[x * stride + i] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    first[x] = start;
    count[x] = taps;
  }
  return { first, count, weights, stride };
}

/** A fixed-point sum as a byte: rounded, shifted and clipped. */
function toByte(sum: number): number {
  const value = (sum + ONE_HALF) >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Changes the width: each row is filtered along itself. */
function resizeColumns(image: RgbImage, width: number): RgbImage {
  if (width === image.width) return image;
  const { height, data } = image;
  const { first, count, weights, stride } = tapsFor(image.width, width);
  const result = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * image.width * 3;
    for (let x = 0; x < width; x++) {
      const taps = count[x] ?? 0;
      const at = x * stride;
      let from = row + (first[x] ?? 0) * 3;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let i = 0; i < taps; i++, from += 3) {
        const weight = weights[at + i] ?? 0;
        red += (data[from] ?? 0) * weight;
        green += (data[from + 1] ?? 0) * weight;
        blue += (data[from + 2] ?? 0) * weight;
      }
      result[to++] = toByte(red);
      result[to++] = toByte(green);
      result[to++] = toByte(blue);
    }
  }
  return { width, height, data: result };
}

/** Changes the height: whole rows are weighted and added, which walks the memory in order. */
function resizeRows(image: RgbImage, height: number): RgbImage {
  if (height === image.height) return image;
  const { width, data } = image;
  const { first, count, weights, stride } = tapsFor(image.height, height);
  const rowBytes = width * 3;
  const result = new Uint8Array(rowBytes * height);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    const taps = count[y] ?? 0;
    for (let i = 0; i < taps; i++) {
      const weight = weights[y * stride + i] ?? 0;
      const from = ((first[y] ?? 0) + i) * rowBytes;
      for (let x = 0; x < rowBytes; x++) sums[x] = (sums[x] ?? 0) + (data[from + x] ?? 0) * weight;
    }
    const to = y * rowBytes;
    for (let x = 0; x < rowBytes; x++) result[to + x] = toByte(sums[x] ?? 0);
  }
  return { width, height, data: result };
}
