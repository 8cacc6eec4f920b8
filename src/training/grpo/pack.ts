/**
 * @module A group as one row: [prompt | completion 1 | … | completion G]. Each completion sees the prompt
 * and itself (`group-attention.ts`), and begins at the position where the prompt ends, so that the prompt is computed once for all: the
 * same log-probabilities as in rows of their own (arXiv 2506.05433 calls it prefix grouping).
 */
import type { Qwen2_5_VLConfig } from '../../models/qwen2_5_vl/config.js';
import { featureIndex, visionFeeds } from '../../models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../../models/qwen2_5_vl/image-processing.js';
import { getRopeIndex } from '../../models/qwen2_5_vl/rope-index.js';
import { LENGTH_STEP, piecesOf } from '../../models/qwen2_5_vl/text.js';
import type { EncodedPrompt } from '../../models/qwen2_5_vl/processor.js';
import type { HostTensor } from '../../runtime/session.js';
import { askedFeeds } from '../../models/qwen2_5_vl/asked-rows.js';
import { groupFeeds, roomFor } from '../../models/qwen2_5_vl/group-feeds.js';

/** What is packed: a prompt and its completions, each with the token that ended it. */
export interface PackableGroup {
  readonly prompt: Pick<EncodedPrompt, 'inputIds' | 'images'>;
  readonly completions: readonly (readonly number[])[];
}

export interface PackSettings {
  readonly config: Qwen2_5_VLConfig;
  readonly padId: number;
  /** `tower`: feed the vision tower with patches. `features`: leave the images to whoever computes their features. */
  readonly images: 'tower' | 'features';
}

export interface PackedRows {
  readonly feeds: Record<string, HostTensor>;
  readonly images: readonly ProcessedImage[];
  /** Tokens of each completion, in the order of `labels`. */
  readonly lengths: readonly number[];
  /** Whether the vision tower's slots hold padding. */
  readonly padded: boolean;
  /** Tokens computed, without padding. */
  readonly tokens: number;
  /** Pieces in which the prompts attend. */
  readonly pieces: number;
}

/** A completion's last token predicts nothing, so it is not fed. */
const fedTokens = (completion: readonly number[]): readonly number[] => completion.slice(0, -1);

const rowLength = ({ prompt, completions }: PackableGroup): number =>
  prompt.inputIds.length + completions.reduce((sum, completion) => sum + fedTokens(completion).length, 0);

/** Each completion in a row of its own: what packing must be equal to. */
export function unpacked(groups: readonly PackableGroup[]): PackableGroup[] {
  return groups.flatMap(({ prompt, completions }) =>
    completions.map((completion) => ({ prompt, completions: [completion] })),
  );
}

/** The feeds of `policyGraph` that do not depend on rewards. Every completion needs at least one token. */
export function packGroups(
  groups: readonly PackableGroup[],
  { config, padId, images: path }: PackSettings,
): PackedRows {
  const batch = groups.length;
  const lengths = groups.map(rowLength);
  const seq = roomFor(Math.max(...lengths), LENGTH_STEP);
  const ids = new BigInt64Array(batch * seq).fill(BigInt(padId));
  const attended = new BigInt64Array(batch * seq);
  const predicting: number[] = [];
  const labels: bigint[] = [];
  groups.forEach(({ prompt, completions }, row) => {
    const { length } = prompt.inputIds;
    prompt.inputIds.forEach((id, i) => {
      ids[row * seq + i] = BigInt(id);
      attended[row * seq + i] = 1n;
    });
    let at = length;
    for (const completion of completions) {
      completion.forEach((id, i) => {
        predicting.push(row * seq + (i === 0 ? length - 1 : at + i - 1));
        labels.push(BigInt(id));
      });
      const fed = fedTokens(completion);
      fed.forEach((id, i) => {
        ids[row * seq + at + i] = BigInt(id);
      });
      at += fed.length;
    }
  });
  const images = groups.flatMap(({ prompt }) => prompt.images);
  const { positionIds, ropeDeltas } = getRopeIndex({
    inputIds: ids,
    attentionMask: attended,
    batch,
    seq,
    grids: images.map((image) => image.grid),
    config,
  });
  placeCompletions(positionIds, groups, ropeDeltas, seq);
  const asked = askedFeeds(predicting, { batch, seq, spare: 1 });
  const promptRoom = roomFor(Math.max(...groups.map(({ prompt }) => prompt.inputIds.length)), LENGTH_STEP);
  const feeds: Record<string, HostTensor> = {
    input_ids: { dtype: 'i64', shape: [batch, seq], data: ids },
    position_ids: { dtype: 'i64', shape: [3, batch, seq], data: positionIds },
    ...asked,
    ...groupFeeds(
      groups.map(({ prompt, completions }) => ({
        prompt: prompt.inputIds.length,
        completions: completions.map((completion) => fedTokens(completion).length),
      })),
      { seq, promptRoom, asked },
    ),
    labels: { dtype: 'i64', shape: [labels.length], data: BigInt64Array.from(labels) },
  };
  let padded = false;
  if (images.length > 0) {
    feeds.feature_index = {
      dtype: 'i64',
      shape: [batch, seq],
      data: featureIndex(ids, config.imageTokenId),
    };
  }
  if (images.length > 0 && path === 'tower') {
    const vision = visionFeeds(images, config);
    padded = vision.layout.padded;
    feeds.patches = vision.patches;
    feeds.patch_positions = vision.positions;
    feeds.patch_present = vision.present;
    feeds.token_slots = vision.tokenSlots;
  }
  return {
    feeds,
    images,
    lengths: groups.flatMap(({ completions }) => completions.map(({ length }) => length)),
    padded,
    tokens: lengths.reduce((sum, length) => sum + length, 0),
    pieces: piecesOf(promptRoom),
  };
}

/** Writes the positions of all completions: each goes on where its prompt's end. */
function placeCompletions(
  positionIds: BigInt64Array,
  groups: readonly PackableGroup[],
  ropeDeltas: ArrayLike<number>,
  seq: number,
): void {
  const batch = groups.length;
  groups.forEach(({ prompt, completions }, row) => {
    const first = prompt.inputIds.length + ropeDeltas[row];
    let at = prompt.inputIds.length;
    for (const completion of completions) {
      const { length } = fedTokens(completion);
      for (let i = 0; i < length; i++) {
        for (let axis = 0; axis < 3; axis++) {
          positionIds[(axis * batch + row) * seq + at + i] = BigInt(first + i);
        }
      }
      at += length;
    }
  });
}

/** Values of completions as values of their tokens. */
export function perToken(values: readonly number[], lengths: readonly number[]): HostTensor {
  const data = Float32Array.from(lengths.flatMap((length, i) => Array.from({ length }, () => values[i])));
  return { dtype: 'f32', shape: [data.length], data };
}

/** Values of tokens, completion by completion, as one tensor. */
export function tokenValues(values: readonly (readonly number[])[]): HostTensor {
  const data = Float32Array.from(values.flat());
  return { dtype: 'f32', shape: [data.length], data };
}

/** The two feeds of the sequence level. */
export function segmentFeeds(lengths: readonly number[]): Record<string, HostTensor> {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const completionOf = new BigInt64Array(tokens);
  const mean = new Float32Array(lengths.length * tokens);
  let at = 0;
  lengths.forEach((length, i) => {
    completionOf.fill(BigInt(i), at, at + length);
    mean.fill(1 / length, i * tokens + at, i * tokens + at + length);
    at += length;
  });
  return {
    completion_of: { dtype: 'i64', shape: [tokens], data: completionOf },
    segment_mean: { dtype: 'f32', shape: [lengths.length, tokens], data: mean },
  };
}
