import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from './files.js';

/** The sibling in which a new folder is written before it takes the place of the old one. */
export function partialFolder(folder: string): string {
  return join(dirname(folder), `.${basename(folder)}.partial`);
}

/** The sibling to which the old folder moves; it is what to read if the write was cut off between the two renames. */
export function replacedFolder(folder: string): string {
  return join(dirname(folder), `.${basename(folder)}.replaced`);
}

/**
 * Makes an empty folder to write into. First finishes or undoes what an earlier write left behind: with no folder in
 * place, the replaced one goes back; with one in place, the replaced one has been superseded.
 */
export function beginSwap(folder: string, keep: (name: string) => boolean): string {
  const replaced = replacedFolder(folder);
  if (existsSync(replaced)) {
    if (existsSync(folder)) finishSwap(folder, keep);
    else renameSync(replaced, folder);
  }
  const partial = partialFolder(folder);
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  return partial;
}

/**
 * Puts the written folder in place. The order: the new files are on the disk; the old folder is renamed aside; the new
 * one is renamed into its place; files of the old one that pass `keep` and have no successor are copied over; the old
 * one is removed. At every moment one whole folder exists, under its own name or as {@link replacedFolder}.
 */
export function commitSwap(folder: string, keep: (name: string) => boolean): void {
  const partial = partialFolder(folder);
  syncFolder(partial);
  if (existsSync(folder)) renameSync(folder, replacedFolder(folder));
  renameSync(partial, folder);
  syncFolder(dirname(folder));
  finishSwap(folder, keep);
}

function finishSwap(folder: string, keep: (name: string) => boolean): void {
  const replaced = replacedFolder(folder);
  if (!existsSync(replaced)) return;
  for (const name of readdirSync(replaced)) {
    const kept = join(folder, name);
    if (keep(name))
      cpSync(join(replaced, name), kept, { recursive: true, force: false, errorOnExist: false });
  }
  rmSync(replaced, { recursive: true, force: true });
}
