import type { GrpoEngine } from './engines.js';

/** What a run of the preset `paper-exact` must leave out or set for an engine, as its table says. */
export const FITTING: Readonly<Partial<Record<GrpoEngine, Record<string, unknown>>>> = {
  verl: { lora: { r: 8, alpha: 16 }, optimizer: { lr: 1e-6, weight_decay: 0 } },
  openrlhf: { top_k: 0 },
};
