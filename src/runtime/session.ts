/** @module Sessions: a lowered model, compiled by ONNX Runtime and run as often as wanted. */
import { InferenceSession, type Tensor as OrtTensor } from './onnxruntime.js';
import { bindSizes } from '../graph/bind.js';
import { evaluateShape, formatShape, type SymbolSizes } from '../graph/shape.js';
import type { LoweredModel, ModelOutput, ModelValue } from '../onnx/lower.js';
import { assert, InternalError } from '../util/errors.js';
import { appendRows, checkRoom } from './append-rows.js';
import { chooseProvider, defaultThreads, type ExecutionProvider } from './device.js';
import { fillWeights, withModelFiles } from './external-weights.js';
import { copyInto, fromOrt, type HostTensor, hostTensor, toOrt } from './host-tensor.js';

export type { HostTensor } from './host-tensor.js';

export type HostTensors = Readonly<Record<string, HostTensor>>;

export interface SessionOptions {
  /** Where to run, best first; `cpu` is always the last resort of single operators. Default: cpu. */
  readonly executionProviders?: readonly string[];
  /** Threads of one run; the results may differ in the last bits between numbers of threads. */
  readonly threads?: number;
  /**
   * Room of {@link weightRoom} for weights beside the model, which ONNX Runtime reads there while the session is made. Quicker than a
   * file, the default, for sessions that are made again and again.
   */
  readonly weightRoom?: Uint8Array;
  /** How far ONNX Runtime rewrites the graph. Default: all. */
  readonly graphOptimization?: 'disabled' | 'basic' | 'extended' | 'all';
}

function ortOptions(model: LoweredModel, options: SessionOptions): InferenceSession.SessionOptions {
  const providers: ExecutionProvider[] = (options.executionProviders ?? ['cpu']).map(chooseProvider);
  const isStatic = model.inputs.every(({ shape }) => shape.every((dim) => typeof dim === 'number'));
  return {
    executionProviders: providers,
    intraOpNumThreads: options.threads ?? defaultThreads(),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: options.graphOptimization ?? 'all',
    // A pattern is planned per set of input shapes and kept: with open shapes, one more for every new length.
    enableMemPattern: isStatic,
    logSeverityLevel: 3,
  };
}

function compiled(
  model: LoweredModel,
  settings: InferenceSession.SessionOptions,
  room?: Uint8Array,
): Promise<InferenceSession> {
  const { proto, external } = model;
  if (external === undefined) return InferenceSession.create(proto, settings);
  if (room === undefined)
    return withModelFiles(model, external, (path) => InferenceSession.create(path, settings));
  fillWeights(external, room);
  const externalData = [{ path: external.location, data: room }];
  return InferenceSession.create(proto, { ...settings, externalData });
}

/** Shapes that fit, and the sizes they gave. */
interface FittingShapes {
  readonly shapes: readonly (readonly number[])[];
  readonly sizes: SymbolSizes;
}

export class Session {
  /** Of the last run: the next one mostly has the same. */
  private fitting: FittingShapes | null = null;
  private readonly known: ReadonlySet<string>;

  private constructor(
    private readonly session: InferenceSession,
    private readonly inputs: readonly ModelValue[],
    private readonly outputs: readonly ModelOutput[],
  ) {
    this.known = new Set(inputs.map(({ name }) => name));
  }

  /** Compiles the model. A UserError where a provider is not available or the weights do not fit on the disk. */
  static async create(model: LoweredModel, options: SessionOptions = {}): Promise<Session> {
    const session = await compiled(model, ortOptions(model, options), options.weightRoom);
    return new Session(session, model.inputs, model.outputs);
  }

  /** Names that every run must feed. */
  get inputNames(): string[] {
    return this.inputs.map(({ name }) => name);
  }

  get outputNames(): string[] {
    return this.outputs.map(({ name }) => name);
  }

  /**
   * Computes all outputs. What is in `fetches` is written into the tensors given there (which may be feeds as well: a
   * key/value cache is appended to in place) and the same objects are returned; everything else is newly allocated.
   */
  async run(feeds: HostTensors, fetches: HostTensors = {}): Promise<Record<string, HostTensor>> {
    const sizes = this.checkFeeds(feeds);
    this.checkFetches(fetches, sizes);
    for (const { append } of this.outputs) {
      if (append !== undefined) checkRoom(feeds[append.cache], feeds[append.lastIndex]);
    }
    const fed: Record<string, OrtTensor> = {};
    for (const { name, onnxName } of this.inputs) fed[onnxName] = toOrt(feeds[name]);
    const wanted: Record<string, OrtTensor | null> = {};
    for (const { name, onnxName, append } of this.outputs) {
      wanted[onnxName] = name in fetches && append === undefined ? toOrt(fetches[name]) : null;
    }
    const results = await this.session.run(fed, wanted);
    return Object.fromEntries(
      this.outputs.map(({ name, onnxName, append }) => {
        if (append === undefined) return [name, fetches[name] ?? fromOrt(name, results[onnxName])];
        const cache = fetches[name] ?? hostTensor(feeds[append.cache].dtype, feeds[append.cache].shape);
        copyInto(cache, feeds[append.cache]);
        appendRows(cache, fromOrt(name, results[onnxName]), feeds[append.lastIndex]);
        return [name, cache];
      }),
    );
  }

  /** Frees the compiled model; the session must not be used afterwards. */
  async dispose(): Promise<void> {
    await this.session.release();
  }

  private checkFeeds(feeds: HostTensors): SymbolSizes {
    for (const name of Object.keys(feeds)) {
      if (!this.known.has(name))
        throw new InternalError(
          `'${name}' is no input of this session; its inputs are ${this.inputNames.join(', ')}`,
        );
    }
    for (const { name, dtype } of this.inputs) {
      const feed = feeds[name];
      if (feed === undefined) throw new InternalError(`nothing is fed for the input '${name}'`);
      assert(feed.dtype === dtype, `the input '${name}' takes ${dtype}, not ${feed.dtype}`);
      checkLength(name, feed);
    }
    return this.sizesOf(feeds);
  }

  private sizesOf(feeds: HostTensors): SymbolSizes {
    const before = this.fitting;
    const same =
      before !== null && this.inputs.every(({ name }, i) => equalDims(before.shapes[i], feeds[name].shape));
    if (same) return before.sizes;
    const sizes = bindSizes(
      this.inputs.map(({ name, shape: declared }) => ({ name, declared, actual: feeds[name].shape })),
    );
    this.fitting = { shapes: this.inputs.map(({ name }) => feeds[name].shape), sizes };
    return sizes;
  }

  private checkFetches(fetches: HostTensors, sizes: SymbolSizes): void {
    for (const [name, { dtype, shape }] of Object.entries(fetches)) {
      const output = this.outputs.find((value) => value.name === name);
      if (output === undefined) {
        const known = this.outputNames.join(', ');
        throw new InternalError(`'${name}' is no output of this session; its outputs are ${known}`);
      }
      const expected = evaluateShape(output.shape, sizes);
      const fits = dtype === output.dtype && expected.join() === shape.join();
      checkLength(name, fetches[name]);
      assert(
        fits,
        `the output '${name}' is ${output.dtype}${formatShape(expected)}, not ${dtype}${formatShape(shape)}`,
      );
    }
  }
}

function equalDims(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((dim, i) => dim === b[i]));
}

function checkLength(name: string, { shape, data }: HostTensor): void {
  const expected = shape.reduce((product, dim) => product * dim, 1);
  assert(
    data.length === expected,
    `'${name}' of ${formatShape(shape)} holds ${data.length} elements instead of ${expected}`,
  );
}
