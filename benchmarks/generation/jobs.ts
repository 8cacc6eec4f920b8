/** @module What the generating processes are told and what they answer; torch_generate.py takes and gives the same. */
import { z } from 'zod';

export const generateJob = z.object({
  /** Checkpoint folder. */
  model: z.string(),
  /**
   * Safetensors file: input_ids [B, S] i64, padded on the left, attention_mask [B, S] i64, pixel_values
   * [patches, values] f32, image_grid_thw [B, 3] i64 (one image a prompt).
   */
  prompts: z.string(),
  newTokens: z.number(),
  repeats: z.number(),
  threads: z.number(),
  pad: z.number(),
  /** Ids that are never generated. */
  suppressed: z.array(z.number()),
});
export type GenerateJob = z.infer<typeof generateJob>;

export const generateResult = z.object({
  /** Milliseconds to the first token of every row: vision tower and prompts. */
  firstToken: z.array(z.number()),
  /** Milliseconds to the last token of every row. */
  allTokens: z.array(z.number()),
  /** The new tokens of each row. */
  tokens: z.array(z.array(z.number())),
  peakMib: z.number(),
});
export type GenerateResult = z.infer<typeof generateResult>;
