/**
 * @module Gradient checkpointing (Chen et al., arXiv 1604.06174): the backward half computes the values between two
 * boundaries again, from the state at the first one, instead of keeping them. The same nodes compute them, so no bit
 * differs; the price is about one more forward pass.
 */
import { DIFFERENTIABLE_COMPOSITES } from './gradients.js';
import { type Node, reachable, type Tensor } from './node.js';
import { after } from './ops.js';
import { expandComposites, rebuild } from './rewrite.js';
import { shareSubexpressions } from './share.js';

/** A value that is kept, and the gradient of the loss with respect to it. */
export interface Boundary {
  readonly state: Tensor;
  readonly gradient: Tensor;
}

/** A training graph in its two halves. */
export interface TrainingOutputs {
  /** The loss and all else that is no gradient. */
  readonly forward: readonly Tensor[];
  readonly gradients: readonly Tensor[];
}

/**
 * The same outputs, with what lies between two boundaries computed again for the backward half. `boundaries` stand in
 * the order of the forward pass, each computed from the one before; what comes before the first and after the last is
 * kept. A segment's turn comes when all that needs only later segments is done, gradients of weights too: a
 * scheduler that is free to compute those at the end keeps alive what they read.
 */
export function checkpoint(outputs: TrainingOutputs, boundaries: readonly Boundary[]): TrainingOutputs {
  const graph = new SegmentedGraph(outputs, boundaries);
  const replaced = new Map<Tensor, Tensor>();
  const recomputation = new Recomputation(graph, replaced);
  for (const node of graph.backward) {
    const inputs = node.inputs.map((input) => replaced.get(input) ?? recomputation.of(input));
    const made = rebuild(node, inputs).outputs;
    node.outputs.forEach((output, i) => replaced.set(output, made[i]));
  }
  return {
    forward: graph.outputs.forward,
    gradients: graph.outputs.gradients.map((gradient) => replaced.get(gradient) ?? gradient),
  };
}

/** Ops whose values are there before anything is computed. */
const LEAVES: ReadonlySet<string> = new Set(['input', 'parameter', 'constant']);

/**
 * Both halves, cut at the boundaries. Segment k (from 1) is what depends on the k-th boundary and on no later one;
 * segment 0 depends on none.
 */
class SegmentedGraph {
  readonly outputs: TrainingOutputs;
  /** What needs only late segments first, so that at each segment's turn all that must be done before it is made. */
  readonly backward: readonly Node[];
  readonly boundaries: readonly Boundary[];
  private readonly forward: readonly Node[];
  private readonly stateSegments: ReadonlyMap<Tensor, number>;
  private readonly segments = new Map<Node, number>();
  /** The earliest segment whose values a node of the backward half needs. */
  private readonly needs = new Map<Node, number>();

  constructor({ forward, gradients }: TrainingOutputs, boundaries: readonly Boundary[]) {
    // Composites are differentiated through what they stand for: only then do the halves share their nodes.
    const all = [...forward, ...gradients, ...boundaries.flatMap((one) => [one.state, one.gradient])];
    const plain = shareSubexpressions(expandComposites(all, DIFFERENTIABLE_COMPOSITES));
    this.outputs = {
      forward: plain.splice(0, forward.length),
      gradients: plain.splice(0, gradients.length),
    };
    this.boundaries = boundaries.map((_, i) => ({ state: plain[2 * i], gradient: plain[2 * i + 1] }));
    this.stateSegments = new Map(this.boundaries.map(({ state }, i) => [state, i + 1]));
    this.forward = reachable([...this.outputs.forward, ...this.boundaries.map(({ state }) => state)]);
    this.cutForward();
    this.backward = this.cutBackward();
  }

  /** The segment in which a value of the forward half is read: a state's lies behind it. */
  segmentOf(tensor: Tensor): number {
    return this.stateSegments.get(tensor) ?? this.segments.get(tensor.node) ?? 0;
  }

  /** Whether a value of the forward half lies between two boundaries. */
  isRecomputed(tensor: Tensor): boolean {
    const segment = this.segmentOf(tensor);
    return segment > 0 && segment < this.boundaries.length;
  }

  isState(tensor: Tensor): boolean {
    return this.stateSegments.has(tensor);
  }

  /** What must be computed before the segment is computed again, without what is in `known`. */
  doneBefore(segment: number, known: ReadonlySet<Tensor>): Tensor[] {
    const { gradient: arriving } = this.boundaries[segment];
    const later = this.descendants(arriving);
    const read = new Set<Tensor>([
      ...this.outputs.gradients,
      ...(this.needs.has(arriving.node) ? [arriving] : []),
    ]);
    for (const node of this.backward) {
      if (this.needOf(node) <= segment) for (const input of node.inputs) read.add(input);
    }
    const done = [...read].filter(({ node }) => this.needOf(node) > segment && !later.has(node));
    return [...this.outputs.forward, ...done].filter((tensor) => !known.has(tensor));
  }

  /** Nodes outside the backward half need nothing and wait for nothing. */
  private needOf(node: Node): number {
    return this.needs.get(node) ?? -1;
  }

  /** The nodes of the backward half that are computed from a value. */
  private descendants(tensor: Tensor): ReadonlySet<Node> {
    const found = new Set<Node>();
    for (const node of this.needs.keys()) {
      if (node.inputs.some((input) => input === tensor || found.has(input.node))) found.add(node);
    }
    return found;
  }

  private cutForward(): void {
    const readers = new Map<Node, Node[]>(this.forward.map((node) => [node, []]));
    for (const node of this.forward) {
      this.segments.set(node, Math.max(0, ...node.inputs.map((input) => this.segmentOf(input))));
      for (const input of node.inputs) readers.get(input.node)?.push(node);
    }
    // What a single segment reads belongs to it, a mask of an adapter's dropout for example.
    const named = new Set([...this.outputs.forward, ...this.stateSegments.keys()].map(({ node }) => node));
    for (const node of this.forward.toReversed()) {
      if (this.segments.get(node) !== 0 || LEAVES.has(node.op) || named.has(node)) continue;
      const reading = new Set((readers.get(node) ?? []).map((reader) => this.segments.get(reader) ?? 0));
      if (reading.size === 1) this.segments.set(node, [...reading][0]);
    }
  }

  private cutBackward(): Node[] {
    const forward = new Set(this.forward);
    const backward = reachable(this.outputs.gradients).filter((node) => !forward.has(node));
    for (const node of backward) {
      const needed = node.inputs.map(
        (input) => this.needs.get(input.node) ?? (this.segmentOf(input) || Infinity),
      );
      this.needs.set(node, Math.min(...needed));
    }
    return backward.sort((a, b) => compare(this.needOf(b), this.needOf(a)) || a.id - b.id);
  }
}

/** −1, 0 or 1; a difference of infinities would be no number. */
const compare = (a: number, b: number): number => Number(a > b) - Number(a < b);

/** The second copies of the values between boundaries. */
class Recomputation {
  private readonly waiting = new Map<number, readonly Tensor[]>();
  private readonly known = new Set<Tensor>();
  private readonly late = new Map<number, Map<Tensor, Tensor>>();
  private readonly again = new Map<Node, Node>();

  constructor(
    private readonly graph: SegmentedGraph,
    /** The backward half as far as it has been made. */
    private readonly replaced: ReadonlyMap<Tensor, Tensor>,
  ) {}

  /** What a node of the backward half reads in place of a value of the forward half. */
  of(tensor: Tensor): Tensor {
    const { graph } = this;
    if (!graph.isRecomputed(tensor)) return tensor;
    const segment = graph.segmentOf(tensor);
    return graph.isState(tensor)
      ? this.waited(tensor, segment)
      : this.computed(tensor.node, segment).outputs[tensor.index];
  }

  private computed(node: Node, segment: number): Node {
    const known = this.again.get(node);
    if (known !== undefined) return known;
    const readsSegment = node.inputs.some((input) => this.graph.segmentOf(input) === segment);
    const made = rebuild(
      node,
      node.inputs.map((input) => {
        if (this.graph.segmentOf(input) === segment) return this.of(input);
        // Without a value of its segment nothing else would make a node wait.
        return !readsSegment && input.node.op === 'input' ? this.waited(input, segment) : input;
      }),
    );
    this.again.set(node, made);
    return made;
  }

  /** A value that exists already, given to the segment no earlier than its turn. */
  private waited(tensor: Tensor, segment: number): Tensor {
    const waiting = this.late.get(segment) ?? new Map<Tensor, Tensor>();
    this.late.set(segment, waiting);
    const made = waiting.get(tensor) ?? after(tensor, this.before(segment));
    waiting.set(tensor, made);
    return made;
  }

  private before(segment: number): readonly Tensor[] {
    const known = this.waiting.get(segment);
    if (known !== undefined) return known;
    const done = this.graph.doneBefore(segment, this.known);
    for (const tensor of done) this.known.add(tensor);
    const made = done.map((tensor) => this.replaced.get(tensor) ?? tensor);
    this.waiting.set(segment, made);
    return made;
  }
}
