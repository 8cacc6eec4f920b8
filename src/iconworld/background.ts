import { Random } from '../util/random.js';
import type { Canvas } from './draw.js';
import type { Background } from './types.js';

const KINDS = [
  ['plain', 1],
  ['gradient', 1],
  ['texture', 1],
] as const;

/** `#rrggbb` of a colour: hue in turns, saturation and lightness 0–1. */
export function hexOfHsl(hue: number, saturation: number, lightness: number): string {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number): string => {
    const k = (n + 12 * hue) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}

/** Red, green and blue of `#rrggbb`, 0–255. */
export function rgbOfHex(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** A background on which icons stay readable: mostly light and soft, now and then deep, never as dark as the darkest icons; both colours stay near each other. */
export function sampleBackground(random: Random): Background {
  const deep = random.chance(0.15);
  const hue = random.next();
  const saturation = random.uniform(0, 0.55);
  const lightness = deep ? random.uniform(0.42, 0.58) : random.uniform(0.62, 0.97);
  const shift = random.uniform(0.05, 0.18) * (random.chance(0.5) ? 1 : -1);
  const other = Math.min(0.98, Math.max(0.38, lightness + shift));
  return {
    kind: random.weighted(KINDS),
    from: hexOfHsl(hue, saturation, lightness),
    to: hexOfHsl((hue + random.uniform(0, 0.12)) % 1, saturation, other),
    angle: random.uniform(0, 360),
  };
}

/** From pixels along and across the pattern to how much of the second colour is shown, 0–1. */
type Pattern = (u: number, v: number) => number;

/** The patterns a texture may have; `cell` is the pitch in pixels. */
const PATTERNS: readonly ((cell: number, salt: number) => Pattern)[] = [
  (cell) => (u) => (Math.floor(u / cell) & 1 ? 1 : 0),
  (cell) => (u, v) => (Math.floor(u / cell) + Math.floor(v / cell)) & 1,
  (cell) => (u, v) => {
    const du = u / cell - Math.round(u / cell);
    const dv = v / cell - Math.round(v / cell);
    return du * du + dv * dv < 0.08 ? 1 : 0;
  },
  (cell) => (u, v) => 0.5 + 0.5 * Math.sin((2 * Math.PI * u) / cell + Math.sin(v / cell)),
  (_, salt) => (u, v) => hash2(Math.floor(u), Math.floor(v), salt),
  (cell, salt) => (u, v) => hash2(Math.floor(u / cell), Math.floor(v / cell), salt),
];

/** A number in [0, 1) that looks random, decided by two whole numbers and a salt. */
export function hash2(x: number, y: number, salt: number): number {
  let h = Math.imul(x, 0x27d4eb2f) ^ Math.imul(y, 0x165667b1) ^ salt;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

const PITCH = { smallest: 6, largest: 20 } as const;

/** Fills the canvas; `seed` decides which texture it is. */
export function drawBackground(canvas: Canvas, background: Background, seed: string): void {
  const { width, height, data } = canvas;
  const from = rgbOfHex(background.from);
  const to = rgbOfHex(background.to);
  const blend = blendOf(canvas, background.kind, seed);
  const angle = (background.angle * Math.PI) / 180;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const dx = x - width / 2;
      const dy = y - height / 2;
      const share = blend(cos * dx + sin * dy, cos * dy - sin * dx);
      for (let c = 0; c < 3; c++) data[at + c] = from[c] + share * (to[c] - from[c]) + 0.5;
    }
  }
}

function blendOf(canvas: Canvas, kind: Background['kind'], seed: string): Pattern {
  if (kind === 'plain') return () => 0;
  if (kind === 'gradient') {
    const length = Math.hypot(canvas.width, canvas.height);
    return (u) => 0.5 + u / length;
  }
  const random = new Random(`${seed}/texture`);
  return random.pick(PATTERNS)(random.uniform(PITCH.smallest, PITCH.largest), random.u32());
}
