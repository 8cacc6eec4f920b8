import type { Random } from '../util/random.js';
import {
  type Color,
  line,
  mix,
  newPainting,
  type Painting,
  type Point,
  polygon,
  randomColor,
  rectangle,
} from './outworld-paint.js';

/** Lines of words made of letter-like marks, with a heading, columns or a picture now and then. */
export function textPage(random: Random, width: number, height: number): Painting {
  const light = random.chance(0.8);
  const painting = newPainting(width, height, randomColor(random, [0, 0.2], light ? [0.85, 1] : [0.02, 0.2]));
  const ink = randomColor(random, [0, 0.3], light ? [0, 0.35] : [0.65, 1]);
  const columns = random.weighted([
    [1, 3],
    [2, 1],
  ]);
  const pitch = random.uniform(5, 18);
  const margin = random.uniform(2, 14);
  for (let column = 0; column < columns; column++) {
    const left = margin + (column * (width - margin)) / columns;
    const right = left + (width - margin) / columns - margin;
    for (let y = margin; y + pitch < height - margin; y += random.chance(0.12) ? 2 * pitch : pitch) {
      textLine(
        random,
        painting,
        [left, y],
        right - (random.chance(0.2) ? random.uniform(0, (right - left) / 2) : 0),
        0.6 * pitch,
        ink,
      );
    }
  }
  if (random.chance(0.25))
    rectangle(
      painting,
      margin,
      margin,
      width * random.uniform(0.2, 0.6),
      height * random.uniform(0.1, 0.4),
      randomColor(random),
    );
  return painting;
}

function textLine(
  random: Random,
  painting: Painting,
  [left, top]: Point,
  right: number,
  size: number,
  ink: Color,
): void {
  const stroke = Math.max(0.8, size / 6);
  for (let x = left; x + size < right; x += random.chance(0.18) ? 1.4 * size : 0.75 * size) {
    const w = 0.5 * size;
    for (let mark = random.int(1, 3); mark > 0; mark--) {
      const from: Point = [x + random.int(0, 2) * (w / 2), top + random.int(0, 2) * (size / 2)];
      const to: Point = [x + random.int(0, 2) * (w / 2), top + random.int(0, 2) * (size / 2)];
      line(painting, from, to, stroke, ink);
    }
  }
}

/** Windows of a program: bars, panels, buttons, lines of text. */
export function screenshot(random: Random, width: number, height: number): Painting {
  const ground = randomColor(random, [0, 0.4], random.chance(0.7) ? [0.8, 1] : [0.05, 0.25]);
  const painting = newPainting(width, height, ground);
  const accent = randomColor(random, [0.3, 1], [0.3, 0.6]);
  const ink = mix(ground, ground[0] > 127 ? [0, 0, 0] : [255, 255, 255], 0.75);
  const bar = random.uniform(8, 24);
  rectangle(painting, 0, 0, width, bar, mix(ground, accent, random.uniform(0.2, 1)));
  textLine(random, painting, [4, bar / 4], width / 2, bar / 2, [240, 240, 240]);
  const sidebar = random.chance(0.5) ? width * random.uniform(0.15, 0.35) : 0;
  rectangle(painting, 0, bar, sidebar, height, mix(ground, ink, 0.12));
  for (let y = bar + 6; y < height - 14; ) {
    const h = random.uniform(10, 40);
    const [left, right] = [sidebar + 5, width - 5];
    if (random.chance(0.5))
      rectangle(
        painting,
        left,
        y,
        (right - left) * random.uniform(0.3, 1),
        h,
        mix(ground, random.chance(0.3) ? accent : ink, random.uniform(0.08, 0.5)),
      );
    if (random.chance(0.7))
      textLine(random, painting, [left + 3, y + 3], right - 3, random.uniform(4, 8), ink);
    if (sidebar > 0) textLine(random, painting, [3, y + 2], sidebar - 3, 5, ink);
    y += h + random.uniform(2, 8);
  }
  return painting;
}

/** Bars, a curve or a pie with axes. */
export function chart(random: Random, width: number, height: number): Painting {
  const painting = newPainting(width, height, randomColor(random, [0, 0.2], [0.88, 1]));
  const [left, bottom] = [0.12 * width, 0.88 * height];
  const count = random.int(3, 12);
  const kind = random.pick(['bars', 'curve', 'pie'] as const);
  if (kind === 'pie') {
    const radius = 0.38 * Math.min(width, height);
    const shares = Array.from({ length: count }, () => random.uniform(0.2, 1));
    const total = shares.reduce((sum, share) => sum + share, 0);
    let from = random.uniform(0, 2 * Math.PI);
    for (const share of shares) {
      const turn = (2 * Math.PI * share) / total;
      const rim = Array.from({ length: 24 }, (_, k): Point => {
        const angle = from + (turn * k) / 23;
        return [width / 2 + radius * Math.cos(angle), height / 2 + radius * Math.sin(angle)];
      });
      polygon(painting, [[width / 2, height / 2], ...rim], randomColor(random, [0.3, 0.9], [0.3, 0.8]));
      from += turn;
    }
    return painting;
  }
  const color = randomColor(random, [0.3, 0.9], [0.3, 0.6]);
  const step = (0.96 * width - left) / count;
  let last: Point | null = null;
  for (let i = 0; i < count; i++) {
    const top = random.uniform(0.1, 0.85) * height;
    const here: Point = [left + (i + 0.5) * step, top];
    if (kind === 'bars') rectangle(painting, left + (i + 0.15) * step, top, 0.7 * step, bottom - top, color);
    else if (last !== null) line(painting, last, here, 2, color);
    last = here;
  }
  line(painting, [left, 0.05 * height], [left, bottom], 1, [60, 60, 60]);
  line(painting, [left, bottom], [0.97 * width, bottom], 1, [60, 60, 60]);
  return painting;
}
