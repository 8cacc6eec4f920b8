import type { Random } from '../util/random.js';
import { drawBackground, sampleBackground } from './background.js';
import {
  type Color,
  ellipse,
  fractal,
  line,
  mix,
  newPainting,
  type Painting,
  type Point,
  polygon,
  randomColor,
  regularPoints,
} from './outworld-paint.js';

/** Noise without any structure: even, normal, black-and-white, or rare specks; grey or coloured; in blocks of 1–16 px. */
export function staticNoise(random: Random, width: number, height: number): Painting {
  const block = random.weighted([
    [1, 3],
    [2, 2],
    [4, 1],
    [random.int(5, 16), 2],
  ]);
  const gray = random.chance(0.4);
  const base = randomColor(random, [0, 1], [0.2, 0.8]);
  const strength = random.uniform(30, 130);
  const rare = random.uniform(0.02, 0.3);
  const draw = random.pick<(middle: number) => number>([
    () => random.uniform(0, 255),
    (middle) => middle + strength * random.normal(),
    () => (random.chance(0.5) ? 0 : 255),
    (middle) => (random.chance(rare) ? 255 * random.int(0, 1) : middle),
  ]);
  const columns = Math.ceil(width / block);
  const cells = Array.from({ length: columns * Math.ceil(height / block) }, (): Color => {
    if (!gray) return [draw(base[0]), draw(base[1]), draw(base[2])];
    const value = draw(base[1]);
    return [value, value, value];
  });
  return newPainting(width, height, (x, y) => cells[Math.floor(y / block) * columns + Math.floor(x / block)]);
}

/** Two to four colours along a line, around a point or out from it. */
export function gradient(random: Random, width: number, height: number): Painting {
  const stops = Array.from({ length: random.int(2, 4) }, () => randomColor(random));
  const [cx, cy] = [random.uniform(0, width), random.uniform(0, height)];
  const turn = random.uniform(0, 2 * Math.PI);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const size = Math.hypot(width, height);
  const place = random.pick<(x: number, y: number) => number>([
    (x, y) => 0.5 + (cos * (x - width / 2) + sin * (y - height / 2)) / size,
    (x, y) => Math.hypot(x - cx, y - cy) / size,
    (x, y) => Math.abs(Math.atan2(y - cy, x - cx)) / Math.PI,
  ]);
  return newPainting(width, height, (x, y) => ramp(stops, place(x, y)));
}

/** The colour at a share of the way along the stops. */
function ramp(stops: readonly Color[], share: number): Color {
  const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1);
  const from = Math.floor(at);
  return mix(stops[from], stops[from + 1], at - from);
}

/** Soft patches of colour that run into one another. */
export function colorField(random: Random, width: number, height: number): Painting {
  const scale = Math.max(width, height) * random.uniform(0.15, 0.9);
  const channels = [0, 1, 2].map(() => fractal(random, scale, 2, 0.3));
  const gain = random.uniform(150, 400);
  const base = randomColor(random);
  return newPainting(width, height, (x, y) => {
    const at = (c: number): number => base[c] + gain * (channels[c](x, y) - 0.5);
    return [at(0), at(1), at(2)];
  });
}

/** Fractal noise through a palette, bent by itself: marble, clouds, camouflage. */
export function plasma(random: Random, width: number, height: number): Painting {
  const stops = Array.from({ length: random.int(2, 6) }, () => randomColor(random));
  const noise = fractal(
    random,
    Math.max(width, height) * random.uniform(0.1, 0.6),
    6,
    random.uniform(0.35, 0.7),
  );
  const [bend, bands] = [random.uniform(0, 80), random.pick([0, 0, 2, 5, 12])];
  return newPainting(width, height, (x, y) => {
    const value = noise(x + bend * noise(y, x), y + bend * noise(x + 500, y));
    return ramp(stops, bands === 0 ? value : 0.5 + 0.5 * Math.sin(2 * Math.PI * bands * value));
  });
}

/** Flat shapes on a flat ground. */
export function geometry(random: Random, width: number, height: number): Painting {
  const painting = newPainting(width, height, randomColor(random));
  for (let i = random.int(1, 25); i > 0; i--)
    shape(random, painting, Math.min(width, height) * random.uniform(0.05, 0.4));
  return painting;
}

/** One shape that fills the picture or runs out of it. */
export function hugeShape(random: Random, width: number, height: number): Painting {
  const painting = newPainting(width, height, randomColor(random));
  shape(random, painting, Math.max(width, height) * random.uniform(0.35, 0.9), [
    width * random.uniform(0.3, 0.7),
    height * random.uniform(0.3, 0.7),
  ]);
  return painting;
}

function shape(random: Random, painting: Painting, radius: number, place?: Point): void {
  const at: Point = place ?? [random.uniform(0, painting.width), random.uniform(0, painting.height)];
  const color = randomColor(random);
  const turn = random.uniform(0, 2 * Math.PI);
  const kind = random.pick(['ellipse', 'polygon', 'star', 'ring', 'line'] as const);
  if (kind === 'ellipse') ellipse(painting, at, [radius, radius * random.uniform(0.4, 1)], turn, color);
  else if (kind === 'polygon') polygon(painting, regularPoints(at, radius, random.int(3, 8), turn), color);
  else if (kind === 'star')
    polygon(painting, regularPoints(at, radius, random.int(4, 9), turn, random.uniform(0.3, 0.7)), color);
  else if (kind === 'ring')
    outline(painting, regularPoints(at, radius, 40, turn), random.uniform(2, 12), color);
  else {
    const end: Point = [at[0] + 2 * radius * Math.cos(turn), at[1] + 2 * radius * Math.sin(turn)];
    line(painting, at, end, random.uniform(1, 14), color);
  }
}

function outline(painting: Painting, points: readonly Point[], thickness: number, color: Color): void {
  for (const [i, point] of points.entries())
    line(painting, point, points[(i + 1) % points.length], thickness, color);
}

/** Pen on paper: wandering strokes, outlines, scribbles. */
export function lineDrawing(random: Random, width: number, height: number): Painting {
  const light = random.chance(0.85);
  const painting = newPainting(width, height, randomColor(random, [0, 0.3], light ? [0.85, 1] : [0, 0.2]));
  const ink = randomColor(random, [0, 0.8], light ? [0, 0.4] : [0.6, 1]);
  const thickness = random.uniform(0.8, 4);
  for (let i = random.int(1, 14); i > 0; i--) {
    const place: Point = [random.uniform(0, width), random.uniform(0, height)];
    if (random.chance(0.3)) {
      const radius = Math.min(width, height) * random.uniform(0.05, 0.4);
      outline(
        painting,
        regularPoints(place, radius, random.pick([3, 4, 5, 6, 24]), random.uniform(0, 6)),
        thickness,
        ink,
      );
      continue;
    }
    let [from, heading] = [place, random.uniform(0, 2 * Math.PI)];
    const [step, wobble] = [random.uniform(2, 14), random.uniform(0.1, 1.2)];
    for (let k = random.int(5, 50); k > 0; k--) {
      heading += random.uniform(-wobble, wobble);
      const to: Point = [from[0] + step * Math.cos(heading), from[1] + step * Math.sin(heading)];
      line(painting, from, to, thickness, ink);
      from = to;
    }
  }
  return painting;
}

/** Squares, stripes, brick or grid, straight or turned. */
export function pattern(random: Random, width: number, height: number): Painting {
  const [a, b] = [randomColor(random), randomColor(random)];
  const pitch = random.uniform(3, 50);
  const turn = random.chance(0.5) ? 0 : random.uniform(0, Math.PI);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const thin = random.uniform(0.05, 0.4);
  const part = (value: number): number => value / pitch - Math.floor(value / pitch);
  const inA = random.pick<(u: number, v: number) => boolean>([
    (u, v) => ((Math.floor(u / pitch) + Math.floor(v / pitch)) & 1) === 0,
    (u) => (Math.floor(u / pitch) & 1) === 0,
    (u, v) => part(u) < thin || part(v) < thin,
    (u, v) => part(v) < thin || part(u + (Math.floor(v / pitch) & 1 ? pitch / 2 : 0)) < thin / 2,
    (u, v) => Math.hypot(part(u) - 0.5, part(v) - 0.5) < 0.15 + thin / 2,
  ]);
  return newPainting(width, height, (x, y) => (inA(cos * x + sin * y, cos * y - sin * x) ? a : b));
}

/** The background of a scene with nothing in front of it. */
export function emptyScene(random: Random, width: number, height: number): Painting {
  const canvas = { width, height, data: new Uint8Array(3 * width * height) };
  drawBackground(canvas, sampleBackground(random), String(random.u32()));
  return { width, height, data: Float32Array.from(canvas.data) };
}

/** One colour, from black to white. */
export function oneColor(random: Random, width: number, height: number): Painting {
  return newPainting(width, height, randomColor(random));
}
