import type { RgbImage } from '../images/image.js';
import type { Random } from '../util/random.js';
import { hash2, hexOfHsl, rgbOfHex } from './background.js';

/** A picture while it is painted: RGB rows of floats, nominally 0–255. */
export interface Painting {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

export type Color = readonly [red: number, green: number, blue: number];
export type Point = readonly [x: number, y: number];
/** A colour for every pixel, or one for all. */
export type Paint = Color | ((x: number, y: number) => Color);

export function newPainting(width: number, height: number, paint: Paint): Painting {
  const painting = { width, height, data: new Float32Array(3 * width * height) };
  fill(painting, [0, 0, width, height], () => 1, paint);
  return painting;
}

/** A random colour; the ranges are of saturation and lightness, 0–1. */
export function randomColor(random: Random, saturation: Point = [0, 1], lightness: Point = [0, 1]): Color {
  return rgbOfHex(hexOfHsl(random.next(), random.uniform(...saturation), random.uniform(...lightness)));
}

/** The colour moved by up to `spread` in each channel. */
export function nearColor(random: Random, [r, g, b]: Color, spread: number): Color {
  const move = (): number => random.uniform(-spread, spread);
  return [r + move(), g + move(), b + move()];
}

export function mix(a: Color, b: Color, share: number): Color {
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])];
}

/** Paints a region (left, top, right, bottom) with the coverage given for each pixel centre, 0–1. */
export function fill(
  painting: Painting,
  region: readonly [number, number, number, number],
  coverage: (x: number, y: number) => number,
  paint: Paint,
): void {
  const { width, height, data } = painting;
  const right = Math.min(width, Math.ceil(region[2]));
  const bottom = Math.min(height, Math.ceil(region[3]));
  for (let y = Math.max(0, Math.floor(region[1])); y < bottom; y++) {
    for (let x = Math.max(0, Math.floor(region[0])); x < right; x++) {
      const share = Math.min(1, coverage(x + 0.5, y + 0.5));
      if (share <= 0) continue;
      const color = typeof paint === 'function' ? paint(x, y) : paint;
      const at = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) data[at + c] += share * (color[c] - data[at + c]);
    }
  }
}

export function rectangle(
  painting: Painting,
  x: number,
  y: number,
  width: number,
  height: number,
  paint: Paint,
): void {
  fill(
    painting,
    [Math.round(x), Math.round(y), Math.round(x + width), Math.round(y + height)],
    () => 1,
    paint,
  );
}

/** An ellipse with a soft edge of `softness` pixels. */
export function ellipse(
  painting: Painting,
  [cx, cy]: Point,
  [rx, ry]: Point,
  angle: number,
  paint: Paint,
  softness = 1,
): void {
  const reach = Math.max(rx, ry) + softness;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const coverage = (x: number, y: number): number => {
    const u = (cos * (x - cx) + sin * (y - cy)) / rx;
    const v = (cos * (y - cy) - sin * (x - cx)) / ry;
    return 0.5 + ((1 - Math.hypot(u, v)) * Math.min(rx, ry)) / softness;
  };
  fill(painting, [cx - reach, cy - reach, cx + reach, cy + reach], coverage, paint);
}

/** A filled polygon by the even-odd rule. */
export function polygon(painting: Painting, points: readonly Point[], paint: Paint): void {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const inside = (x: number, y: number): number => {
    let odd = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
      const [ax, ay] = points[i];
      const [bx, by] = points[j];
      if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) odd = !odd;
    }
    return odd ? 1 : 0;
  };
  fill(painting, [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)], inside, paint);
}

/** A stroke with round ends. */
export function line(
  painting: Painting,
  [ax, ay]: Point,
  [bx, by]: Point,
  thickness: number,
  paint: Paint,
): void {
  const half = thickness / 2;
  const length2 = Math.max(1e-9, (bx - ax) ** 2 + (by - ay) ** 2);
  const coverage = (x: number, y: number): number => {
    const t = Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2));
    return half + 0.5 - Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay));
  };
  const reach = half + 1;
  const region = [
    Math.min(ax, bx) - reach,
    Math.min(ay, by) - reach,
    Math.max(ax, bx) + reach,
    Math.max(ay, by) + reach,
  ] as const;
  fill(painting, region, coverage, paint);
}

/** A star or regular polygon's corners. */
export function regularPoints(
  [cx, cy]: Point,
  radius: number,
  corners: number,
  turn: number,
  inner = 1,
): Point[] {
  const steps = inner === 1 ? corners : 2 * corners;
  return Array.from({ length: steps }, (_, i) => {
    const reach = inner !== 1 && i % 2 ? inner * radius : radius;
    const angle = turn + (2 * Math.PI * i) / steps;
    return [cx + reach * Math.cos(angle), cy + reach * Math.sin(angle)];
  });
}

/**
 * Fractal value noise as a function of place, 0–1: `scale` is the pitch of the coarsest octave in pixels, `persistence` the
 * amplitude of each octave against the one before. 0.5 gives about the 1/f amplitude of photographs.
 */
export function fractal(
  random: Random,
  scale: number,
  octaves: number,
  persistence = 0.5,
): (x: number, y: number) => number {
  const salts = Array.from({ length: octaves }, () => random.u32());
  const total = salts.reduce((sum, _, k) => sum + persistence ** k, 0);
  return (x, y) => {
    let sum = 0;
    let [frequency, amplitude] = [1 / scale, 1 / total];
    for (const salt of salts) {
      sum += amplitude * latticeNoise(x * frequency, y * frequency, salt);
      frequency *= 2;
      amplitude *= persistence;
    }
    return sum;
  };
}

function latticeNoise(x: number, y: number, salt: number): number {
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [smooth(x - x0), smooth(y - y0)];
  const top = hash2(x0, y0, salt) * (1 - fx) + hash2(x0 + 1, y0, salt) * fx;
  const bottom = hash2(x0, y0 + 1, salt) * (1 - fx) + hash2(x0 + 1, y0 + 1, salt) * fx;
  return top + fy * (bottom - top);
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

/** Box blur along rows, then columns, twice: nearly Gaussian. */
export function blur(painting: Painting, radius: number): void {
  const { width, height } = painting;
  for (let pass = 0; pass < 2; pass++) {
    blurLines(painting.data, height, 3 * width, width, 3, radius);
    blurLines(painting.data, width, 3, height, 3 * width, radius);
  }
}

function blurLines(
  data: Float32Array,
  lines: number,
  lineStep: number,
  length: number,
  step: number,
  radius: number,
): void {
  const source = new Float32Array(length);
  for (let i = 0; i < lines; i++) {
    for (let c = 0; c < 3; c++) {
      const start = i * lineStep + c;
      for (let k = 0; k < length; k++) source[k] = data[start + k * step];
      const at = (k: number): number => source[Math.min(length - 1, Math.max(0, k))];
      let sum = 0;
      for (let k = -radius; k <= radius; k++) sum += at(k);
      for (let k = 0; k < length; k++) {
        data[start + k * step] = sum / (2 * radius + 1);
        sum += at(k + radius + 1) - at(k - radius);
      }
    }
  }
}

export function toImage({ width, height, data }: Painting): RgbImage {
  // Uint8ClampedArray rounds and clamps; the picture itself is a plain byte array.
  return { width, height, data: new Uint8Array(new Uint8ClampedArray(data).buffer) };
}
