/** @module What the measuring processes are told and what they answer; torch_step.py takes and gives the same. */
import { z } from 'zod';

export const stepJob = z.object({
  /** Checkpoint folder. */
  model: z.string(),
  /** Safetensors file: input_ids [B, S] i64; with images pixel_values [patches, values] f32, image_grid_thw [images, 3] i64. */
  batch: z.string(),
  /** Tokens at the end of each row that are learned. */
  answerLength: z.number(),
  /** Steps before the clock is read. */
  warmup: z.number(),
  steps: z.number(),
  threads: z.number(),
  optimizer: z.object({
    lr: z.number(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number(),
    weightDecay: z.number(),
    maxGradNorm: z.number(),
  }),
  /** Layers between two kept states; everything is kept where it is left out. Ours alone. */
  keptEvery: z.number().optional(),
});
export type StepJob = z.infer<typeof stepJob>;

export const stepResult = z.object({
  /** Of every step, warm-up first. */
  losses: z.array(z.number()),
  gradNorms: z.array(z.number()),
  /** Milliseconds of each measured step. */
  milliseconds: z.array(z.number()),
  peakMib: z.number(),
  /** What torch's own counter finds in one step's forward and backward pass. */
  countedFlops: z.number().optional(),
});
export type StepResult = z.infer<typeof stepResult>;

export const matmulJob = z.object({
  /** Rows, columns and depth of the f32 product. */
  matmul: z.number(),
  repeats: z.number(),
  threads: z.number(),
});
export type MatmulJob = z.infer<typeof matmulJob>;

export const matmulResult = z.object({ milliseconds: z.array(z.number()) });
