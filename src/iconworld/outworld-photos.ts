import type { Random } from '../util/random.js';
import {
  type Color,
  blur,
  ellipse,
  fill,
  fractal,
  line,
  mix,
  nearColor,
  newPainting,
  type Paint,
  type Painting,
  type Point,
  polygon,
  randomColor,
  rectangle,
} from './outworld-paint.js';

/** A colour that wavers like a surface in light: fractal brightness around `base`, in the pitch given. */
function surface(random: Random, base: Color, strength: number, scale: number): Paint {
  const noise = fractal(random, scale, 3, random.uniform(0.4, 0.75));
  return (x, y) => {
    const change = strength * (noise(x, y) - 0.5);
    return [base[0] + change, base[1] + change, base[2] + change];
  };
}

function anyPoint(random: Random, { width, height }: Painting): Point {
  return [random.uniform(0, width), random.uniform(0, height)];
}

/** Brightness and two colour differences as fractal noise: the statistics of photographs without their things. */
export function pinkField(random: Random, width: number, height: number): Painting {
  const side = Math.max(width, height);
  const bright = fractal(random, side * random.uniform(0.2, 1), 7, random.uniform(0.45, 0.7));
  const warm = fractal(random, side * random.uniform(0.3, 1), 4);
  const green = fractal(random, side * random.uniform(0.3, 1), 4);
  const [contrast, tint] = [random.uniform(200, 500), random.uniform(0, 200)];
  const base = randomColor(random, [0, 0.5], [0.25, 0.7]);
  return newPainting(width, height, (x, y) => {
    const light = contrast * (bright(x, y) - 0.5);
    const [w, g] = [tint * (warm(x, y) - 0.5), tint * (green(x, y) - 0.5)];
    return [base[0] + light + w, base[1] + light + g, base[2] + light - w - g / 2];
  });
}

/** Things that hide one another, sizes by a power law ("dead leaves"): edges, shading and texture as in photographs. */
export function deadLeaves(random: Random, width: number, height: number): Painting {
  const side = Math.min(width, height);
  const palette = Array.from({ length: random.int(2, 7) }, () => randomColor(random, [0, 0.7], [0.05, 0.9]));
  const painting = newPainting(width, height, surface(random, random.pick(palette), 80, side / 2));
  const smallest = random.uniform(0.03, 0.08);
  const count = random.int(20, 80);
  for (let i = 0; i < count; i++) {
    const radius = Math.min(0.5, smallest / (1 - random.next()) ** 0.6) * side;
    const at = anyPoint(random, painting);
    const paint = surface(
      random,
      nearColor(random, random.pick(palette), 40),
      random.uniform(10, 120),
      radius,
    );
    if (random.chance(0.6))
      ellipse(painting, at, [radius, radius * random.uniform(0.3, 1)], random.uniform(0, 3.2), paint);
    else polygon(painting, roughPoints(random, at, radius), paint);
  }
  return painting;
}

function roughPoints(random: Random, [cx, cy]: Point, radius: number): Point[] {
  const corners = random.int(3, 9);
  return Array.from({ length: corners }, (_, i) => {
    const angle = (2 * Math.PI * (i + random.uniform(-0.3, 0.3))) / corners;
    const reach = radius * random.uniform(0.5, 1.2);
    return [cx + reach * Math.cos(angle), cy + reach * Math.sin(angle)];
  });
}

/** Sky with clouds, ridges one before the other, and ground or water. */
export function landscape(random: Random, width: number, height: number): Painting {
  const horizon = height * random.uniform(0.3, 0.75);
  const [zenith, haze] = [
    randomColor(random, [0.1, 0.8], [0.2, 0.75]),
    randomColor(random, [0, 0.8], [0.5, 0.95]),
  ];
  const clouds = fractal(random, width * random.uniform(0.2, 0.7), 5, 0.55);
  const cover = random.uniform(0, 1.5);
  const painting = newPainting(width, height, (x, y) =>
    mix(
      mix(zenith, haze, Math.min(1, y / horizon)),
      [245, 245, 248],
      Math.max(0, Math.min(1, cover * (2 * clouds(x, 2 * y) - 0.9))),
    ),
  );
  const near = randomColor(random, [0.1, 0.6], [0.1, 0.45]);
  const ridges = random.int(1, 5);
  for (let i = 0; i < ridges; i++) {
    const share = (i + 1) / ridges;
    const ridge = fractal(random, width * random.uniform(0.2, 0.8), 6, random.uniform(0.35, 0.6));
    const rise = height * random.uniform(0.1, 0.45);
    const paint = surface(
      random,
      mix(haze, near, 0.3 + 0.7 * share),
      60 * share,
      width * random.uniform(0.03, 0.2),
    );
    const crest = Array.from(
      { length: width + 1 },
      (_, x) => horizon + share * (height - horizon) * 0.6 - rise * (ridge(x, i * 99) - 0.4),
    );
    fill(painting, [0, 0, width, height], (x, y) => y - crest[Math.floor(x)], paint);
  }
  if (random.chance(0.4)) {
    const ripples = fractal(random, width * 0.15, 4);
    const water = mix(zenith, near, random.uniform(0.2, 0.6));
    const shore = height * random.uniform(0.7, 0.9);
    const glint = (x: number, y: number): Color => mix(water, haze, ripples(0.4 * x, 3 * y));
    fill(painting, [0, shore, width, height], () => 1, glint);
  }
  return painting;
}

/** A head and shoulders before something out of focus. */
export function portrait(random: Random, width: number, height: number): Painting {
  const painting = random.chance(0.5) ? deadLeaves(random, width, height) : pinkField(random, width, height);
  blur(painting, random.int(2, 9));
  const size = Math.min(width, height) * random.uniform(0.14, 0.3);
  const [x, y] = [width * random.uniform(0.3, 0.7), height * random.uniform(0.3, 0.5)];
  const skin: Color = mix([245, 214, 190], [75, 46, 32], random.next());
  const hair = randomColor(random, [0, 0.5], [0.03, 0.5]);
  const shade: Paint = (px, py) => {
    const light = 1 - 0.35 * Math.hypot((px - x + 0.4 * size) / size / 2, (py - y + 0.4 * size) / size / 2);
    return [skin[0] * light, skin[1] * light, skin[2] * light];
  };
  const coat = surface(random, randomColor(random), 60, size);
  ellipse(painting, [x, y + 2.6 * size], [size * random.uniform(1.5, 2.2), size * 1.5], 0, coat, 2);
  ellipse(
    painting,
    [x, y - 0.25 * size],
    [size * random.uniform(0.9, 1.2), size * random.uniform(1.1, 1.6)],
    0,
    surface(random, hair, 70, 4),
    2,
  );
  rectangle(painting, x - 0.35 * size, y + 0.6 * size, 0.7 * size, 0.7 * size, shade);
  ellipse(painting, [x, y + 0.1 * size], [0.8 * size, size], 0, shade, 2);
  for (const sideways of [-0.32, 0.32]) {
    ellipse(painting, [x + sideways * size, y], [0.13 * size, 0.07 * size], 0, [240, 240, 240]);
    ellipse(painting, [x + sideways * size, y], [0.06 * size, 0.06 * size], 0, [40, 30, 25]);
    ellipse(painting, [x + sideways * size, y - 0.17 * size], [0.18 * size, 0.04 * size], 0, hair);
  }
  ellipse(painting, [x, y + 0.58 * size], [0.28 * size, 0.08 * size], 0, mix(skin, [170, 40, 50], 0.5), 2);
  ellipse(painting, [x, y + 0.28 * size], [0.09 * size, 0.16 * size], 0, mix(skin, [60, 30, 20], 0.25), 3);
  return painting;
}

/** Leaves, grass or hair: thousands of strokes in one family of colours. */
export function strokes(random: Random, width: number, height: number): Painting {
  const base = randomColor(random, [0.1, 0.7], [0.15, 0.6]);
  const painting = newPainting(width, height, surface(random, mix(base, [0, 0, 0], 0.5), 60, width / 3));
  const [length, thickness, lean] = [
    random.uniform(4, 30),
    random.uniform(0.7, 5),
    random.uniform(0, 2 * Math.PI),
  ];
  const spread = random.uniform(0.1, 3.2);
  const count = Math.min(1500, Math.round((1.2 * width * height) / (length * thickness)));
  for (let i = 0; i < count; i++) {
    const [x, y] = anyPoint(random, painting);
    const angle = lean + random.uniform(-spread, spread);
    const end: Point = [x + length * Math.cos(angle), y + length * Math.sin(angle)];
    line(
      painting,
      [x, y],
      end,
      thickness,
      nearColor(random, mix(base, [255, 255, 255], random.uniform(0, 0.3)), 35),
    );
  }
  return painting;
}

/** A room or a street: walls in perspective, boxes with windows or drawers, shadows under them. */
export function boxes(random: Random, width: number, height: number): Painting {
  const horizon = height * random.uniform(0.35, 0.75);
  const painting = newPainting(
    width,
    height,
    surface(random, randomColor(random, [0, 0.4], [0.4, 0.95]), 50, width),
  );
  const floor = surface(
    random,
    randomColor(random, [0, 0.5], [0.15, 0.7]),
    70,
    width * random.uniform(0.05, 0.5),
  );
  fill(painting, [0, horizon, width, height], () => 1, floor);
  const count = random.int(3, 14);
  for (let i = 0; i < count; i++) {
    const depth = (i + 1) / count;
    const [w, h] = [width * random.uniform(0.08, 0.4), height * random.uniform(0.1, 0.7) * (0.5 + depth / 2)];
    const [x, foot] = [
      random.uniform(-w / 2, width - w / 2),
      horizon + depth * random.uniform(0, height - horizon),
    ];
    const base = randomColor(random, [0, 0.6], [0.1, 0.8]);
    ellipse(painting, [x + w / 2, foot], [0.7 * w, 0.05 * height + 1], 0, mix(base, [0, 0, 0], 0.8), 12);
    rectangle(painting, x, foot - h, w, h, surface(random, base, 50, w));
    const turned: Point[] = [
      [x + w, foot - h],
      [x + 1.3 * w, foot - 0.9 * h],
      [x + 1.3 * w, foot - 0.1 * h],
      [x + w, foot],
    ];
    polygon(painting, turned, surface(random, mix(base, [0, 0, 0], 0.4), 30, w));
    const [across, down] = [random.int(0, 5), random.int(1, 7)];
    const pane = random.chance(0.5) ? mix(base, [255, 255, 220], 0.6) : mix(base, [20, 20, 40], 0.6);
    for (let cell = 0; cell < across * down; cell++) {
      const [cx, cy] = [cell % across, Math.floor(cell / across)];
      rectangle(
        painting,
        x + (w * (cx + 0.2)) / across,
        foot - h + (h * (cy + 0.2)) / down,
        (0.6 * w) / across,
        (0.6 * h) / down,
        nearColor(random, pane, 25),
      );
    }
  }
  return painting;
}

/** One round thing in hard light on a table, its background out of focus. */
export function stillLife(random: Random, width: number, height: number): Painting {
  const painting = deadLeaves(random, width, height);
  blur(painting, random.int(3, 12));
  const edge = height * random.uniform(0.5, 0.8);
  fill(
    painting,
    [0, edge, width, height],
    () => 1,
    surface(random, randomColor(random, [0, 0.6], [0.1, 0.8]), 90, width / 4),
  );
  const side = Math.min(width, height);
  for (let i = random.int(1, 4); i > 0; i--) {
    const [rx, ry] = [side * random.uniform(0.1, 0.4), side * random.uniform(0.1, 0.4)];
    const [x, y] = [width * random.uniform(0.2, 0.8), edge - ry * random.uniform(-0.5, 0.9)];
    const base = randomColor(random, [0, 0.9], [0.2, 0.7]);
    const texture = fractal(random, side / 5, 4);
    const roughness = random.uniform(0, 0.6);
    ellipse(painting, [x + 0.2 * rx, y + ry], [1.2 * rx, 0.25 * ry], 0, mix(base, [0, 0, 0], 0.85), 10);
    const shaded: Paint = (px, py) => {
      const lit = Math.max(0, 1 - 0.6 * Math.hypot((px - x) / rx + 0.4, (py - y) / ry + 0.4));
      const spark = lit > 0.9 ? (lit - 0.9) * 10 : 0;
      return mix(
        mix([0, 0, 0], base, 0.25 + 0.9 * lit + roughness * (texture(px, py) - 0.5)),
        [255, 255, 255],
        spark,
      );
    };
    ellipse(painting, [x, y], [rx, ry], random.uniform(-0.3, 0.3), shaded, 1.5);
  }
  return painting;
}
