/** @module The language model: embeddings in, hidden states and logits out (transformers:modeling_qwen2_5_vl.py). */
import { attention, embedding, rope } from '../../graph/composites.js';
import type { Tensor } from '../../graph/node.js';
import * as op from '../../graph/ops.js';
import { take } from '../../graph/row-composites.js';
import { type Dim, divideDim, multiplyDims } from '../../graph/shape.js';
import { gatedMlp, linear, rmsNorm } from '../../nn/layers.js';
import type { Parameters } from '../../nn/parameters.js';
import { mrope, type Rotary } from '../../nn/rotary.js';
import type { Qwen2_5_VLConfig } from './config.js';

/** Rotated queries and keys and the values of one layer: [B, S, heads, D] (fewer where not all are asked), [B, S, kvHeads, D] twice. */
export interface Projections {
  readonly layer: number;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** How a layer attends: over this pass alone, or over a cache. Gives [B, queries, heads·D]. */
export type Attend = (projections: Projections) => Tensor;

/** The positions whose last states are wanted. */
export interface AskedRows {
  /** Flat rows [B, asked] i64 of [B·S]. */
  readonly rows: Tensor;
  /** In training the way back for gradients [B, S] i64: the place of each position among them, one past the last for none. */
  readonly back?: Tensor;
}

/** And how those attend to all. The last layer then computes nothing but keys and values of the others. */
export interface AskedStates extends AskedRows {
  readonly attend: Attend;
}

/** Attention within this pass; `mask` is added to the scores, broadcastable to [B, heads, queries, S]. */
export function attendWithin(mask: Tensor): Attend {
  return ({ query, key, value }) => {
    const [batch, length, heads, size] = query.shape;
    const heads_first = [query, key, value].map((x) => op.transpose(x, [0, 2, 1, 3]));
    const mixed = attention(heads_first[0], heads_first[1], heads_first[2], { mask });
    return op.reshape(op.transpose(mixed, [0, 2, 1, 3]), [
      batch,
      length,
      (heads as number) * (size as number),
    ]);
  };
}

/**
 * In how many pieces rows attend, from how many tokens on: of 2,000 tokens in 16 pieces, 47 % of the square lies ahead of whole
 * pieces and is not computed. What is computed and masked costs most of all: its exponential underflows, for which Intel's CPUs
 * take 2 ns a score instead of 0.3. In short rows the square is little of the work.
 */
const PIECES: readonly { readonly from: number; readonly pieces: number }[] = [
  { from: 512, pieces: 16 },
  { from: 128, pieces: 4 },
  { from: 0, pieces: 1 },
];

/** Rows of a multiple of this many tokens can attend in any of these pieces. */
export const LENGTH_STEP = 16;

/** Pieces in which a row attends. */
export const piecesOf = (length: number): number => PIECES.find(({ from }) => length >= from)?.pieces ?? 1;

/** The length of rows, a multiple of `pieces`; called `whole` where there is one. */
export const lengthOfPieces = (pieces: number, whole = 'seq'): Dim =>
  pieces === 1 ? whole : multiplyDims(pieces, 'piece');

/**
 * The same where no query looks ahead, in pieces of equal length ({@link lengthOfPieces}): keys that a whole piece has
 * ahead of it are never computed, nearly half of the square. mask [B, 1, S, S].
 */
export function attendBackwards(mask: Tensor, pieces: number): Attend {
  if (pieces === 1) return attendWithin(mask);
  const [masked, , total] = mask.shape;
  const length = divideDim(total, pieces);
  const cut = op.reshape(mask, [masked, 1, pieces, length, pieces, length]);
  // Keys of the piece itself and of all before it.
  const reach = (piece: number): Dim => multiplyDims(length, piece + 1);
  const masks = Array.from({ length: pieces }, (_, piece) => {
    const own = op.slice(op.slice(cut, 2, piece, piece + 1), 4, 0, piece + 1);
    return op.reshape(own, [masked, 1, length, reach(piece)]);
  });
  return ({ query, key, value }) => {
    const [batch, , heads, size] = query.shape;
    const [queries, keys, values] = [query, key, value].map((x) =>
      op.reshape(op.transpose(x, [0, 2, 1, 3]), [batch, x.shape[2], pieces, length, size]),
    );
    const upTo = (x: Tensor, piece: number): Tensor =>
      op.reshape(op.slice(x, 2, 0, piece + 1), [batch, x.shape[1], reach(piece), size]);
    const mixed = masks.map((own, piece) => {
      const asking = op.reshape(op.slice(queries, 2, piece, piece + 1), [batch, heads, length, size]);
      const part = attention(asking, upTo(keys, piece), upTo(values, piece), { mask: own });
      return op.reshape(part, [batch, heads, 1, length, size]);
    });
    const whole = op.reshape(op.concat(mixed, 2), [batch, heads, total, size]);
    return op.reshape(op.transpose(whole, [0, 2, 1, 3]), [batch, total, multiplyDims(heads, size)]);
  };
}

/** The embedding matrix [vocabulary, D]. */
function embeddingWeight(weights: Parameters, config: Qwen2_5_VLConfig): Tensor {
  return weights.get('model.embed_tokens.weight', [config.text.vocabSize, config.text.hiddenSize]);
}

/**
 * Token embeddings with the image features in place of the image tokens.
 * inputIds [B, S] i64, features [N, D], featureIndex [B, S] i64 (which feature an image token takes, else 0) → [B, S, D].
 */
export function embedInputs(
  weights: Parameters,
  config: Qwen2_5_VLConfig,
  inputIds: Tensor,
  images?: { readonly features: Tensor; readonly featureIndex: Tensor },
): Tensor {
  const words = embedding(embeddingWeight(weights, config), inputIds);
  if (images === undefined) return words;
  const isImage = op.equal(inputIds, op.scalar(config.imageTokenId, 'i64'));
  const pictures = op.gather(images.features, images.featureIndex);
  return op.where(op.reshape(isImage, [...inputIds.shape, 1]), pictures, words);
}

/** Rows of x [B, S, …] that are asked for → [B, asked, …]. */
export function rowsAsked(x: Tensor, { rows, back }: AskedRows): Tensor {
  const [batch, length, ...inner] = x.shape;
  const flat = op.reshape(x, [multiplyDims(batch, length), ...inner]);
  return back === undefined ? op.gather(flat, rows) : take(flat, rows, back);
}

/**
 * All hidden states: the embeddings, each layer's output, and instead of the last layer's own its normed form, as
 * transformers reports them. embeddings [B, S, D], positionIds [3, B, S] i64. Where `asked` is given, the last one holds
 * those positions alone: [B, asked, D].
 */
export function textModel(
  weights: Parameters,
  config: Qwen2_5_VLConfig,
  embeddings: Tensor,
  positionIds: Tensor,
  attend: Attend,
  asked?: AskedStates,
): Tensor[] {
  const { text } = config;
  const { numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim, rmsNormEps } = text;
  const split = (x: Tensor, heads: number): Tensor => op.reshape(x, [...x.shape.slice(0, 2), heads, headDim]);
  const rotary = mrope(positionIds, headDim, text.ropeTheta, text.mropeSection);
  const states = [embeddings];
  let hidden = embeddings;
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const name = `model.layers.${layer}`;
    const norm = (x: Tensor): Tensor => rmsNorm(weights, `${name}.input_layernorm`, x, rmsNormEps);
    const project = (x: Tensor, kind: string, heads: number): Tensor =>
      linear(weights, `${name}.self_attn.${kind}_proj`, x, heads * headDim, true);
    const turned = (x: Tensor, { cos, sin }: Rotary, heads: number): Tensor =>
      split(rope(x, cos, sin), heads);
    const all = norm(hidden);
    const key = turned(project(all, 'k', numKeyValueHeads), rotary, numKeyValueHeads);
    const value = split(project(all, 'v', numKeyValueHeads), numKeyValueHeads);
    const last = layer === numHiddenLayers - 1 ? asked : undefined;
    const wanted = (x: Tensor): Tensor => (last === undefined ? x : rowsAsked(x, last));
    hidden = wanted(hidden);
    const mixed = (last?.attend ?? attend)({
      layer,
      query: turned(
        project(norm(hidden), 'q', numAttentionHeads),
        { cos: wanted(rotary.cos), sin: wanted(rotary.sin) },
        numAttentionHeads,
      ),
      key,
      value,
    });
    hidden = op.add(hidden, linear(weights, `${name}.self_attn.o_proj`, mixed, text.hiddenSize, false));
    const normedAgain = rmsNorm(weights, `${name}.post_attention_layernorm`, hidden, rmsNormEps);
    hidden = op.add(hidden, gatedMlp(weights, `${name}.mlp`, normedAgain, text.intermediateSize, false));
    states.push(hidden);
  }
  states[states.length - 1] = rmsNorm(weights, 'model.norm', hidden, rmsNormEps);
  return states;
}

/** hidden […, D] → logits […, vocabulary], through the tied or the separate head. */
export function languageHead(weights: Parameters, config: Qwen2_5_VLConfig, hidden: Tensor): Tensor {
  const { vocabSize, hiddenSize } = config.text;
  const weight = config.tieWordEmbeddings
    ? embeddingWeight(weights, config)
    : weights.get('lm_head.weight', [vocabSize, hiddenSize]);
  const rows = op.reshape(hidden, [op.rowsOf(hidden), hiddenSize]);
  const logits = op.matmul(rows, op.matrixTranspose(weight));
  return op.reshape(logits, [...hidden.shape.slice(0, -1), vocabSize]);
}
