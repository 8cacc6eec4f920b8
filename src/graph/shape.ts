import { InternalError } from '../util/errors.js';

/**
 * A dimension: a number, or a symbolic expression of named sizes such as `batch`, `4*seq` or `past+seq`.
 * Expressions are kept in one canonical order, so equal sizes are equal strings.
 */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** Values of the named sizes, e.g. `{ batch: 2, seq: 17 }`. */
export type SymbolSizes = Readonly<Record<string, number>>;

interface Term {
  readonly factor: number;
  readonly symbols: readonly string[];
}

/** The sum of products that a dimension stands for. */
export function dimTerms(dim: Dim): readonly Term[] {
  if (typeof dim === 'number') return [{ factor: dim, symbols: [] }];
  return dim.split('+').map((term) => {
    const parts = term.split('*');
    const numbers = parts.filter((part) => /^\d+$/.test(part)).map(Number);
    return {
      factor: numbers.reduce((product, n) => product * n, 1),
      symbols: parts.filter((part) => !/^\d+$/.test(part)).sort(),
    };
  });
}

function fromTerms(terms: readonly Term[]): Dim {
  const sums = new Map<string, Term>();
  for (const term of terms) {
    const key = term.symbols.join('*');
    sums.set(key, { factor: (sums.get(key)?.factor ?? 0) + term.factor, symbols: term.symbols });
  }
  const kept = [...sums].filter(([, term]) => term.factor !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0][0] === '') return kept[0][1].factor;
  return kept
    .map(([key, { factor }]) => (key === '' ? String(factor) : factor === 1 ? key : `${factor}*${key}`))
    .join('+');
}

export function addDims(a: Dim, b: Dim): Dim {
  return fromTerms([...dimTerms(a), ...dimTerms(b)]);
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  return fromTerms(
    dimTerms(a).flatMap((x) =>
      dimTerms(b).map((y) => ({ factor: x.factor * y.factor, symbols: [...x.symbols, ...y.symbols].sort() })),
    ),
  );
}

/** `dim / divisor`, which must come out even. */
export function divideDim(dim: Dim, divisor: number): Dim {
  return fromTerms(
    dimTerms(dim).map(({ factor, symbols }) => {
      if (factor % divisor !== 0) throw new InternalError(`the size ${dim} is no multiple of ${divisor}`);
      return { factor: factor / divisor, symbols };
    }),
  );
}

/** The number of elements, symbolic where a dimension is. */
export function sizeOf(shape: Shape): Dim {
  return shape.reduce<Dim>(multiplyDims, 1);
}

/** The number that `dim` stands for once its symbols have values. */
export function evaluateDim(dim: Dim, sizes: SymbolSizes): number {
  return dimTerms(dim).reduce((sum, { factor, symbols }) => {
    return (
      sum +
      symbols.reduce((product, symbol) => {
        const size = sizes[symbol];
        if (size === undefined) throw new InternalError(`the size '${symbol}' has no value`);
        return product * size;
      }, factor)
    );
  }, 0);
}

export function evaluateShape(shape: Shape, sizes: SymbolSizes): number[] {
  return shape.map((dim) => evaluateDim(dim, sizes));
}

/** `[2, seq, 64]`, for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** NumPy's broadcasting of two shapes, or null where they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Dim[] | null {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return null;
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** A negative axis counts from the end, as in NumPy. */
export function normalizeAxis(axis: number, rank: number): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank) {
    throw new InternalError(`axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return normalized;
}
