/** @module The values of named sizes, read off the shapes of what is fed. */
import { InternalError } from '../util/errors.js';
import { type Dim, dimTerms, evaluateDim, formatShape, type Shape, type SymbolSizes } from './shape.js';

/** A leaf's declared shape and the shape of what was fed for it. */
export interface Fed {
  readonly name: string;
  readonly declared: Shape;
  readonly actual: readonly number[];
}

/** The one size that `dim` still lacks and the value that makes it `actual`; null where none or several lack. */
function solve(dim: Dim, actual: number, sizes: SymbolSizes): [symbol: string, value: number] | null {
  const terms = dimTerms(dim);
  const missing = terms.flatMap((term) => term.symbols.filter((symbol) => !(symbol in sizes)));
  if (missing.length !== 1) return null;
  const [symbol] = missing;
  // The dimension is a straight line in its missing size: two points give it.
  const at = (value: number): number => evaluateDim(dim, { ...sizes, [symbol]: value });
  return [symbol, (actual - at(0)) / (at(1) - at(0))];
}

/**
 * The sizes under which every declared shape is the fed one, e.g. `[batch, 4*seq]` fed with `[2, 12]` gives
 * `{ batch: 2, seq: 3 }`. Refuses shapes that no sizes fit, naming the feed and both shapes.
 */
export function bindSizes(feeds: readonly Fed[]): SymbolSizes {
  const sizes: Record<string, number> = {};
  const wrong = ({ name, declared, actual }: Fed): InternalError => {
    const known = JSON.stringify(sizes);
    return new InternalError(
      `'${name}' is declared as ${formatShape(declared)} and fed with ${formatShape(actual)} (${known})`,
    );
  };
  for (const fed of feeds) if (fed.declared.length !== fed.actual.length) throw wrong(fed);
  const open = feeds.flatMap((fed) => fed.declared.map((dim, i) => ({ fed, dim, actual: fed.actual[i] })));
  // Each round may make another dimension solvable; one without a find ends it.
  for (let found = true; found; ) {
    found = false;
    for (const { fed, dim, actual } of open) {
      const solution = solve(dim, actual, sizes);
      if (solution === null) continue;
      const [symbol, value] = solution;
      if (!Number.isInteger(value) || value < 0) throw wrong(fed);
      sizes[symbol] = value;
      found = true;
    }
  }
  for (const { fed, dim, actual } of open) if (evaluateDim(dim, sizes) !== actual) throw wrong(fed);
  return sizes;
}
