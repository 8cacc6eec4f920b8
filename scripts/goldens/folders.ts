import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The names in a folder that match, sorted; none if there is no such folder. */
function namesIn(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort();
}

/** A checkpoint folder of the goldens. */
export interface CheckpointFolder {
  readonly name: string;
  /** Its path below the goldens' folder. */
  readonly path: string;
  /** Its path on this machine. */
  readonly folder: string;
}

/** Every folder below `checkpoints/` with a config.json. */
export function checkpointFolders(dir: string): CheckpointFolder[] {
  return namesIn(join(dir, 'checkpoints'), /./)
    .map((name) => ({ name, path: `checkpoints/${name}`, folder: join(dir, 'checkpoints', name) }))
    .filter(({ folder }) => existsSync(join(folder, 'config.json')));
}

const SAFETENSORS = /\.safetensors$/;

/** The weight files of a checkpoint folder. */
export function weightFiles(folder: string): string[] {
  return namesIn(folder, /^model/).filter((name) => SAFETENSORS.test(name));
}
