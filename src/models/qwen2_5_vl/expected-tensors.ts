/** @module The names and shapes of all weights of a Qwen2.5-VL, and the check of a folder against them. */
import type { TensorInfo } from '../../checkpoint/checkpoint.js';
import { UserError } from '../../util/errors.js';
import type { Qwen2_5_VLConfig, TextConfig, VisionConfig } from './config-types.js';

type Shape = readonly number[];
type Named = readonly [name: string, shape: Shape];

/** The weight [out, in] of a linear layer, and its bias [out] where it has one. */
function linear(name: string, inputs: number, outputs: number, bias: boolean): Named[] {
  const weight: Named = [`${name}.weight`, [outputs, inputs]];
  return bias ? [weight, [`${name}.bias`, [outputs]]] : [weight];
}

const norm = (name: string, width: number): Named => [`${name}.weight`, [width]];

function gatedMlp(name: string, width: number, inner: number, bias: boolean): Named[] {
  return [
    ...linear(`${name}.gate_proj`, width, inner, bias),
    ...linear(`${name}.up_proj`, width, inner, bias),
    ...linear(`${name}.down_proj`, inner, width, bias),
  ];
}

function visionBlock(name: string, { hiddenSize, intermediateSize }: VisionConfig): Named[] {
  return [
    norm(`${name}.norm1`, hiddenSize),
    norm(`${name}.norm2`, hiddenSize),
    ...linear(`${name}.attn.qkv`, hiddenSize, 3 * hiddenSize, true),
    ...linear(`${name}.attn.proj`, hiddenSize, hiddenSize, true),
    ...gatedMlp(`${name}.mlp`, hiddenSize, intermediateSize, true),
  ];
}

function merger({ hiddenSize, spatialMergeSize, outHiddenSize }: VisionConfig): Named[] {
  const merged = hiddenSize * spatialMergeSize ** 2;
  return [
    norm('visual.merger.ln_q', hiddenSize),
    ...linear('visual.merger.mlp.0', merged, merged, true),
    ...linear('visual.merger.mlp.2', merged, outHiddenSize, true),
  ];
}

function textLayer(name: string, text: TextConfig): Named[] {
  const { hiddenSize, headDim } = text;
  const queries = text.numAttentionHeads * headDim;
  const keys = text.numKeyValueHeads * headDim;
  return [
    norm(`${name}.input_layernorm`, hiddenSize),
    ...linear(`${name}.self_attn.q_proj`, hiddenSize, queries, true),
    ...linear(`${name}.self_attn.k_proj`, hiddenSize, keys, true),
    ...linear(`${name}.self_attn.v_proj`, hiddenSize, keys, true),
    ...linear(`${name}.self_attn.o_proj`, queries, hiddenSize, false),
    norm(`${name}.post_attention_layernorm`, hiddenSize),
    ...gatedMlp(`${name}.mlp`, hiddenSize, text.intermediateSize, false),
  ];
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * Every weight by its flat name with its shape, vision first (transformers:models/qwen2_5_vl/modeling_qwen2_5_vl.py).
 * A tied head is not among them: it is the word embeddings.
 */
export function expectedTensors({ text, vision, tieWordEmbeddings }: Qwen2_5_VLConfig): Map<string, Shape> {
  const { hiddenSize, inChannels, temporalPatchSize, patchSize } = vision;
  const words: Shape = [text.vocabSize, text.hiddenSize];
  const head: Named[] = tieWordEmbeddings ? [] : [['lm_head.weight', words]];
  return new Map<string, Shape>([
    ['visual.patch_embed.proj.weight', [hiddenSize, inChannels, temporalPatchSize, patchSize, patchSize]],
    ...range(vision.depth).flatMap((block) => visionBlock(`visual.blocks.${block}`, vision)),
    ...merger(vision),
    ['model.embed_tokens.weight', words],
    ...range(text.numHiddenLayers).flatMap((layer) => textLayer(`model.layers.${layer}`, text)),
    norm('model.norm', text.hiddenSize),
    ...head,
  ]);
}

/** How many tensors of one kind a message names. */
const NAMED = 3;

function firstOf(items: readonly string[]): string {
  const more = items.length > NAMED ? ` and ${items.length - NAMED} more` : '';
  return items.slice(0, NAMED).join(', ') + more;
}

/** What {@link checkTensors} needs of a checkpoint. */
export interface CheckedFolder {
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Throws one {@link UserError} if weights that the config asks for are missing, have another shape, or are no floats. */
export function checkTensors({ folder, tensors }: CheckedFolder, config: Qwen2_5_VLConfig): void {
  const missing: string[] = [];
  const misshapen: string[] = [];
  const notFloat: string[] = [];
  for (const [name, shape] of expectedTensors(config)) {
    const found = tensors.get(name);
    const [has, needs] = [found?.shape.join(', '), shape.join(', ')];
    if (!found) missing.push(name);
    else if (has !== needs) misshapen.push(`${name} is [${has}] but should be [${needs}]`);
    else if (!['F32', 'F16', 'BF16'].includes(found.dtype)) notFloat.push(`${name} is ${found.dtype}`);
  }
  const problems = [
    ...(missing.length > 0 ? [`${missing.length} weights are missing (${firstOf(missing)})`] : []),
    ...(misshapen.length > 0
      ? [`${misshapen.length} weights have another shape (${firstOf(misshapen)})`]
      : []),
    ...(notFloat.length > 0
      ? [`${notFloat.length} weights are no F32, F16 or BF16 (${firstOf(notFloat)})`]
      : []),
  ];
  if (problems.length === 0) return;
  throw new UserError(
    `${folder}: the weights are not those that config.json describes: ${problems.join('; ')}. ` +
      'Take config.json and the weights from the same save.',
  );
}
