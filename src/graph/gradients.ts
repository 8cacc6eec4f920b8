/** @module Reverse-mode differentiation: one table of rules, one short walk. */
import { InternalError } from '../util/errors.js';
import {
  attentionWeights,
  COMPOSITES,
  type CompositeName,
  halvesOf,
  markedOperands,
  rope,
} from './composites.js';
import { type Node, reachable, type Tensor } from './node.js';
import * as op from './ops.js';
import { numbers } from './primitives.js';
import { joinRows, splitRows } from './row-composites.js';
import { evaluateDim, formatShape, multiplyDims, sameShape, sizeOf } from './shape.js';

/** From the gradients of a node's outputs (its first one's, and all) to one per input; null where none flows. */
type Rule = (gradient: Tensor, node: Node, all: readonly Tensor[]) => readonly (Tensor | null)[];

/** Sums what broadcasting repeated, back to the operand's shape. */
function unbroadcast(gradient: Tensor, operand: Tensor): Tensor {
  const extra = gradient.shape.length - operand.shape.length;
  const axes = gradient.shape.flatMap((dim, i) => (i < extra || operand.shape[i - extra] !== dim ? [i] : []));
  return op.reshape(op.reduceSum(gradient, axes), operand.shape);
}

function elementwise(derivative: (x: Tensor, y: Tensor) => Tensor): Rule {
  return (gradient, node) => [op.mul(gradient, derivative(node.inputs[0], node.outputs[0]))];
}

function binary(rule: (gradient: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor, Tensor]): Rule {
  return (gradient, node) => {
    const [a, b] = node.inputs;
    const [forA, forB] = rule(gradient, a, b, node.outputs[0]);
    return [unbroadcast(forA, a), unbroadcast(forB, b)];
  };
}

/** Where `a` won, its share of the gradient: all, or half of a tie, as PyTorch. */
function winner(wins: Tensor, ties: Tensor, gradient: Tensor): Tensor {
  const zero = op.scalar(0, gradient.dtype);
  return op.where(ties, op.mul(gradient, 0.5), op.where(wins, gradient, zero));
}

/** A reduction's gradient with its reduced axes put back as ones. */
function restore(gradient: Tensor, node: Node): Tensor {
  const axes = new Set(numbers(node.attributes.axes));
  return op.reshape(
    gradient,
    node.inputs[0].shape.map((dim, i) => (axes.has(i) ? 1 : dim)),
  );
}

/** A vector or batch that broadcast into the product is summed back. */
function matmulGradients(gradient: Tensor, node: Node): Tensor[] {
  const [a, b] = node.inputs;
  return [
    unbroadcast(op.matmul(gradient, op.matrixTranspose(b)), a),
    unbroadcast(op.matmul(op.matrixTranspose(a), gradient), b),
  ];
}

export const GRADIENT_RULES: Readonly<Record<string, Rule>> = {
  neg: (gradient) => [op.neg(gradient)],
  abs: elementwise((x) => op.sign(x)),
  exp: elementwise((_, y) => y),
  log: elementwise((x) => op.reciprocal(x)),
  sqrt: elementwise((_, y) => op.div(0.5, y)),
  reciprocal: elementwise((_, y) => op.neg(op.mul(y, y))),
  tanh: elementwise((_, y) => op.sub(1, op.mul(y, y))),
  sigmoid: elementwise((_, y) => op.mul(y, op.sub(1, y))),
  erf: elementwise((x) => op.mul(op.exp(op.neg(op.mul(x, x))), 2 / Math.sqrt(Math.PI))),
  sin: elementwise((x) => op.cos(x)),
  cos: elementwise((x) => op.neg(op.sin(x))),
  add: binary((gradient) => [gradient, gradient]),
  sub: binary((gradient) => [gradient, op.neg(gradient)]),
  mul: binary((gradient, a, b) => [op.mul(gradient, b), op.mul(gradient, a)]),
  div: binary((gradient, _, b, y) => {
    const forA = op.div(gradient, b);
    return [forA, op.neg(op.mul(forA, y))];
  }),
  pow: binary((gradient, a, b, y) => [
    op.mul(gradient, op.mul(b, op.pow(a, op.sub(b, 1)))),
    op.mul(gradient, op.mul(y, op.log(a))),
  ]),
  max: binary((gradient, a, b) => [
    winner(op.greater(a, b), op.equal(a, b), gradient),
    winner(op.less(a, b), op.equal(a, b), gradient),
  ]),
  min: binary((gradient, a, b) => [
    winner(op.less(a, b), op.equal(a, b), gradient),
    winner(op.greater(a, b), op.equal(a, b), gradient),
  ]),
  where: (gradient, node) => {
    const [condition, a, b] = node.inputs;
    const zero = op.scalar(0, gradient.dtype);
    return [
      null,
      unbroadcast(op.where(condition, gradient, zero), a),
      unbroadcast(op.where(condition, zero, gradient), b),
    ];
  },
  cast: (gradient, node) => [op.cast(gradient, node.inputs[0].dtype)],
  after: (gradient, node) => node.inputs.map((_, i) => (i === 0 ? gradient : null)),
  reduceSum: (gradient, node) => [op.expand(restore(gradient, node), node.inputs[0].shape)],
  reduceMean: (gradient, node) => {
    const [x] = node.inputs;
    const count = numbers(node.attributes.axes).reduce((product, axis) => {
      return product * evaluateDim(x.shape[axis], {});
    }, 1);
    return [op.expand(op.mul(restore(gradient, node), 1 / count), x.shape)];
  },
  reduceMax: (gradient, node) => {
    const [x] = node.inputs;
    const axes = numbers(node.attributes.axes);
    const isMax = op.cast(op.equal(x, restore(node.outputs[0], node)), x.dtype);
    // Equal maxima share the gradient evenly (PyTorch's amax).
    const share = op.div(restore(gradient, node), op.reduceSum(isMax, axes));
    return [op.mul(isMax, share)];
  },
  matmul: matmulGradients,
  reshape: (gradient, node) => [op.reshape(gradient, node.inputs[0].shape)],
  transpose: (gradient, node) => {
    const permutation = numbers(node.attributes.permutation);
    return [
      op.transpose(
        gradient,
        permutation.map((_, i) => permutation.indexOf(i)),
      ),
    ];
  },
  expand: (gradient, node) => [unbroadcast(gradient, node.inputs[0])],
  concat: (gradient, node) => {
    const axis = node.attributes.axis as number;
    let start = 0;
    return node.inputs.map((input) => {
      const size = evaluateDim(input.shape[axis], {});
      start += size;
      return op.slice(gradient, axis, start - size, start);
    });
  },
  slice: (gradient, node) => {
    const { axis, start, end } = node.attributes as { axis: number; start: number; end: number };
    const size = evaluateDim(node.inputs[0].shape[axis], {});
    return [op.pad(gradient, axis, start, size - end)];
  },
  pad: (gradient, node) => {
    const { axis, before } = node.attributes as { axis: number; before: number };
    const size = evaluateDim(node.inputs[0].shape[axis], {});
    return [op.slice(gradient, axis, before, before + size)];
  },
  gather: (gradient, node) => [op.scatterAdd(gradient, node.inputs[1], node.inputs[0].shape), null],
  scatterAdd: (gradient, node) => [op.gather(gradient, node.inputs[1]), null],

  // Composites whose own rule is cheaper than walking their decomposition; tests hold both equal.
  softmax: (gradient, node) => {
    const [y] = node.outputs;
    const weighted = op.mul(gradient, y);
    return [op.sub(weighted, op.mul(y, op.reduceSum(weighted, [-1])))];
  },
  logSoftmax: (gradient, node) => {
    const [y] = node.outputs;
    return [op.sub(gradient, op.mul(op.exp(y), op.reduceSum(gradient, [-1])))];
  },
  // x·σ(x) has the derivative σ + y·(1 − σ).
  silu: elementwise((x, y) => {
    const sigma = op.sigmoid(x);
    return op.add(sigma, op.mul(y, op.sub(1, sigma)));
  }),
  // Of x̂ = x · scale: what leaves along x̂ itself changes its length alone, which is normed away.
  rmsNorm: (gradient, node) => {
    const [x, weight] = node.inputs;
    const [, scale] = node.outputs;
    const size = weight.shape[0] as number;
    const normed = op.mul(x, scale);
    const products = op.mul(gradient, normed);
    const column = op.reshape(op.mul(weight, 1 / size), [size, 1]);
    const along = op.matmul(products, column);
    const across = op.sub(op.mul(gradient, weight), op.mul(normed, along));
    return [op.mul(across, scale), unbroadcast(products, weight)];
  },
  // Turned back; and how a turn changes with its cosine and its sine.
  rope: (gradient, node) => {
    const [x, cosine, sine] = node.inputs;
    const own = halvesOf(x, cosine, sine);
    const arriving = halvesOf(gradient, cosine, sine);
    const overHeads = (a: Tensor): Tensor => op.reshape(op.reduceSum(a, [2]), cosine.shape);
    return [
      rope(gradient, cosine, op.neg(sine)),
      overHeads(op.add(op.mul(arriving.first, own.first), op.mul(arriving.second, own.second))),
      overHeads(op.sub(op.mul(arriving.second, own.first), op.mul(arriving.first, own.second))),
    ];
  },
};

/** Of all heads [B, H, S, D], those of a group below each other, as `queries` [B, K, group·S, …] stand. */
const grouped = (x: Tensor, queries: Tensor): Tensor =>
  op.reshape(x, [...queries.shape.slice(0, 3), x.shape[3]]);

/** The scores' gradient for the mask of an attention node. */
function toMask(toScores: Tensor, { inputs: [q, k, , mask] }: Node): Tensor {
  return unbroadcast(op.reshape(toScores, [...q.shape.slice(0, 3), k.shape[2]]), mask);
}

/** What reaches an attention's output and what left it [B, K, group·S, D], and its values [B, K, T, D]. */
interface ThroughSoftmax {
  readonly arriving: Tensor;
  readonly left: Tensor;
  readonly values: Tensor;
  /** What reaches log Σ exp of the scores [B, K, group·S, 1]. */
  readonly score?: Tensor;
}

/**
 * The gradient of attention's scores, from its weights [B, K, group·S, T]. The softmax's own needs Σ weights · gradient of each query;
 * that is gradient · output, a sum over D instead of T (FlashAttention, arXiv 2205.14135 appendix B). It is subtracted from every
 * product by one more coordinate, which saves a pass over the square.
 */
function throughSoftmax(weights: Tensor, { arriving, left, values, score }: ThroughSoftmax): Tensor {
  const along = op.reduceSum(op.mul(arriving, left), [-1]);
  const subtracted = score === undefined ? along : op.sub(along, score);
  const minus = op.expand(op.scalar(-1, values.dtype), [...values.shape.slice(0, 3), 1]);
  const centred = op.matmul(
    op.concat([arriving, subtracted], 3),
    op.matrixTranspose(op.concat([values, minus], 3)),
  );
  return op.mul(weights, centred);
}

/** Of attention's output, and of log Σ exp of its scores where that is one, to queries, keys, values and mask. */
function attentionGradients(node: Node, scale: number, toMixed: Tensor, toScore?: Tensor): Tensor[] {
  const [q, k, v, mask] = node.inputs;
  const { queries, weights } = attentionWeights(node.inputs, scale);
  const arriving = grouped(toMixed, queries);
  const left = grouped(node.outputs[0], queries);
  // The softmax is the gradient of log Σ exp.
  const score = toScore && grouped(toScore, queries);
  const toScores = throughSoftmax(weights, { arriving, left, values: v, score });
  const toQueries = op.reshape(op.matmul(toScores, k), q.shape);
  return [
    scale === 1 ? toQueries : op.mul(toQueries, scale),
    op.matmul(op.matrixTranspose(toScores), queries),
    op.matmul(op.matrixTranspose(weights), arriving),
    ...(mask === undefined ? [] : [toMask(toScores, node)]),
  ];
}

/**
 * Composites that a training graph takes apart, and whose own rule is cheaper all the same; it reads values of the
 * decomposition, which lowering shares.
 */
const DECOMPOSED_RULES: Readonly<Record<string, Rule>> = {
  take: (gradient, node) => {
    const [x, rows, back] = node.inputs;
    const places = op.reshape(gradient, [rows.shape.reduce(multiplyDims), ...x.shape.slice(1)]);
    return [op.gather(op.pad(places, 0, 0, 1), op.reshape(back, x.shape.slice(0, 1))), null, null];
  },
  splitRows: (_, node, [first, second]) => {
    const [x, ...indices] = node.inputs;
    const joined = joinRows(first, second, { first: indices[0], second: indices[1], back: indices[2] });
    return [op.reshape(joined, x.shape), null, null, null];
  },
  joinRows: (gradient, node) => {
    const [a, , back, first, second] = node.inputs;
    const rows = op.reshape(gradient, [multiplyDims(back.shape[0], back.shape[1]), ...a.shape.slice(2)]);
    return [...splitRows(rows, { first, second, back }), null, null, null];
  },
  attention: (gradient, node) => attentionGradients(node, node.attributes.scale as number, gradient),
  scoredAttention: (_, node, [toMixed, toScore]) => attentionGradients(node, 1, toMixed, toScore),
  sharedAttention: (_, node, [toMixed, toShare]) => {
    const [q, k] = node.inputs;
    const marked = markedOperands(node.inputs);
    const { weights } = attentionWeights([marked.q, marked.k], 1);
    const queries = grouped(q, weights);
    const arriving = grouped(toMixed, weights);
    const toScores = throughSoftmax(weights, {
      arriving: op.concat([arriving, grouped(toShare, weights)], 3),
      left: op.concat(
        node.outputs.map((output) => grouped(output, weights)),
        3,
      ),
      values: marked.v,
    });
    return [
      op.reshape(op.matmul(toScores, k), q.shape),
      op.matmul(op.matrixTranspose(toScores), queries),
      op.matmul(op.matrixTranspose(weights), arriving),
      op.reshape(op.slice(toScores, 3, 0, 1), node.inputs[3].shape),
      null,
    ];
  },
};

/** Composites that keep their own node in a training graph: exactly those with a rule above. */
export const DIFFERENTIABLE_COMPOSITES: ReadonlySet<string> = new Set(
  Object.keys(COMPOSITES).filter((name) => name in GRADIENT_RULES),
);

/** Ops through which no gradient flows, by their nature. */
export const NOT_DIFFERENTIABLE: ReadonlySet<string> = new Set([
  'input',
  'parameter',
  'constant',
  'stopGradient',
  'sign',
  'equal',
  'less',
  'greater',
  'and',
  'or',
  'not',
]);

/**
 * The gradients of a scalar `loss` with respect to `wrt`, as new nodes over the same graph (zeros where the loss
 * does not depend on a tensor). Composites without a rule are walked through their decomposition, which lowering
 * shares with the forward pass.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (sizeOf(loss.shape) !== 1)
    throw new InternalError(`the loss has shape ${formatShape(loss.shape)}; it must be one number`);
  const walk = new Walk(wrt);
  walk.add(loss, op.expand(op.scalar(1, loss.dtype), loss.shape));
  walk.back([loss]);
  return wrt.map((tensor) => walk.of(tensor) ?? op.expand(op.scalar(0, tensor.dtype), tensor.shape));
}

/** A part of one axis, which `pad` fills up with zeros. */
interface Part {
  readonly inner: Tensor;
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

function partOf({ node }: Tensor): Part | null {
  if (node.op !== 'pad') return null;
  const { axis, before, after } = node.attributes as { axis: number; before: number; after: number };
  const [inner] = node.inputs;
  const own = inner.shape[axis];
  if (typeof own !== 'number') return null;
  return { inner, axis, start: before, end: before + own, size: before + own + after };
}

const filled = ({ inner, axis, start, end, size }: Part): Tensor => op.pad(inner, axis, start, size - end);

/** Two parts that begin together: the shorter is filled up to the longer, not to the whole. */
function overlaid(short: Part, long: Part): Part {
  const inner = op.add(long.inner, op.pad(short.inner, long.axis, 0, long.end - short.end));
  return { ...long, inner };
}

/**
 * The sum of gradients that reached one tensor. Of slices many are parts of an axis between zeros: those that begin together are
 * added where they are, those that follow each other put side by side, and only what is left is filled up.
 */
function total(gradients: readonly Tensor[]): Tensor {
  const whole: Tensor[] = [];
  const byPlace = new Map<string, Part>();
  const parts = gradients.flatMap((gradient) => {
    const part = partOf(gradient);
    if (part === null) whole.push(gradient);
    return part ?? [];
  });
  for (const part of parts.sort((a, b) => a.end - b.end)) {
    const place = `${part.axis}/${part.start}`;
    const shorter = byPlace.get(place);
    byPlace.set(place, shorter === undefined ? part : overlaid(shorter, part));
  }
  const rows: Part[][] = [];
  for (const part of [...byPlace.values()].sort((a, b) => a.axis - b.axis || a.start - b.start)) {
    const row = rows.find((others) => others[0].axis === part.axis && others.at(-1)?.end === part.start);
    if (row === undefined) rows.push([part]);
    else row.push(part);
  }
  const sides = rows.map((row) => {
    const [{ axis, start }] = row;
    const inner = op.concat(
      row.map((part) => part.inner),
      axis,
    );
    return filled({ ...row[row.length - 1], inner, start });
  });
  return [...whole, ...sides].reduce(op.add);
}

class Walk {
  private readonly found = new Map<Tensor, Tensor[]>();

  constructor(private readonly wrt: readonly Tensor[]) {}

  /** All that has reached the tensor. */
  of(tensor: Tensor): Tensor | undefined {
    const parts = this.found.get(tensor);
    if (parts === undefined) return undefined;
    const sum = total(parts);
    this.found.set(tensor, [sum]);
    return sum;
  }

  add(tensor: Tensor, gradient: Tensor): void {
    if (!sameShape(tensor.shape, gradient.shape)) {
      throw new InternalError(
        `the gradient of ${tensor.node.op} has shape ${formatShape(gradient.shape)}, not ${formatShape(tensor.shape)}`,
      );
    }
    this.found.set(tensor, [...(this.found.get(tensor) ?? []), gradient]);
  }

  /** From `outputs` back to the leaves, users before their inputs. */
  back(outputs: readonly Tensor[], within?: ReadonlySet<Node>): void {
    const nodes = reachable(outputs);
    const needed = this.needed(nodes);
    for (const node of nodes.reverse()) {
      if (within !== undefined && !within.has(node)) continue;
      if (!node.outputs.some((output) => this.found.has(output))) continue;
      if (!node.inputs.some((input) => needed.has(input))) continue;
      this.step(node, needed);
    }
  }

  private step(node: Node, needed: ReadonlySet<Tensor>): void {
    const rule = GRADIENT_RULES[node.op] ?? DECOMPOSED_RULES[node.op];
    if (rule !== undefined) {
      const all = node.outputs.map(
        (output) => this.of(output) ?? op.expand(op.scalar(0, output.dtype), output.shape),
      );
      rule(all[0], node, all).forEach((value, i) => {
        if (value !== null && needed.has(node.inputs[i])) this.add(node.inputs[i], value);
      });
      return;
    }
    if (NOT_DIFFERENTIABLE.has(node.op)) return;
    if (!(node.op in COMPOSITES)) throw new InternalError(`${node.op} has no gradient rule`);
    const { decompose } = COMPOSITES[node.op as CompositeName];
    const expanded = decompose(node.inputs, node.attributes);
    expanded.forEach((output, i) => {
      const gradient = this.of(node.outputs[i]);
      if (gradient !== undefined) this.add(output, gradient);
    });
    const outside = new Set(reachable(node.inputs));
    this.back(expanded, new Set(reachable(expanded).filter((inner) => !outside.has(inner))));
  }

  /** The tensors on a path from `wrt`. */
  private needed(nodes: readonly Node[]): ReadonlySet<Tensor> {
    const needed = new Set(this.wrt);
    for (const node of nodes) {
      if (node.op === 'stopGradient' || !node.inputs.some((input) => needed.has(input))) continue;
      for (const output of node.outputs) if (isDifferentiable(output)) needed.add(output);
    }
    return needed;
  }
}

const isDifferentiable = (tensor: Tensor): boolean => tensor.dtype === 'f32' || tensor.dtype === 'f16';
