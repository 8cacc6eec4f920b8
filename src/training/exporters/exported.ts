/** @module What an engine's files are made of. */
import type { SftConfig } from '../config.js';
import type { GrpoConfig } from '../grpo/config.js';
import type { ExportedPrompt, ExportedSample } from './data.js';
import type { EngineSettings } from './settings.js';

/** Contents by their names in the folder. */
export type ExportedFiles = Readonly<Record<string, string | Uint8Array>>;

/** What an engine must be told of a checkpoint that it would take for Qwen2.5-VL's own. */
export interface CheckpointFacts {
  /** Limits on a picture's pixels. */
  readonly minPixels: number;
  readonly maxPixels: number;
  /** The token that stands for a picture. */
  readonly imageTokenId: number;
}

export interface GrpoExport {
  readonly config: GrpoConfig;
  /** What the table says to the engine. */
  readonly settings: EngineSettings;
  readonly prompts: {
    readonly train: readonly ExportedPrompt[];
    readonly heldOut: readonly ExportedPrompt[];
  };
  readonly rewardsUrl: string;
  /** Null where the checkpoint is not here to be read. */
  readonly checkpoint: CheckpointFacts | null;
  /** Reads a picture of the export as the bytes of its PNG file. */
  readonly picture: (path: string) => Uint8Array;
}

export interface SftExport {
  readonly config: SftConfig;
  readonly settings: EngineSettings;
  readonly samples: readonly ExportedSample[];
  readonly checkpoint: CheckpointFacts | null;
}
