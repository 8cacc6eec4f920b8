import { messageOf } from '../../src/util/errors.js';
import type { GoldenLine } from './types.js';

/** Largest difference of floats, relative to the golden tensor's largest magnitude (the goldens' README). */
const FLOAT_TOLERANCE = 2e-4;

type Comparable = number | bigint | string | boolean | null | undefined;

/** The names of one comparison. */
interface Compared {
  readonly path: string;
  readonly part?: string;
}

/** A line for an error that was measured; NaN is never ok. */
export function line({ path, part }: Compared, error: number, tolerance: number, note?: string): GoldenLine {
  return { path, part, error, tolerance, ok: error <= tolerance, note };
}

/** Equal values: the error is the number of places that differ, infinite where the lengths do. */
export function compareExact(
  compared: Compared,
  actual: ArrayLike<Comparable>,
  golden: ArrayLike<Comparable>,
): GoldenLine {
  if (actual.length !== golden.length) {
    return line(
      compared,
      Number.POSITIVE_INFINITY,
      0,
      `${actual.length} values, but ${golden.length} in the golden`,
    );
  }
  let different = 0;
  let first = -1;
  for (let i = 0; i < golden.length; i++) {
    if (Object.is(actual[i], golden[i])) continue;
    if (different++ === 0) first = i;
  }
  const note =
    first < 0
      ? undefined
      : `at ${first}: ${String(actual[first])}, but ${String(golden[first])} in the golden`;
  return line(compared, different, 0, note);
}

/**
 * Floats: the worst |a − b| relative to the golden's largest finite magnitude (absolute where that is 0). The same
 * infinity on both sides is equal; any other value that is not finite makes the error infinite.
 */
export function compareFloats(
  compared: Compared,
  actual: ArrayLike<number>,
  golden: ArrayLike<number>,
  tolerance = FLOAT_TOLERANCE,
): GoldenLine {
  if (actual.length !== golden.length) {
    const note = `${actual.length} values, but ${golden.length} in the golden`;
    return line(compared, Number.POSITIVE_INFINITY, tolerance, note);
  }
  let magnitude = 0;
  let worst = 0;
  let worstAt = 0;
  for (let i = 0; i < golden.length; i++) {
    if (Number.isFinite(golden[i])) magnitude = Math.max(magnitude, Math.abs(golden[i]));
    if (actual[i] === golden[i]) continue;
    const distance = Math.abs(actual[i] - golden[i]);
    const difference = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    if (difference > worst) [worst, worstAt] = [difference, i];
  }
  const error = worst / (magnitude || 1);
  const note =
    error <= tolerance
      ? undefined
      : `at ${worstAt}: ${actual[worstAt]}, but ${golden[worstAt]} in the golden`;
  return line(compared, error, tolerance, note);
}

/** A line for what threw before anything could be compared. */
export function failed({ path, part }: Compared, error: unknown): GoldenLine {
  return { path, part, error: Number.NaN, tolerance: 0, ok: false, note: messageOf(error) };
}

/** The lines of one golden; what it throws becomes a line that is not ok, and the other goldens go on. */
export async function* guarded(
  compared: Compared,
  lines: () => AsyncIterable<GoldenLine> | Iterable<GoldenLine>,
): AsyncGenerator<GoldenLine> {
  try {
    yield* lines();
  } catch (error) {
    yield failed(compared, error);
  }
}
