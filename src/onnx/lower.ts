/** @module From a graph to an ONNX model that ONNX Runtime can load. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
} from 'onnx-buf';
import { type Node, reachable, type Tensor, type TensorType } from '../graph/node.js';
import { expandComposites } from '../graph/rewrite.js';
import { shareSubexpressions } from '../graph/share.js';
import { verify } from '../graph/verify.js';
import { InternalError } from '../util/errors.js';
import { type CacheAppend, cacheAppendOf } from './cache-append.js';
import { checkModel } from './check.js';
import { Emitter } from './emitter.js';
import { FUSE_PRESETS, FUSED_LOWERINGS, type FusePreset } from './fused.js';
import { type Lowering, LOWERINGS } from './lowerings.js';
import { MICROSOFT, valueInfoProto } from './proto.js';
import {
  DEFAULT_EXTERNAL_THRESHOLD,
  type ExternalWeights,
  planWeights,
  type WeightSource,
} from './weights.js';

export type { WeightSource } from './weights.js';

/** Values by the names a caller wants them under. */
export type GraphOutputs = Readonly<Record<string, Tensor>>;

/** ONNX 1.18: the newest whose operators ONNX Runtime 1.30 implements throughout on CPU. */
const OPSET = 23n;
const IR_VERSION = 11n;

export type LowerOptions = {
  /** Composites that become one kernel where ONNX Runtime has one; the others are expanded. */
  readonly fuse: FusePreset | ReadonlySet<string>;
} & (
  | { /** Weights are fed at each run. */ readonly weights: 'input' }
  | {
      /** Weights are part of the model. */
      readonly weights: 'initializer';
      readonly source: WeightSource;
      /** Weights of more bytes than this in all go to a file beside the model. */
      readonly externalThreshold?: number;
    }
);

/** A named value at the model's border. */
export interface ModelValue extends TensorType {
  readonly name: string;
  /** Its name in the ONNX model, which differs where an input and an output share a name. */
  readonly onnxName: string;
}

/** A result, and how it is made from the ONNX model's where that differs. */
export interface ModelOutput extends ModelValue {
  /** The ONNX model gives only the rows to append to a fed cache. */
  readonly append?: CacheAppend;
}

/** A checked ONNX model. */
export interface LoweredModel {
  /** The serialized ModelProto. */
  readonly proto: Uint8Array;
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelOutput[];
  /** Weights that a session must write to a file beside the model. */
  readonly external?: ExternalWeights;
}

/** Lowers the graph that `outputs` reach. The order of outputs and inputs is kept: inputs in order of creation. */
export function lower(outputs: GraphOutputs, options: LowerOptions): LoweredModel {
  const names = Object.keys(outputs);
  if (names.length === 0) throw new InternalError('a graph without outputs cannot be lowered');
  const tensors = prepare(Object.values(outputs), options);
  const nodes = reachable(tensors);
  const inputs = nodes.filter(
    ({ op }) => op === 'input' || (op === 'parameter' && options.weights === 'input'),
  );
  const inputValues = inputs.map(({ outputs: [tensor] }) => valueOf(nameOfLeaf(tensor), tensor));
  const taken = new Set(nodes.filter(isNamed).map(({ outputs: [tensor] }) => nameOfLeaf(tensor)));
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const results = tensors.map((tensor, i) => {
    const name = names[i];
    const value = valueOf(name, tensor, taken.has(name) ? `${name}~out` : name);
    const appended = cacheAppendOf(tensor, read);
    // `computed` is what the ONNX model gives under the value's name.
    return appended === null
      ? { value, computed: tensor }
      : { value: { ...value, append: appended.append }, computed: appended.rows };
  });

  const computed = results.map((result) => result.computed);
  const emitter = new Emitter(nodes, computed, reserveNames(results));
  // All leaves first: a size may be read off an input that is used later.
  for (const {
    outputs: [tensor],
  } of nodes.filter(isNamed))
    emitter.bind(tensor, nameOfLeaf(tensor));
  for (const node of nodes) lowerNode(node, emitter);
  const weights =
    options.weights === 'input'
      ? { initializers: [] }
      : planWeights(
          nodes.filter(({ op }) => op === 'parameter').map((node) => node.outputs[0]),
          options.source,
          options.externalThreshold ?? DEFAULT_EXTERNAL_THRESHOLD,
        );
  for (const { value, computed: tensor } of results) {
    const inner = emitter.nameOf(tensor);
    if (inner !== value.onnxName)
      emitter.add({ type: 'Identity', inputs: [inner], outputs: [value.onnxName] });
  }

  const graph = create(GraphProtoSchema, {
    name: 'graph',
    node: emitter.nodes,
    initializer: [...weights.initializers, ...emitter.initializers],
    input: inputValues.map(({ onnxName, dtype, shape }) => valueInfoProto(onnxName, dtype, shape)),
    output: results.map(({ value, computed: { dtype, shape } }) =>
      valueInfoProto(value.onnxName, dtype, shape),
    ),
  });
  removeUnread(graph);
  const model = wrap(graph);
  checkModel(model);
  return {
    proto: toBinary(ModelProtoSchema, model),
    inputs: inputValues,
    outputs: results.map(({ value }) => value),
    external: weights.external,
  };
}

/** Expanded down to what has a lowering, with equal parts merged, and verified. */
function prepare(outputs: readonly Tensor[], { fuse }: LowerOptions): Tensor[] {
  const wanted: ReadonlySet<string> = typeof fuse === 'string' ? FUSE_PRESETS[fuse] : fuse;
  const kept = new Set([...wanted].filter((name) => name in FUSED_LOWERINGS));
  const prepared = shareSubexpressions(expandComposites(outputs, kept));
  verify(prepared);
  return prepared;
}

const ALL_LOWERINGS: ReadonlyMap<string, Lowering> = new Map([
  ...Object.entries(LOWERINGS),
  ...Object.entries(FUSED_LOWERINGS),
]);

function lowerNode(node: Node, emitter: Emitter): void {
  const lowering = ALL_LOWERINGS.get(node.op);
  if (lowering === undefined) throw new InternalError(`${node.op} has no lowering to ONNX`);
  lowering(node, emitter);
}

const isNamed = ({ op }: Node): boolean => op === 'input' || op === 'parameter';
const nameOfLeaf = ({ node }: Tensor): string => String(node.attributes.name);

function valueOf(name: string, { dtype, shape }: Tensor, onnxName = name): ModelValue {
  return { name, onnxName, dtype, shape };
}

/** Each output's node writes under the output's name; a second name for one tensor becomes an Identity. */
function reserveNames(results: readonly { value: ModelValue; computed: Tensor }[]): Map<Tensor, string> {
  const reserved = new Map<Tensor, string>();
  for (const { value, computed } of results) {
    if (!reserved.has(computed)) reserved.set(computed, value.onnxName);
  }
  return reserved;
}

/** Drops nodes and initializers that nothing reads: a product may have taken over what its operand computed. */
function removeUnread(graph: GraphProto): void {
  const read = new Set(graph.output.map(({ name }) => name));
  const kept: NodeProto[] = [];
  for (const node of graph.node.toReversed()) {
    if (!node.output.some((name) => read.has(name))) continue;
    for (const name of node.input) read.add(name);
    kept.push(node);
  }
  graph.node = kept.reverse();
  graph.initializer = graph.initializer.filter(({ name }) => read.has(name));
}

function wrap(graph: GraphProto): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'safeguard-vl',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: MICROSOFT, version: 1n },
    ],
    graph,
  });
}
