/** @module Numbers over the steps of a run. */

export interface Point {
  readonly step: number;
  readonly value: number;
  /** What the value lies between: a spread, or the least and the most. */
  readonly low?: number;
  readonly high?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Which end is the better one, where there is one. */
  readonly better?: 'higher' | 'lower';
}

/** What belongs on one pair of axes. */
export interface Curve {
  readonly title: string;
  /** Of the vertical axis. */
  readonly unit: string;
  /** What the numbers are and what to look for. */
  readonly about: string;
  /** What the vertical axis shows at least. */
  readonly range?: readonly [low: number, high: number];
  readonly series: readonly Series[];
  /** What the area around a line is. */
  readonly band?: string;
}

export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** At most `most` points: neighbours become their mean, and what they lay between. */
export function thinned(points: readonly Point[], most: number): Point[] {
  if (points.length <= most) return [...points];
  return Array.from({ length: most }, (_, i) => {
    const part = points.slice(
      Math.floor((i * points.length) / most),
      Math.floor(((i + 1) * points.length) / most),
    );
    const value = meanOf(part.map((point) => point.value));
    const step = part[part.length - 1].step;
    if (part[0].low === undefined) return { step, value };
    return {
      step,
      value,
      low: meanOf(part.map(({ low = value }) => low)),
      high: meanOf(part.map(({ high = value }) => high)),
    };
  });
}

export interface Summary {
  readonly name: string;
  readonly curve: string;
  readonly unit: string;
  readonly first: Point;
  readonly last: Point;
  /** The best point; null where no end is the better one. */
  readonly best: Point | null;
}

/** First, last and best of every series. */
export function summaries(curves: readonly Curve[]): Summary[] {
  return curves.flatMap(({ title, unit, series }) =>
    series.flatMap(({ name, points, better }) =>
      points.length === 0
        ? []
        : [
            {
              name,
              curve: title,
              unit,
              first: points[0],
              last: points[points.length - 1],
              best: better === undefined ? null : bestOf(points, better),
            },
          ],
    ),
  );
}

/** The first of equals. */
function bestOf(points: readonly Point[], better: 'higher' | 'lower'): Point {
  const sign = better === 'higher' ? 1 : -1;
  return points.reduce((best, point) => (sign * point.value > sign * best.value ? point : best));
}

/** Three significant digits, without an exponent where a person would write none. */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 10 ? 1 : 3);
}
