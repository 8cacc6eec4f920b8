/** @module From a model's forward pass to the outputs of a training graph, all of it kept or layers computed again. */
import { type Boundary, checkpoint } from '../graph/checkpoint.js';
import { gradients } from '../graph/gradients.js';
import type { Tensor } from '../graph/node.js';

/** Hidden states between the blocks of each stack (the vision tower's, the language model's), first to last. */
export type Stacks = readonly (readonly Tensor[])[];

export interface DifferentiatedParts {
  /** `loss` [] and whatever else the graph gives. */
  readonly forward: Readonly<Record<string, Tensor>> & { readonly loss: Tensor };
  /** The weights to differentiate by, by name. */
  readonly trainable: ReadonlyMap<string, Tensor>;
  readonly stacks: Stacks;
  /** Blocks between two states that are kept; everything is kept where it is left out. */
  readonly keptEvery?: number;
}

/** The outputs of the forward pass and `grad.NAME` for every trainable weight. */
export function differentiated({
  forward,
  trainable,
  stacks,
  keptEvery,
}: DifferentiatedParts): Record<string, Tensor> {
  const weights = [...trainable.values()];
  const states = keptEvery === undefined ? [] : stacks.flatMap((stack) => kept(stack, keptEvery));
  const all = gradients(forward.loss, [...weights, ...states]);
  const boundaries = states.map((state, i): Boundary => ({ state, gradient: all[weights.length + i] }));
  const whole = { forward: Object.values(forward), gradients: all.slice(0, weights.length) };
  const halves = boundaries.length === 0 ? whole : checkpoint(whole, boundaries);
  const names = [...Object.keys(forward), ...[...trainable.keys()].map((name) => `grad.${name}`)];
  const tensors = [...halves.forward, ...halves.gradients];
  return Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
}

/** Every so many states of a stack, and its last. */
function kept(stack: readonly Tensor[], every: number): Tensor[] {
  return stack.filter((_, i) => i % every === 0 || i === stack.length - 1);
}
