/** @module What the measuring processes are told and what they answer; torch_step.py takes and gives the same. */
import { z } from 'zod';
import { stepSettings } from './common-jobs.js';

export const stepJob = z.object({
  /** Checkpoint folder. */
  model: z.string(),
  /** Safetensors file: input_ids [B, S] i64; with images pixel_values [patches, values] f32, image_grid_thw [images, 3] i64. */
  batch: z.string(),
  /** Tokens at the end of each row that are learned. */
  answerLength: z.number(),
  ...stepSettings,
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

/** runs/tiny's settings but for the learning rate: from fresh weights without warm-up, 1.5e-3 would amplify rounding. */
export const OPTIMIZER: StepJob['optimizer'] = {
  lr: 1e-4,
  betas: [0.9, 0.95],
  eps: 1e-8,
  weightDecay: 0.05,
  maxGradNorm: 1,
};
