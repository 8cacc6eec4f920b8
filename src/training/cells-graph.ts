/** @module The tower alone, learning to see in words: each merged token of a picture is to be the word for what lies there. */
import { tokenLogProbs } from '../graph/composites.js';
import type { Tensor } from '../graph/node.js';
import * as op from '../graph/ops.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { Parameters } from '../nn/parameters.js';
import { differentiated } from './differentiated.js';
import { type SftGraph, towerFeatures } from './sft-graph.js';

/** By so many logits a feature that equals a word's embedding leads over one that is orthogonal to it. */
const LEAD = 10;
/** Weight of the squared distance to the word's embedding, in units of its own squared length. */
const NEARNESS = 0.5;

export interface CellsGraphOptions {
  /** How many words a cell may be. */
  readonly words: number;
  /** Whether the tower has padded slots, which then need a mask. */
  readonly paddedSlots: boolean;
  readonly trainable: (name: string) => boolean;
  /** As in `SftGraphOptions`. */
  readonly keptEvery?: number;
}

/**
 * Inputs: those of the tower; words [words] i64, the token ids that a cell may be; labels [features] i64, the place in
 * `words` of each cell's; label_weights [features] f32. loss = Σ weight · (−log p(word) + NEARNESS · |f − e|² / |e|²), where f is a
 * cell's feature, e its word's embedding, both lengths being means over `words`, and p the softmax of f·e over `words`.
 * So a picture reaches the language model as words that it can read already.
 */
export function cellsGraph(
  config: Qwen2_5_VLConfig,
  { words: wordCount, paddedSlots, trainable: isTrainable, keptEvery }: CellsGraphOptions,
): SftGraph {
  const weights = new Parameters();
  const words = op.input('words', 'i64', [wordCount]);
  const labels = op.input('labels', 'i64', ['features']);
  const labelWeights = op.input('label_weights', 'f32', ['features']);
  const { vocabSize, hiddenSize } = config.text;
  const embeddings = op.stopGradient(
    op.gather(weights.get('model.embed_tokens.weight', [vocabSize, hiddenSize]), words),
  );
  const squaredLength = op.reduceMean(op.reduceSum(op.mul(embeddings, embeddings), [1], false), [0], false);
  const { features, states } = towerFeatures(weights, config, paddedSlots);
  const scale = op.div(op.scalar(LEAD), squaredLength);
  const logits = op.mul(op.matmul(features, op.matrixTranspose(embeddings)), scale);
  const logProbs = tokenLogProbs(logits, labels);
  const away = op.sub(features, op.gather(embeddings, labels));
  const distance = op.div(op.reduceSum(op.mul(away, away), [1], false), squaredLength);
  const cost = op.sub(op.mul(op.scalar(NEARNESS), distance), logProbs);
  const loss = op.reduceSum(op.mul(cost, labelWeights), [0], false);

  const parameters = weights.all();
  const trainable = [...parameters.keys()].filter(isTrainable);
  const outputs = differentiated({
    forward: { loss, log_probs: logProbs },
    trainable: new Map(trainable.map((name) => [name, parameters.get(name) as Tensor])),
    stacks: [states],
    keptEvery,
  });
  return { outputs, parameters, trainable };
}
