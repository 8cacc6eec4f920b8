/** @module Prompts computed once, for answers that go on from them. */
import { askedStatesFeeds } from '../models/qwen2_5_vl/asked-rows.js';
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { causalFeed } from '../models/qwen2_5_vl/feeds.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { LENGTH_STEP, piecesOf } from '../models/qwen2_5_vl/text.js';
import type { HostTensor } from '../runtime/host-tensor.js';
import { promptFeeds } from './prompt-feeds.js';
import type { PromptPass, TextRunner } from './running-batch.js';

/** What is known of the prompts: `keys.L`, `values.L` [prompts, kvHeads, capacity, headDim], and their lengths. */
export interface CachedPrompts {
  readonly caches: Readonly<Record<string, HostTensor>>;
  readonly lengths: readonly number[];
}

/** Sessions that go on from cached prompts without copying them. */
export interface SharedRunners {
  /** Runs `promptGraph` of so many pieces. */
  prompts(pieces: number): TextRunner | Promise<TextRunner>;
  /** Runs `sharedPromptGraph`; made while the prompts are computed. */
  answers(): TextRunner | Promise<TextRunner>;
}

/** Computes all prompts at once, and gives what goes on from them. */
export async function cachePrompts(
  config: Qwen2_5_VLConfig,
  runners: SharedRunners,
  prompts: readonly EncodedPrompt[],
  { pad, features }: { readonly pad: number; readonly features: HostTensor | null },
): Promise<PromptPass & { readonly cached: CachedPrompts; readonly answers: TextRunner }> {
  const { feeds, batch, seq, lengths, ropeDeltas } = promptFeeds(prompts, config, {
    pad,
    features,
    lengthStep: LENGTH_STEP,
  });
  const mask = causalFeed(seq);
  const ends = lengths.map((length, row) => row * seq + length - 1);
  const { asked_rows, asked_mask } = askedStatesFeeds(ends, { batch, mask, step: 1 });
  const session = await runners.prompts(piecesOf(seq));
  const [{ logits, ...caches }, answers] = await Promise.all([
    session.run({ ...feeds, mask, asked_rows, asked_mask }, {}),
    runners.answers(),
  ]);
  const data = logits.data as Float32Array;
  const width = data.length / batch;
  return {
    logits: lengths.map((_, row) => data.subarray(row * width, (row + 1) * width)),
    ropeDeltas,
    cached: { caches, lengths },
    answers,
  };
}
