/** @module The oracle: a graph's values in plain TypeScript, one node after the other, in f64. */
import { assert, InternalError } from '../util/errors.js';
import { bindSizes } from './bind.js';
import type { DType } from './dtype.js';
import { KERNELS } from './interpreter-kernels.js';
import { elementCount, type Kernel, type Value } from './interpreter-values.js';
import { type AttributeValue, type Node, reachable, type Tensor } from './node.js';
import { expandComposites } from './rewrite.js';
import { evaluateShape, type SymbolSizes } from './shape.js';

export type { Value } from './interpreter-values.js';

/** What is fed for an input or a parameter; elements as numbers, or as the typed array of its dtype (f16 as bits). */
export interface Feed {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

export interface InterpretOptions {
  /** f32 rounds every float result to f32, to show what that precision alone changes. Default f64. */
  readonly precision?: 'f64' | 'f32';
}

/** The number that 16 bits of IEEE 754 binary16 stand for. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  // The leading one is implied, except for subnormals, which share the smallest normal's exponent.
  const significand = exponent === 0 ? fraction : fraction + 0x400;
  return sign * significand * 2 ** (Math.max(exponent, 1) - 25);
}

function elements(dtype: DType, data: ArrayLike<number | bigint>): Float64Array {
  const halves = dtype === 'f16' && data instanceof Uint16Array;
  return Float64Array.from(data, (element) => (halves ? halfToNumber(Number(element)) : Number(element)));
}

/** What a result becomes when it is stored as its dtype. Floats keep f64 unless asked; f16 is not rounded. */
const STORED: Readonly<Record<DType, (x: number) => number>> = {
  f32: (x) => x,
  f16: (x) => x,
  // Whole numbers have no −0.
  i64: (x) => Math.trunc(x) + 0,
  i32: (x) => x | 0,
  u8: (x) => x & 0xff,
  bool: (x) => (x === 0 ? 0 : 1),
};

class Interpreter {
  private readonly values = new Map<Tensor, Value>();

  constructor(
    private readonly feeds: Readonly<Record<string, Feed>>,
    private readonly sizes: SymbolSizes,
    private readonly precision: 'f64' | 'f32',
  ) {}

  run(node: Node): void {
    const inputs = node.inputs.map((input) => this.of(input));
    const shapes = node.outputs.map((output) => evaluateShape(output.shape, this.sizes));
    const results = this.compute(node, inputs, shapes[0]);
    node.outputs.forEach((output, i) => {
      const { dtype } = output;
      assert(
        results[i].length === elementCount(shapes[i]),
        `${node.op} made ${results[i].length} elements for [${shapes[i].join(', ')}]`,
      );
      const rounded = this.precision === 'f32' && (dtype === 'f32' || dtype === 'f16');
      this.values.set(output, {
        dtype,
        shape: shapes[i],
        data: results[i].map(rounded ? Math.fround : STORED[dtype]),
      });
    });
  }

  of(tensor: Tensor): Value {
    const value = this.values.get(tensor);
    if (value === undefined) throw new InternalError(`${tensor.node.op} has not been computed`);
    return value;
  }

  private compute(node: Node, inputs: readonly Value[], shape: readonly number[]): readonly Float64Array[] {
    const { op, attributes } = node;
    const [{ dtype }] = node.outputs;
    if (op === 'constant') return [elements(dtype, asArray(attributes.data))];
    if (isLeaf(node)) return [elements(dtype, this.feeds[String(attributes.name)].data)];
    const kernels: Readonly<Record<string, Kernel | undefined>> = KERNELS;
    const kernel = kernels[op];
    if (kernel === undefined) throw new InternalError(`the interpreter has no kernel for '${op}'`);
    return kernel(inputs, shape, attributes);
  }
}

const isLeaf = (node: Node): boolean => node.op === 'input' || node.op === 'parameter';

function asArray(value: AttributeValue): ArrayLike<number | bigint> {
  if (value !== null && typeof value === 'object' && ArrayBuffer.isView(value)) return value;
  throw new InternalError('a constant carries no data');
}

/** The sizes that the feeds give, after checking that each leaf is fed with as many elements as its shape says. */
function bindFeeds(nodes: readonly Node[], feeds: Readonly<Record<string, Feed>>): SymbolSizes {
  return bindSizes(
    nodes.filter(isLeaf).map((node) => {
      const name = String(node.attributes.name);
      const feed = feeds[name];
      if (feed === undefined) throw new InternalError(`nothing is fed for the ${node.op} '${name}'`);
      const count = elementCount(feed.shape);
      assert(
        feed.data.length === count,
        `'${name}' has ${feed.data.length} elements; [${feed.shape.join(', ')}] needs ${count}`,
      );
      return { name, declared: node.outputs[0].shape, actual: feed.shape };
    }),
  );
}

/**
 * The values of `outputs` for the given inputs and parameters, by name. Composites are computed by what they stand
 * for; named sizes are read off the feeds' shapes and checked. Throws an InternalError where a feed is missing or misfits.
 */
export function interpret(
  outputs: readonly Tensor[],
  feeds: Readonly<Record<string, Feed>>,
  options: InterpretOptions = {},
): Value[] {
  const expanded = expandComposites(outputs);
  const nodes = reachable(expanded);
  const interpreter = new Interpreter(feeds, bindFeeds(nodes, feeds), options.precision ?? 'f64');
  for (const node of nodes) interpreter.run(node);
  return expanded.map((output) => interpreter.of(output));
}
