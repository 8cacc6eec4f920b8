/** @module Charts as inline SVG with a text alternative: curves over steps, and histograms. */
import { type Curve, formatValue, type Point, type Series, thinned } from '../runs/series.js';
import { axesOf, HEIGHT, place, type Range, ticksOf, WIDTH } from './axes.js';
import { html, type Markup } from './html.js';

/** Points that a line is drawn through: more than a chart has pixels help nobody. */
const MOST_POINTS = 180;
/** Lines of so few points are drawn with marks that tell their value. */
const MARKED_POINTS = 40;
/** Rows of the table behind a chart. */
const TABLE_ROWS = 16;
/** Colours that the style sheet has, and as many dashes: together they tell the square of it apart. */
const COLOURS = 6;

const colour = (index: number): string =>
  `c${index % COLOURS} d${(index + Math.floor(index / COLOURS)) % COLOURS}`;

/** Titles are unique on the page. */
const idOf = (title: string): string => `chart-${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;

/** A figure: the drawing, its legend, and its numbers as a table. */
export function curveChart({ title, unit, about, range, series, band }: Curve): Markup {
  const id = idOf(title);
  const drawn = series.map((one) => ({ ...one, points: thinned(one.points, MOST_POINTS) }));
  const all = drawn.flatMap(({ points }) => points);
  const xs = all.map(({ step }) => step);
  const xRange: Range = [Math.min(...xs), Math.max(...xs)];
  const axes = axesOf({
    xTicks: ticksOf(xRange, { whole: true }),
    yTicks: ticksOf(valueRange(all, range)),
    xTitle: 'step',
    yTitle: unit,
    xRange,
  });
  const point = ({ step }: Point, value: number): string => `${place(axes.x(step))},${place(axes.y(value))}`;
  return html`<figure class="chart"><figcaption><h3>${title}</h3><p>${about}${
    band === undefined ? '' : ` The area is ${band}.`
  }</p></figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${title}</title><desc id="${id}-d">${series.map(described).join(' ')}</desc>${axes.markup}${drawn.map(
    ({ points }, i) =>
      html`${bandOf(points, point, i)}<polyline class="line ${colour(i)}" points="${points.map((one) => point(one, one.value)).join(' ')}"/>${
        points.length > MARKED_POINTS
          ? ''
          : points.map(
              (one) =>
                html`<circle class="mark ${colour(i)}" cx="${place(axes.x(one.step))}" cy="${place(axes.y(one.value))}" r="2.6"><title>step ${one.step}: ${formatValue(one.value)}</title></circle>`,
            )
      }`,
  )}</svg>${legend(series.map(({ name, points }) => ({ name, value: formatValue(points[points.length - 1].value) })))}${numbers(title, series)}</figure>`;
}

function bandOf(
  points: readonly Point[],
  point: (one: Point, value: number) => string,
  index: number,
): Markup {
  if (points.length === 0 || points[0].low === undefined) return html``;
  const upper = points.map((one) => point(one, one.high ?? one.value));
  const lower = points.map((one) => point(one, one.low ?? one.value)).reverse();
  return html`<polygon class="band ${colour(index)}" points="${[...upper, ...lower].join(' ')}"/>`;
}

/** All points with what they lie between, and at least `range`. */
function valueRange(points: readonly Point[], range?: Range): Range {
  const values = points.flatMap(({ value, low = value, high = value }) => [value, low, high]);
  const [low, high] = [Math.min(...values, ...(range ?? [])), Math.max(...values, ...(range ?? []))];
  // A flat line lies in the middle of something.
  if (low === high) return low === 0 ? [0, 1] : [low - Math.abs(low) / 2, high + Math.abs(high) / 2];
  return [low, high];
}

function described({ name, points }: Series): string {
  const values = points.map(({ value }) => value);
  const [first, last] = [points[0], points[points.length - 1]];
  return (
    `${name}: ${formatValue(first.value)} at step ${first.step}, ${formatValue(last.value)} at step ${last.step}, ` +
    `between ${formatValue(least(values))} and ${formatValue(-least(values.map((value) => -value)))}.`
  );
}

/** Not by a spread call, which a long run would overflow. */
const least = (values: readonly number[]): number =>
  values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);

function legend(entries: readonly { readonly name: string; readonly value?: string }[]): Markup {
  return html`<ul class="legend">${entries.map(
    ({ name, value }, i) =>
      html`<li><svg class="key" viewBox="0 0 24 8" aria-hidden="true"><line class="line ${colour(i)}" x1="0" x2="24" y1="4" y2="4"/></svg>${name}${value === undefined ? '' : html` <b>${value}</b>`}</li>`,
  )}</ul>`;
}

function numbers(title: string, series: readonly Series[]): Markup {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(({ step }) => step)))].sort(
    (a, b) => a - b,
  );
  const count = Math.min(TABLE_ROWS, steps.length);
  const chosen = Array.from({ length: count }, (_, i) =>
    count === 1 ? steps[0] : steps[Math.round((i * (steps.length - 1)) / (count - 1))],
  );
  const at = ({ points }: Series, step: number): string => {
    const found = points.find((one) => one.step === step);
    return found === undefined ? '–' : formatValue(found.value);
  };
  const note = count < steps.length ? ` (${count} of ${steps.length} steps)` : '';
  return html`<details><summary>Numbers of ${title}${note}</summary><div class="wide"><table><thead><tr><th scope="col">step</th>${series.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${chosen.map((step) => html`<tr><th scope="row">${step}</th>${series.map((one) => html`<td>${at(one, step)}</td>`)}</tr>`)}</tbody></table></div></details>`;
}

/** Values of one kind of which the distribution is shown. */
export interface Histogram {
  readonly title: string;
  readonly unit: string;
  readonly about: string;
  readonly sets: readonly { readonly name: string; readonly values: readonly number[] }[];
}

const BINS = 20;
/** Bars of one bin take so much of its width. */
const BAR_SHARE = 0.9;

interface Bin {
  readonly from: number;
  readonly to: number;
  /** Of each set, by its place. */
  readonly shares: readonly number[];
}

export function binsOf(sets: Histogram['sets'], bins = BINS): Bin[] {
  const all = sets.flatMap(({ values }) => values);
  const low = least(all);
  const high = -least(all.map((value) => -value));
  const width = (high - low || 1) / bins;
  const counts = sets.map(({ values }) => {
    const own = Array.from({ length: bins }, () => 0);
    for (const value of values) own[Math.min(bins - 1, Math.floor((value - low) / width))]++;
    return own.map((count) => count / Math.max(1, values.length));
  });
  return Array.from({ length: bins }, (_, i) => ({
    from: low + i * width,
    to: low + (i + 1) * width,
    shares: counts.map((own) => own[i]),
  }));
}

export function histogram({ title, unit, about, sets }: Histogram): Markup {
  const id = idOf(title);
  const bins = binsOf(sets);
  const xRange: Range = [bins[0].from, bins[bins.length - 1].to];
  const most = Math.max(...bins.flatMap(({ shares }) => shares));
  const axes = axesOf({
    xTicks: ticksOf(xRange),
    yTicks: ticksOf([0, most]),
    xTitle: unit,
    yTitle: 'share of completions',
    xRange,
  });
  const bar = ({ from, to, shares }: Bin): Markup[] => {
    const width = ((axes.x(to) - axes.x(from)) * BAR_SHARE) / shares.length;
    return shares.map(
      (share, i) =>
        html`<rect class="bar ${colour(i)}" x="${place(axes.x(from) + i * width)}" y="${place(axes.y(share))}" width="${place(width)}" height="${place(axes.y(0) - axes.y(share))}"><title>${formatValue(from)} to ${formatValue(to)}, ${sets[i].name}: ${(100 * share).toFixed(1)} %</title></rect>`,
    );
  };
  const mean = (values: readonly number[]): string =>
    formatValue(values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length));
  const described = sets
    .map(({ name, values }) => `${name}: ${values.length} completions, mean ${mean(values)}.`)
    .join(' ');
  return html`<figure class="chart"><figcaption><h3>${title}</h3><p>${about}</p></figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${title}</title><desc id="${id}-d">${described}</desc>${axes.markup}${bins.map(bar)}</svg>${legend(sets.map(({ name, values }) => ({ name, value: `mean ${mean(values)}` })))}</figure>`;
}
