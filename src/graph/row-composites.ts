/**
 * @module Rows that go to places and come back: gathers along indices that say both ways, so that the gradient is a gather as well,
 * where a gather's own is a scatter.
 */
import { makeNode, type OpDefinition, refuse, type Tensor } from './node.js';
import * as op from './ops.js';
import { multiplyDims, sameShape } from './shape.js';

/** a [B, M, …] and b [B, N, …] as rows [B·(M + N), …]. */
function sideBySide(a: Tensor, b: Tensor): Tensor {
  const both = op.concat([a, b], 1);
  return op.reshape(both, [multiplyDims(both.shape[0], both.shape[1]), ...both.shape.slice(2)]);
}

export const ROW_COMPOSITES = {
  /** Rows of x [N, …] by index […]; the second index is the gradient's way back. */
  take: {
    infer([x, rows, back]) {
      if (rows.dtype !== 'i64' || back.dtype !== 'i64') refuse('take', [x, rows, back], 'needs i64 indices');
      return [{ dtype: x.dtype, shape: [...rows.shape, ...x.shape.slice(1)] }];
    },
    decompose: ([x, rows]) => [op.gather(x, rows)],
  },

  /** Two selections of the same rows; see `splitRows`. */
  splitRows: {
    infer([x, first, second, back]) {
      if ([first, second, back].some(({ dtype }) => dtype !== 'i64'))
        refuse('splitRows', [x, first, second, back], 'needs i64 indices');
      return [first, second].map(({ shape }) => ({ dtype: x.dtype, shape: [...shape, ...x.shape.slice(1)] }));
    },
    decompose: ([x, first, second]) => [op.gather(x, first), op.gather(x, second)],
  },

  /** The way back from `splitRows`. */
  joinRows: {
    infer([a, b, rows, ...backs]) {
      if (
        [rows, ...backs].some(({ dtype }) => dtype !== 'i64') ||
        a.dtype !== b.dtype ||
        !sameShape(a.shape.slice(2), b.shape.slice(2))
      )
        refuse('joinRows', [a, b, rows, ...backs], 'needs rows of one dtype and shape and i64 indices');
      return [{ dtype: a.dtype, shape: [...rows.shape, ...a.shape.slice(2)] }];
    },
    decompose: ([a, b, rows]) => [op.gather(sideBySide(a, b), rows)],
  },
} as const satisfies Record<string, Required<OpDefinition>>;

/**
 * Rows of x [N, …] by index: rows […] i64 → […, …]. `back` [N] says where each row of x stands among them, one past the last for
 * a row that is not taken: its gradient is read there, where a scatter would add all up. So of the places of a row only
 * that one may have a gradient.
 */
export function take(x: Tensor, rows: Tensor, back: Tensor): Tensor {
  return makeNode('take', ROW_COMPOSITES.take, [x, rows, back]).outputs[0];
}

/** How rows [B·N, …] stand in two parts, and where each stands when the parts lie side by side. */
export interface SplitRows {
  /** [B, M] i64, flat in B·N. */
  readonly first: Tensor;
  /** [B, K] i64, flat in B·N. */
  readonly second: Tensor;
  /** [B, N] i64, flat in B·(M + K). */
  readonly back: Tensor;
}

/**
 * x [B·N, …] in two parts [B, M, …] and [B, K, …]. Gradients are read along `back`: of the places of a row only that one may
 * have a gradient.
 */
export function splitRows(x: Tensor, { first, second, back }: SplitRows): [Tensor, Tensor] {
  const { outputs } = makeNode('splitRows', ROW_COMPOSITES.splitRows, [x, first, second, back]);
  return [outputs[0], outputs[1]];
}

/** Two parts [B, M, …] and [B, K, …] as rows [B, N, …] again. A place that no row reads must stand for a row without a gradient. */
export function joinRows(a: Tensor, b: Tensor, { first, second, back }: SplitRows): Tensor {
  return makeNode('joinRows', ROW_COMPOSITES.joinRows, [a, b, back, first, second]).outputs[0];
}
