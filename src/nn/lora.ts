/**
 * @module LoRA (arXiv 2106.09685; peft:tuners/lora/layer.py): y = W x + scaling · B A dropout(x). W's gradient is never
 * computed, and A and B are leaves of the graph like any weight.
 */
import { linear as product } from '../graph/composites.js';
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import { formatShape, sameShape } from '../graph/shape.js';
import { assert } from '../util/errors.js';
import { Random } from '../util/random.js';
import type { LowRank, Parameters } from './parameters.js';

export interface LoraSettings {
  readonly r: number;
  readonly alpha: number;
  /** Share of a module's inputs that are left out in training. */
  readonly dropout: number;
  /** Scale by √r instead of r (rsLoRA, arXiv 2312.03732). */
  readonly rslora: boolean;
  /** Whether the module of that name (`model.layers.0.self_attn.q_proj`) is adapted. */
  readonly isTarget: (module: string) => boolean;
}

const loraNames = (module: string): { readonly a: string; readonly b: string } => ({
  a: `${module}.lora_A.weight`,
  b: `${module}.lora_B.weight`,
});

export const isLoraName = (name: string): boolean => /\.lora_[AB]\.weight$/.test(name);

/** The graph's side of an adapter. */
export class LoraGraph implements LowRank {
  constructor(
    private readonly settings: LoraSettings,
    /**
     * In 0 … 1, new at every step: what the dropout masks are drawn from, [batch, positions] for each such pair of sizes that
     * inputs have. None without dropout.
     */
    private readonly dropoutRows: readonly Tensor[] = [],
  ) {}

  update(weights: Parameters, module: string, x: Tensor, out: number): Tensor | undefined {
    const { r, alpha, rslora, isTarget } = this.settings;
    if (!isTarget(module)) return undefined;
    const inner = x.shape[x.shape.length - 1] as number;
    const { a, b } = loraNames(module);
    const down = product(this.dropped(x, module, inner), weights.get(a, [r, inner]));
    const up = product(down, weights.get(b, [out, r]));
    return op.mul(up, alpha / (rslora ? Math.sqrt(r) : r));
  }

  /**
   * x with some values left out. A mask is the fraction of row · factor + shift, factor and shift of each channel: the
   * same rows give the same mask, so a resumed run draws the same ones.
   */
  private dropped(x: Tensor, module: string, inner: number): Tensor {
    const { dropout } = this.settings;
    if (dropout === 0 || this.dropoutRows.length === 0) return x;
    const own = this.dropoutRows.find((rows) => sameShape(rows.shape, x.shape.slice(0, 2)));
    assert(own !== undefined, `no dropout is drawn for ${module}, whose input is ${formatShape(x.shape)}`);
    const random = new Random(`dropout/${module}`);
    const draw = (from: number, size: number): Tensor =>
      op.constant(
        'f32',
        [inner],
        Float32Array.from({ length: inner }, () => from + size * random.next()),
      );
    const rows = op.reshape(own, [...own.shape, 1]);
    // Factors of this size keep 12 bits of the fraction, and no two channels in step.
    const spread = op.add(op.mul(rows, draw(300, 1700)), draw(0, 1));
    const fraction = op.sub(spread, op.cast(op.cast(spread, 'i64'), 'f32'));
    const kept = op.cast(op.greater(fraction, op.scalar(dropout)), 'f32');
    return op.mul(x, op.mul(op.stopGradient(kept), 1 / (1 - dropout)));
  }
}

/** Fresh weights of a module [out, in]: A Kaiming-uniform with a = √5, which is ±1/√in, and B zero (PEFT's default). */
export function initialLora(
  module: string,
  [out, inner]: readonly number[],
  r: number,
  seed: number,
): { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[] {
  const random = new Random(`${seed}/lora/${module}`);
  const bound = 1 / Math.sqrt(inner);
  const { a, b } = loraNames(module);
  return [
    {
      name: a,
      shape: [r, inner],
      data: Float32Array.from({ length: r * inner }, () => bound * (2 * random.next() - 1)),
    },
    { name: b, shape: [out, r], data: new Float32Array(out * r) },
  ];
}
