/** @module What the jobs of an SFT and of a GRPO step have in common. */
import { z } from 'zod';

export const stepSettings = {
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
};
