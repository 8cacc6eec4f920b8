/** @module The SFT step as one graph: loss of a batch and its gradients. */
import { tokenLogProbs } from '../graph/composites.js';
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import type { Dim } from '../graph/shape.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import {
  type AskedRows,
  attendBackwards,
  embedInputs,
  languageHead,
  lengthOfPieces,
  rowsAsked,
  textModel,
} from '../models/qwen2_5_vl/text.js';
import { mergePatches, visionBlocks, visionInputs } from '../models/qwen2_5_vl/vision.js';
import { LoraGraph, type LoraSettings } from '../nn/lora.js';
import { Parameters } from '../nn/parameters.js';
import { askedRows, askedStates } from '../models/qwen2_5_vl/asked-rows.js';
import { differentiated } from './differentiated.js';

/** Where the image features of a batch come from. */
export type ImagePath = 'none' | 'features' | 'tower';

export interface SftGraphOptions {
  /** `tower` runs (and trains) the vision tower; `features` takes its outputs as given; `none` has no images. */
  readonly images: ImagePath;
  /** With padding on the right alone the causal mask suffices; `any` takes one mask a row. */
  readonly padding: 'right' | 'any';
  /** Whether the tower has padded slots, which then need a mask. */
  readonly paddedSlots: boolean;
  readonly trainable: (name: string) => boolean;
  /** An adapter that is trained. */
  readonly lora?: LoraSettings;
  /** Gradient checkpointing: blocks between two hidden states that are kept. All values are where it is left out. */
  readonly keptEvery?: number;
  /** Pieces in which a row attends, 1 unless given; its length is then a multiple of them. */
  readonly pieces?: number;
}

export interface SftGraph {
  /** `loss` [], `log_probs` [labels] and `grad.NAME` for every trainable weight. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly trainable: readonly string[];
}

/**
 * Inputs: input_ids [batch, seq] i64; position_ids [3, batch, seq] i64; mask [1 | batch, 1, seq, seq] f32, added to
 * the scores; asked_rows, asked_back, asked_mask and label_rows of `asked-rows.ts`; labels [labels] i64; label_weights [labels] f32;
 * with images feature_index [batch, seq] i64 and either features [features, D] or the tower's inputs.
 * loss = −Σ weight · log p(label).
 */
export function sftGraph(config: Qwen2_5_VLConfig, options: SftGraphOptions): SftGraph {
  const { lora, pieces = 1 } = options;
  const seq = lengthOfPieces(pieces);
  const asked = askedStates(askedRows(seq), seq);
  const weights = new Parameters(lora && new LoraGraph(lora, dropoutRows(lora, seq, asked)));
  const inputIds = op.input('input_ids', 'i64', ['batch', seq]);
  const positionIds = op.input('position_ids', 'i64', [3, 'batch', seq]);
  const mask = op.input('mask', 'f32', [options.padding === 'right' ? 1 : 'batch', 1, seq, seq]);
  const rows = op.input('label_rows', 'i64', ['labels']);
  const labels = op.input('labels', 'i64', ['labels']);
  const labelWeights = op.input('label_weights', 'f32', ['labels']);

  const images = imageInputs(weights, config, options, seq);
  const embeddings = embedInputs(weights, config, inputIds, images);
  const states = textModel(weights, config, embeddings, positionIds, attendBackwards(mask, pieces), asked);
  const last = states[states.length - 1];
  const hidden = op.reshape(last, [op.rowsOf(last), config.text.hiddenSize]);
  // Only positions that predict a label need logits: the vocabulary is the widest product of a small model.
  const logits = languageHead(weights, config, op.gather(hidden, rows));
  const logProbs = tokenLogProbs(logits, labels);
  const loss = op.neg(op.reduceSum(op.mul(logProbs, labelWeights), [0], false));

  const parameters = weights.all();
  const trainable = [...parameters.keys()].filter(options.trainable);
  const outputs = differentiated({
    forward: { loss, log_probs: logProbs },
    trainable: new Map(trainable.map((name) => [name, parameters.get(name) as Tensor])),
    stacks: [images?.states ?? [], states],
    keptEvery: options.keptEvery,
  });
  return { outputs, parameters, trainable };
}

/** The features of a batch's images, which token takes which, and the tower's hidden states where it is in the graph. */
interface ImageInputs {
  readonly features: Tensor;
  readonly featureIndex: Tensor;
  readonly states: readonly Tensor[];
}

export function imageInputs(
  weights: Parameters,
  config: Qwen2_5_VLConfig,
  { images, paddedSlots }: Pick<SftGraphOptions, 'images' | 'paddedSlots'>,
  seq: Dim,
): ImageInputs | undefined {
  if (images === 'none') return undefined;
  const featureIndex = op.input('feature_index', 'i64', ['batch', seq]);
  if (images === 'features') {
    const features = op.input('features', 'f32', ['features', config.vision.outHiddenSize]);
    return { features, featureIndex, states: [] };
  }
  return { featureIndex, ...towerFeatures(weights, config, paddedSlots) };
}

/** The tower on its inputs `patches`, `patch_positions`, `patch_present`, `token_slots`: features [features, D], hidden states. */
export function towerFeatures(
  weights: Parameters,
  config: Qwen2_5_VLConfig,
  paddedSlots: boolean,
): Pick<ImageInputs, 'features' | 'states'> {
  const { inputs, tokenSlots } = visionInputs(config, paddedSlots);
  const states = visionBlocks(weights, config, inputs);
  return { features: mergePatches(weights, config, states[states.length - 1], tokenSlots), states };
}

/** Input dropout_rows [batch, seq] f32 where an adapter has dropout, and of it the positions that the last layer is asked for. */
function dropoutRows({ dropout }: LoraSettings, seq: Dim, asked: AskedRows): Tensor[] {
  if (dropout === 0) return [];
  const all = op.input('dropout_rows', 'f32', ['batch', seq]);
  return [all, rowsAsked(all, asked)];
}
