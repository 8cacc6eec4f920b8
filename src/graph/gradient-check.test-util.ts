import { gradients } from './gradients.js';
import { type Feed, interpret } from './interpreter.js';
import type { Tensor } from './node.js';
import { expandComposites } from './rewrite.js';
import { shareSubexpressions } from './share.js';
import { verify } from './verify.js';

/** In f64 the truncation error (∝ h²) and the rounding error (∝ 1/h) of a central difference meet near here. */
const STEP = 1e-5;

/** Gradients below this are compared absolutely: differences of a loss near 1 know no more than about 1e-10. */
const SMALL_GRADIENT = 1e-4;

/** Central differences of a scalar loss, in f64, one array per tensor of `wrt` (inputs or parameters). */
export function numericalGradient(
  loss: Tensor,
  wrt: readonly Tensor[],
  feeds: Readonly<Record<string, Feed>>,
): Float64Array[] {
  const graph = shareSubexpressions(expandComposites([loss]));
  return wrt.map((tensor) => {
    const name = String(tensor.node.attributes.name);
    const { shape, data } = feeds[name];
    const lossWith = (index: number, shift: number): number => {
      const moved = Float64Array.from(data, Number);
      moved[index] += shift;
      return interpret(graph, { ...feeds, [name]: { shape, data: moved } })[0].data[0];
    };
    return Float64Array.from(
      data,
      (_, index) => (lossWith(index, STEP) - lossWith(index, -STEP)) / (2 * STEP),
    );
  });
}

/**
 * The largest difference between `gradients(loss, wrt)` and central differences, relative to the largest element of
 * each gradient, in f64. The graph is verified before and after equal nodes are shared.
 */
export function gradientError(
  loss: Tensor,
  wrt: readonly Tensor[],
  feeds: Readonly<Record<string, Feed>>,
): number {
  const built = gradients(loss, wrt);
  verify([loss, ...built]);
  const shared = shareSubexpressions(built);
  verify(shared);
  const found = interpret(shared, feeds);
  const errors = numericalGradient(loss, wrt, feeds).map((expected, i) => {
    if (found[i].data.length !== expected.length) return Infinity;
    const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), SMALL_GRADIENT);
    return expected.reduce((most, value, j) => Math.max(most, Math.abs(value - found[i].data[j])), 0) / scale;
  });
  // Math.max keeps a NaN, so that one is never taken for a small error.
  return Math.max(...errors);
}
