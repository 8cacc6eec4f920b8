/** @module What an engine's files are made of. */
import type { SftConfig } from '../config.js';
import type { GrpoConfig } from '../grpo/config.js';
import type { ExportedPrompt, ExportedSample } from './data.js';
import type { EngineSettings } from './settings.js';

/** Contents by their names in the folder. */
export type ExportedFiles = Readonly<Record<string, string | Uint8Array>>;

export interface GrpoExport {
  readonly config: GrpoConfig;
  /** What the table says to the engine. */
  readonly settings: EngineSettings;
  readonly prompts: {
    readonly train: readonly ExportedPrompt[];
    readonly heldOut: readonly ExportedPrompt[];
  };
  readonly rewardsUrl: string;
  /** Reads a picture of the export as the bytes of its PNG file. */
  readonly picture: (path: string) => Uint8Array;
}

export interface SftExport {
  readonly config: SftConfig;
  readonly settings: EngineSettings;
  readonly samples: readonly ExportedSample[];
}
