import { lower } from '../onnx/lower.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import { type HostTensor, Session } from '../runtime/session.js';
import { assert } from '../util/errors.js';
import type { SftGraph } from './sft-graph.js';
import type { ModelWeights } from './weights.js';

export interface StepSessionOptions {
  readonly threads?: number;
  readonly buffers?: Map<string, Float32Array>;
}

/** What one micro-batch gave besides its gradients. */
export interface StepResult {
  /** Its share of the step's loss. */
  readonly loss: number;
  /** log p of each label [labels]. */
  readonly logProbs: Float32Array;
  /** Everything that the graph computes besides gradients, by name. */
  readonly results: Readonly<Record<string, HostTensor>>;
}

/** A compiled step for one kind of micro-batch, writing its gradients into buffers that are reused. */
export class StepSession {
  private constructor(
    readonly graph: SftGraph,
    private readonly session: Session,
    private readonly weightFeeds: Record<string, HostTensor>,
    private readonly fetches: Record<string, HostTensor>,
  ) {}

  /** `buffers` receive the gradients of one micro-batch; sessions that take turns can share them. */
  static async create(
    graph: SftGraph,
    weights: ModelWeights,
    { threads, buffers = new Map() }: StepSessionOptions = {},
  ): Promise<StepSession> {
    const model = lower(graph.outputs, { fuse: 'training', weights: 'input' });
    const session = await Session.create(model, { threads });
    const fetches: Record<string, HostTensor> = {};
    for (const name of graph.trainable) {
      const { shape, data } = weightNamed(weights, name);
      const buffer = buffers.get(name) ?? new Float32Array(data.length);
      buffers.set(name, buffer);
      fetches[`grad.${name}`] = { dtype: 'f32', shape, data: buffer };
    }
    const names = [...graph.parameters.keys()];
    return new StepSession(
      graph,
      session,
      Object.fromEntries(names.map((name) => [name, weightNamed(weights, name)])),
      fetches,
    );
  }

  /**
   * Runs one micro-batch and adds its gradients to the optimizer's; the `first` of a step, while those are zero, is written
   * straight to them.
   */
  async accumulate(
    feeds: Record<string, HostTensor>,
    optimized: ReadonlyMap<string, OptimizedParameter>,
    { first = false }: { readonly first?: boolean } = {},
  ): Promise<StepResult> {
    const { fetches } = this;
    const gradientOf = (name: string): Float32Array => {
      const parameter = optimized.get(name);
      assert(parameter !== undefined, `the gradient of '${name}' has no place in the optimizer`);
      return parameter.gradient;
    };
    const targets = first
      ? Object.fromEntries(
          this.graph.trainable.map((name) => {
            const target = fetches[`grad.${name}`];
            return [`grad.${name}`, { ...target, data: gradientOf(name) }];
          }),
        )
      : fetches;
    const used = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => this.session.inputNames.includes(name)),
    );
    const results = await this.session.run({ ...used, ...this.weightFeeds }, targets);
    if (!first) {
      for (const name of this.graph.trainable) addTo(gradientOf(name), floats(results[`grad.${name}`]));
    }
    // A graph that only scores has no loss.
    const loss = 'loss' in results ? floats(results.loss)[0] : 0;
    return { loss, logProbs: floats(results.log_probs), results };
  }

  async dispose(): Promise<void> {
    await this.session.dispose();
  }
}

function addTo(sum: Float32Array, part: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] += part[i];
}

function floats({ data }: HostTensor): Float32Array {
  assert(data instanceof Float32Array, 'the step gave numbers of another type than f32');
  return data;
}

function weightNamed(weights: ModelWeights, name: string): HostTensor & { readonly data: Float32Array } {
  const weight = weights.get(name);
  assert(weight !== undefined, `the graph uses the weight '${name}', which the model does not have`);
  return weight;
}
