/** @module What a step of training computes: which batches it takes and which graph gives their loss and gradients. */
import type { HostTensor } from '../runtime/session.js';
import type { SftGraph } from './sft-graph.js';

export type Feeds = Record<string, HostTensor>;

/** What an objective makes of one micro-batch. */
export interface ObjectiveBatch {
  readonly feeds: Feeds;
  /** Which task each stretch of the labels belongs to, in their order. */
  readonly answers: readonly { readonly task: string; readonly length: number }[];
  readonly tokens: number;
  /** Tokens including padding: what the machine computes. */
  readonly paddedTokens: number;
}

export interface Objective<Batch extends ObjectiveBatch = ObjectiveBatch> {
  /** The micro-batches of a step (from 0); the same step gives the same batches. */
  batches(step: number): Promise<Batch[]>;
  /** All that the graph takes besides weights; `place` says which micro-batch of which step this is. */
  feeds(batch: Batch, place: string): Promise<Feeds>;
  /** Batches of one key share a graph. */
  graphKey(batch: Batch): string;
  graph(batch: Batch): SftGraph;
  dispose(): Promise<void>;
}
