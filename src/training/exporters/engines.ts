/** @module The engines that a run can be handed to: adding one is adding its table and its files here. */
import type { SftConfig } from '../config.js';
import type { GrpoConfig } from '../grpo/config.js';
import type { ExportedFiles, GrpoExport, SftExport } from './exported.js';
import { MS_SWIFT_GRPO, MS_SWIFT_SFT } from './ms-swift.js';
import { msSwiftGrpoFiles, msSwiftSftFiles } from './ms-swift-files.js';
import { OPENRLHF_GRPO } from './openrlhf.js';
import { openrlhfFiles } from './openrlhf-files.js';
import type { SettingTable } from './settings.js';
import { TRL_GRPO, TRL_SFT } from './trl.js';
import { trlGrpoFiles, trlSftFiles } from './trl-files.js';
import { VERL_GRPO } from './verl.js';
import { verlFiles } from './verl-files.js';

interface GrpoExporter {
  readonly title: string;
  readonly table: SettingTable<GrpoConfig>;
  readonly files: (made: GrpoExport) => ExportedFiles | Promise<ExportedFiles>;
  /** Whether it answers held-out prompts greedily, as is done here. */
  readonly holdsOut: boolean;
}

interface SftExporter {
  readonly title: string;
  readonly table: SettingTable<SftConfig>;
  readonly files: (made: SftExport) => ExportedFiles;
}

export const GRPO_ENGINES = {
  'ms-swift': { title: 'ms-swift', table: MS_SWIFT_GRPO, files: msSwiftGrpoFiles, holdsOut: false },
  trl: { title: 'TRL', table: TRL_GRPO, files: trlGrpoFiles, holdsOut: false },
  verl: { title: 'verl', table: VERL_GRPO, files: verlFiles, holdsOut: true },
  openrlhf: { title: 'OpenRLHF', table: OPENRLHF_GRPO, files: openrlhfFiles, holdsOut: true },
} as const satisfies Readonly<Record<string, GrpoExporter>>;
export type GrpoEngine = keyof typeof GRPO_ENGINES;

export const SFT_ENGINES = {
  'ms-swift': { title: 'ms-swift', table: MS_SWIFT_SFT, files: msSwiftSftFiles },
  trl: { title: 'TRL', table: TRL_SFT, files: trlSftFiles },
} as const satisfies Readonly<Record<string, SftExporter>>;
export type SftEngine = keyof typeof SFT_ENGINES;
