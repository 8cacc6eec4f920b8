/** @module What the processes of the GRPO benchmark are told and what they answer; trl_step.py takes and gives the same. */
import { z } from 'zod';
import { stepSettings } from '../common-jobs.js';

export const grpoJob = z.object({
  /** Checkpoint folder with tokenizer; its weights are also the reference. */
  model: z.string(),
  /** The user's text, and the ids that it and the chat around it become. */
  prompt: z.string(),
  promptIds: z.array(z.number()),
  /** What is learned from in place of what was sampled, so that both sides update on the same tokens. */
  completions: z.array(z.array(z.number())),
  /** Of each completion. */
  rewards: z.array(z.number()),
  /** Weight of k3 to the reference. */
  beta: z.number(),
  ...stepSettings,
});
export type GrpoJob = z.infer<typeof grpoJob>;

/** Milliseconds of a step by what they were spent on. */
const phases = z.object({ rollout: z.number(), scoring: z.number(), update: z.number() });
export type Phases = z.infer<typeof phases>;

export const grpoResult = z.object({
  /** Of every step, warm-up first. */
  losses: z.array(z.number()),
  gradNorms: z.array(z.number()),
  /** Mean over the completions' tokens. */
  entropies: z.array(z.number()),
  /** Tokens that were sampled in each measured step. */
  sampled: z.array(z.number()),
  measured: z.array(phases),
  peakMib: z.number(),
});
export type GrpoResult = z.infer<typeof grpoResult>;
