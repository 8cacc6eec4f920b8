import type { GrpoEngine } from './engines.js';

/** What a run of the preset `paper-exact` must leave out or set for an engine, as its table says. */
export const FITTING: Readonly<Partial<Record<GrpoEngine, Record<string, unknown>>>> = {
  verl: { lora: { r: 8, alpha: 16 }, optimizer: { lr: 1e-6, weight_decay: 0 } },
  openrlhf: { top_k: 0 },
};

/** The least SFT run that an export takes, but for its model and output. */
export const SFT_RUN = {
  steps: 2,
  batch_size: 2,
  micro_batch_size: 1,
  optimizer: { lr: 1e-4 },
  data: { source: 'iconworld', tasks: { judgement: 1 } },
};
