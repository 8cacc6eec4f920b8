/** @module The GRPO update as one graph over packed rows: log-probabilities, loss and gradients. */
import { logSoftmax, tokenLogProbs } from '../../graph/composites.js';
import type { Tensor } from '../../graph/node.js';
import * as op from '../../graph/ops.js';
import type { Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import { embedInputs, languageHead, textModel } from '../../models/qwen2_5_vl/text.js';
import { LoraGraph, type LoraSettings } from '../../nn/lora.js';
import { Parameters } from '../../nn/parameters.js';
import { groupAttention } from '../../models/qwen2_5_vl/group-attention.js';
import { differentiated } from '../differentiated.js';
import { imageInputs, type ImagePath, type SftGraph } from '../sft-graph.js';
import { grpoLoss, type LossSettings } from './loss.js';

export interface PolicyGraphOptions {
  readonly images: ImagePath;
  readonly paddedSlots: boolean;
  /** Logits are divided by it before the softmax, as the sampler divides them. */
  readonly temperature: number;
  readonly lora?: LoraSettings;
  /** Gradient checkpointing: blocks between two hidden states that are kept. All values are where it is left out. */
  readonly keptEvery?: number;
  /** Pieces in which prompts attend, 1 unless given; their places are then a multiple of them. */
  readonly pieces?: number;
  /** What is trained and how; null scores only. */
  readonly update: PolicyUpdate | null;
}

export interface PolicyUpdate {
  readonly loss: LossSettings;
  /** Whether log-probabilities of an older sampler are fed, or the policy is its own. */
  readonly isOffPolicy: boolean;
  readonly trainable: (name: string) => boolean;
}

/**
 * Inputs: input_ids [rows, seq] i64; position_ids [3, rows, seq] i64; those of `group-attention.ts`; label_rows
 * of `asked-rows.ts` (a prompt's last position predicts as often as it has completions); labels [tokens] i64; with
 * images feature_index [rows, seq] and features or the tower's inputs. For an update also advantages and token_weights
 * [tokens], old_log_probs, ref_log_probs [tokens], and for the sequence level completion_of [tokens] i64 and
 * segment_mean [completions, tokens].
 * Outputs: log_probs [tokens]; for an update also entropy [tokens], loss [], kl [tokens] and `grad.NAME`.
 */
export function policyGraph(config: Qwen2_5_VLConfig, options: PolicyGraphOptions): SftGraph {
  const weights = new Parameters(options.lora && new LoraGraph(options.lora));
  const inputIds = op.input('input_ids', 'i64', ['batch', 'seq']);
  const positionIds = op.input('position_ids', 'i64', [3, 'batch', 'seq']);
  const images = imageInputs(weights, config, options, 'seq');
  const embeddings = embedInputs(weights, config, inputIds, images);
  const { attend, asked } = groupAttention(options.pieces ?? 1);
  const states = textModel(weights, config, embeddings, positionIds, attend, asked);
  const last = states[states.length - 1];
  const hidden = op.reshape(last, [op.rowsOf(last), config.text.hiddenSize]);
  const wanted = op.gather(hidden, op.input('label_rows', 'i64', ['tokens']));
  const logits = op.mul(languageHead(weights, config, wanted), 1 / options.temperature);
  const logProbs = tokenLogProbs(logits, op.input('labels', 'i64', ['tokens']));
  const parameters = weights.all();
  if (options.update === null) return { outputs: { log_probs: logProbs }, parameters, trainable: [] };

  const { loss: settings, isOffPolicy, trainable: isTrained } = options.update;
  const isSequence = settings.importance_sampling_level === 'sequence';
  const floats = (name: string): Tensor => op.input(name, 'f32', ['tokens']);
  const { loss, kl } = grpoLoss(
    {
      logProbs,
      oldLogProbs: isOffPolicy ? floats('old_log_probs') : undefined,
      refLogProbs: settings.beta === 0 ? undefined : floats('ref_log_probs'),
      advantages: floats('advantages'),
      weights: floats('token_weights'),
      completionOf: isSequence ? op.input('completion_of', 'i64', ['tokens']) : undefined,
      segmentMean: isSequence ? op.input('segment_mean', 'f32', ['completions', 'tokens']) : undefined,
    },
    settings,
  );
  const trainable = [...parameters.keys()].filter(isTrained);
  const update = differentiated({
    forward: { log_probs: logProbs, entropy: entropyOf(logits), loss, ...(kl === null ? {} : { kl }) },
    trainable: new Map(trainable.map((name) => [name, parameters.get(name) as Tensor])),
    stacks: [images?.states ?? [], states],
    keptEvery: options.keptEvery,
  });
  return { outputs: update, parameters, trainable };
}

/** −Σ p log p over the vocabulary: logits [tokens, V] → [tokens], without a gradient. */
function entropyOf(logits: Tensor): Tensor {
  const logP = op.stopGradient(logSoftmax(logits));
  return op.neg(op.reduceSum(op.mul(op.exp(logP), logP), [-1], false));
}
