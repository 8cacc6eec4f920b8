/** @module Axes of a chart in SVG: round ticks, and places on the drawing for numbers. */
import { html, type Markup } from './html.js';

/** The drawing's size in its own units: small, so that letters stay legible on a phone. */
export const WIDTH = 380;
export const HEIGHT = 230;
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 10, 12, 38];
/** What letters under a tick are apart from it. */
const LABEL_GAP = 6;
const TICKS = 5;

export type Range = readonly [low: number, high: number];

/** Round steps between ticks, as parts of a power of ten. */
const ROUND_STEPS = [1, 2, 2.5, 5, 10];

/** About {@link TICKS} round numbers that lie around `range`. */
export function ticksOf([low, high]: Range, { whole = false } = {}): number[] {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / (TICKS - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = (ROUND_STEPS.find((step) => step * power >= rough * (1 - 1e-9)) ?? 10) * power;
  const step = whole ? Math.max(1, Math.round(found)) : found;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  // From whole multiples, so that no tick is 0.30000000000000004.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

export interface Axes {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly markup: Markup;
}

export interface AxesOptions {
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xRange: Range;
}

/** Two decimals of a drawing are finer than any screen. */
export const place = (value: number): string => value.toFixed(2);

const tickText = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e6 ? value.toLocaleString('en-US') : shortest(value);

const shortest = (value: number): string => {
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(value) : value.toExponential();
};

export function axesOf({ xTicks, yTicks, xTitle, yTitle, xRange }: AxesOptions): Axes {
  const [xLow, xHigh] = xRange;
  const [yLow, yHigh] = [yTicks[0], yTicks[yTicks.length - 1]];
  const x = (value: number): number => LEFT + ((value - xLow) / (xHigh - xLow || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number =>
    HEIGHT - BOTTOM - ((value - yLow) / (yHigh - yLow || 1)) * (HEIGHT - TOP - BOTTOM);
  const shown = xTicks.filter((tick) => tick >= xLow && tick <= xHigh);
  const middle = TOP + (HEIGHT - TOP - BOTTOM) / 2;
  return {
    x,
    y,
    markup: html`<g class="axis">${yTicks.map(
      (tick) =>
        html`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place(y(tick))}" y2="${place(y(tick))}"/><text class="end" x="${LEFT - LABEL_GAP}" y="${place(y(tick) + 4)}">${tickText(tick)}</text>`,
    )}${shown.map(
      (tick) =>
        html`<text class="middle" x="${place(x(tick))}" y="${HEIGHT - BOTTOM + 16}">${tickText(tick)}</text>`,
    )}<text class="middle" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}">${xTitle}</text><text class="middle" transform="rotate(-90)" x="${place(-middle)}" y="11">${yTitle}</text></g>`,
  };
}
