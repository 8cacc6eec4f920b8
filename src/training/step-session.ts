import { DIFFERENTIABLE_COMPOSITES } from '../graph/gradients.js';
import { lower } from '../onnx/lower.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import { type HostTensor, Session } from '../runtime/session.js';
import type { SftGraph } from './sft-graph.js';
import type { ModelWeights } from './weights.js';

/** A compiled step for one kind of micro-batch, writing its gradients into buffers that are reused. */
export class StepSession {
  private constructor(
    readonly graph: SftGraph,
    private readonly session: Session,
    private readonly weightFeeds: Record<string, HostTensor>,
    private readonly fetches: Record<string, HostTensor>,
  ) {}

  static async create(graph: SftGraph, weights: ModelWeights, threads?: number): Promise<StepSession> {
    const model = lower(graph.outputs, { fuse: DIFFERENTIABLE_COMPOSITES, weights: 'input' });
    const session = await Session.create(model, { threads });
    const weightOf = (name: string): HostTensor => weights.get(name) as HostTensor;
    const fetches = Object.fromEntries(
      graph.trainable.map((name) => {
        const { shape, data } = weightOf(name);
        const buffer: HostTensor = { dtype: 'f32', shape, data: new Float32Array(data.length) };
        return [`grad.${name}`, buffer];
      }),
    );
    const names = [...graph.parameters.keys()];
    return new StepSession(graph, session, Object.fromEntries(names.map((name) => [name, weightOf(name)])), {
      ...fetches,
      loss: { dtype: 'f32', shape: [], data: new Float32Array(1) },
    });
  }

  /** Runs one micro-batch, adds its gradients to the optimizer's and returns its share of the loss. */
  async accumulate(
    feeds: Record<string, HostTensor>,
    optimized: ReadonlyMap<string, OptimizedParameter>,
  ): Promise<number> {
    const used = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => this.session.inputNames.includes(name)),
    );
    const results = await this.session.run({ ...used, ...this.weightFeeds }, this.fetches);
    for (const name of this.graph.trainable) {
      const sum = optimized.get(name)?.gradient as Float32Array;
      const part = results[`grad.${name}`].data as Float32Array;
      for (let i = 0; i < sum.length; i++) sum[i] += part[i];
    }
    return (results.loss.data as Float32Array)[0];
  }

  async dispose(): Promise<void> {
    await this.session.dispose();
  }
}
