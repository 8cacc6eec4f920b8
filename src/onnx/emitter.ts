/** @module Collects the ONNX nodes and constants of one graph while it is lowered. */
import type { NodeProto, TensorProto } from 'onnx-buf';
import type { DType, TensorData } from '../graph/dtype.js';
import type { Node, Tensor } from '../graph/node.js';
import { type Dim, dimTerms, type Shape } from '../graph/shape.js';
import { InternalError } from '../util/errors.js';
import { type NodeSpec, nodeProto, tensorProto } from './proto.js';

/** Marks names made here, so that no weight or input of a model can have the same. */
const INTERNAL = '~';

/** What {@link Emitter.emit} needs beside the node's type and inputs. */
export type EmitOptions = Pick<NodeSpec, 'domain' | 'attributes'>;

export class Emitter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly names = new Map<Tensor, string>();
  private readonly constants = new Map<string, string>();
  private readonly sizes = new Map<string, string>();
  private readonly uses = new Map<Tensor, number>();
  private count = 0;

  /** `nodes` and `outputs` are the whole graph; `reserved` gives the tensors that must bear a certain name theirs. */
  constructor(
    private readonly graph: readonly Node[],
    outputs: readonly Tensor[],
    private readonly reserved: ReadonlyMap<Tensor, string>,
  ) {
    const used = [...graph.flatMap((node) => node.inputs), ...outputs];
    for (const tensor of used) this.uses.set(tensor, (this.uses.get(tensor) ?? 0) + 1);
  }

  /** Whether just one node or output reads the tensor, so that its reader may compute it in its own way. */
  isUsedOnce(tensor: Tensor): boolean {
    return this.uses.get(tensor) === 1;
  }

  isUsed(tensor: Tensor): boolean {
    return this.uses.has(tensor);
  }

  nameOf(tensor: Tensor): string {
    const name = this.names.get(tensor);
    if (name === undefined) throw new InternalError(`an output of ${tensor.node.op} has not been lowered`);
    return name;
  }

  namesOf(tensors: readonly Tensor[]): string[] {
    return tensors.map((tensor) => this.nameOf(tensor));
  }

  /** Lets `tensor` be read under an existing name. */
  bind(tensor: Tensor, name: string): void {
    this.names.set(tensor, name);
  }

  /** Adds a node of one output and returns that output's name. */
  emit(type: string, inputs: readonly string[], options: EmitOptions = {}): string {
    const name = this.fresh(type);
    this.add({ type, inputs, outputs: [name], ...options });
    return name;
  }

  /** Adds the node whose outputs are `node`'s, or the first few of them. */
  define(
    node: Node,
    type: string,
    inputs: readonly string[],
    { outputs = node.outputs, ...options }: EmitOptions & { readonly outputs?: readonly Tensor[] } = {},
  ): void {
    const names = outputs.map((output) => this.reserved.get(output) ?? this.fresh(type));
    this.add({ type, inputs, outputs: names, ...options });
    outputs.forEach((output, i) => {
      this.bind(output, names[i]);
    });
  }

  /** A node with a name that is fixed already. */
  add(spec: NodeSpec): void {
    this.nodes.push(nodeProto(spec));
  }

  /** The name of an initializer that holds `data`; equal ones of few elements are made once. */
  constant(dtype: DType, shape: readonly number[], data: TensorData): string {
    // Shapes, axes and scalars repeat; long tables do not.
    const longestShared = 16;
    const key = data.length > longestShared ? undefined : `${dtype}[${shape.join()}]${data.join()}`;
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.fresh('constant');
    this.initializers.push(tensorProto(name, dtype, shape, data));
    // −0 prints as 0, so it must not be shared under that key.
    if (key !== undefined && !data.some((x) => Object.is(x, -0))) this.constants.set(key, name);
    return name;
  }

  /** A list of i64, as ONNX takes shapes and axes. */
  ints(values: readonly number[]): string {
    return this.constant('i64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** The value of a shape as i64 [rank], computed from the inputs' shapes where it is symbolic. */
  shape(shape: Shape): string {
    if (shape.every((dim) => typeof dim === 'number')) return this.ints(shape);
    const key = `[${shape.join()}]`;
    const known = this.sizes.get(key);
    if (known !== undefined) return known;
    const parts = shape.map((dim) => this.size(dim));
    const name =
      parts.length === 1 ? parts[0] : this.emit('Concat', parts, { attributes: { axis: { int: 0 } } });
    this.sizes.set(key, name);
    return name;
  }

  /** The value of one dimension as i64 [1]. */
  size(dim: Dim): string {
    if (typeof dim === 'number') return this.ints([dim]);
    const known = this.sizes.get(dim);
    if (known !== undefined) return known;
    const terms = dimTerms(dim).map(({ factor, symbols }) => {
      const factors = [...(factor === 1 ? [] : [this.ints([factor])]), ...symbols.map((s) => this.symbol(s))];
      return factors.length === 0
        ? this.ints([1])
        : factors.reduce((product, value) => this.emit('Mul', [product, value]));
    });
    const name = terms.reduce((sum, term) => this.emit('Add', [sum, term]));
    this.sizes.set(dim, name);
    return name;
  }

  /** A named size, read off the first input's dimension that is a multiple of it plus a number. */
  private symbol(symbol: string): string {
    const known = this.sizes.get(symbol);
    if (known !== undefined) return known;
    for (const node of this.graph) {
      if (node.op !== 'input' && node.op !== 'parameter') continue;
      for (const [axis, dim] of node.outputs[0].shape.entries()) {
        const line = lineIn(dim, symbol);
        if (line === null) continue;
        const range = { start: { int: axis }, end: { int: axis + 1 } };
        let name = this.emit('Shape', [this.nameOf(node.outputs[0])], { attributes: range });
        if (line.offset !== 0) name = this.emit('Sub', [name, this.ints([line.offset])]);
        if (line.factor !== 1) name = this.emit('Div', [name, this.ints([line.factor])]);
        this.sizes.set(symbol, name);
        return name;
      }
    }
    throw new InternalError(`no input's shape tells the size '${symbol}'`);
  }

  private fresh(hint: string): string {
    return `${INTERNAL}${hint}.${this.count++}`;
  }
}

/** `dim` as factor·symbol + offset, or null where it is anything else. */
function lineIn(dim: Dim, symbol: string): { factor: number; offset: number } | null {
  if (typeof dim === 'number') return null;
  const terms = dimTerms(dim);
  const own = terms.filter(({ symbols }) => symbols.length === 1 && symbols[0] === symbol);
  const plain = terms.filter(({ symbols }) => symbols.length === 0);
  if (own.length !== 1 || own.length + plain.length !== terms.length) return null;
  return { factor: own[0].factor, offset: plain.reduce((sum, { factor }) => sum + factor, 0) };
}
