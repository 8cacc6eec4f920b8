import { parameter } from '../graph/ops.js';
import type { Tensor } from '../graph/node.js';
import { InternalError } from '../util/errors.js';
import { formatShape, sameShape } from '../graph/shape.js';

/** An adapter: what it adds to a linear module's output, if anything. */
export interface LowRank {
  update(weights: Parameters, module: string, x: Tensor, out: number): Tensor | undefined;
}

/**
 * The weights a graph uses, by their names in the checkpoint. Asking twice gives the same tensor, so tied weights
 * are one leaf with one gradient.
 */
export class Parameters {
  private readonly tensors = new Map<string, Tensor>();

  constructor(
    /** What is added to the products of some modules. */
    readonly lowRank?: LowRank,
  ) {}

  get(name: string, shape: readonly number[]): Tensor {
    const known = this.tensors.get(name);
    if (known === undefined) {
      const made = parameter(name, shape);
      this.tensors.set(name, made);
      return made;
    }
    if (!sameShape(known.shape, shape)) {
      throw new InternalError(
        `'${name}' is used as ${formatShape(known.shape)} and as ${formatShape(shape)}`,
      );
    }
    return known;
  }

  /** All weights asked for so far. */
  all(): ReadonlyMap<string, Tensor> {
    return this.tensors;
  }
}
