/** @module Which rows of a file are held out: never one whose picture, under whatever name, or whose question is trained on. */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../util/errors.js';
import { sha256 } from '../util/hash.js';
import { Random } from '../util/random.js';

/** What of a row can be learned by heart. */
export interface SplitRow {
  readonly system?: string;
  readonly prompt: string;
  /** Whole paths of its pictures. */
  readonly pictures: readonly string[];
}

/**
 * What each picture is known by: its content where another file has the same size, else its path. Only files that may be
 * the same are read. A file that is not there is known by its path; whoever reads it says so.
 */
async function pictureKeys(paths: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const bySize = new Map<number, string[]>();
  const keys = new Map<string, string>();
  for (const path of new Set([...paths].map((one) => resolve(one)))) {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    keys.set(path, path);
    if (size === undefined) continue;
    bySize.set(size, [...(bySize.get(size) ?? []), path]);
  }
  for (const same of bySize.values()) {
    if (same.length === 1) continue;
    for (const path of same) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path), hash);
      keys.set(path, `sha256:${hash.digest('hex')}`);
    }
  }
  return keys;
}

/** What a row must share with no row of the other side: its pictures, or its question where it has none. */
async function keysOf(rows: readonly SplitRow[]): Promise<string[][]> {
  const keys = await pictureKeys(rows.flatMap(({ pictures }) => pictures));
  return rows.map(({ system, prompt, pictures }) =>
    pictures.length === 0
      ? [`text:${sha256(JSON.stringify([system ?? null, prompt]))}`]
      : pictures.map((path) => keys.get(resolve(path)) ?? path),
  );
}

/** Rows that share keys, directly or over others, as lists of their places. */
function groupsOf(keys: readonly (readonly string[])[]): number[][] {
  const parents = keys.map((_, i) => i);
  const rootOf = (i: number): number => {
    let at = i;
    while (parents[at] !== at) {
      parents[at] = parents[parents[at]];
      at = parents[at];
    }
    return at;
  };
  const first = new Map<string, number>();
  keys.forEach((own, i) => {
    for (const key of own) {
      const other = first.get(key);
      if (other === undefined) first.set(key, i);
      else parents[rootOf(i)] = rootOf(other);
    }
  });
  const groups = new Map<number, number[]>();
  keys.forEach((_, i) => {
    const root = rootOf(i);
    groups.set(root, [...(groups.get(root) ?? []), i]);
  });
  return [...groups.values()];
}

/**
 * Places of at most `count` rows to hold out, in the file's order, decided by the seed. Rows that share a picture stay
 * together. @throws UserError where that leaves nothing to train on or nothing to hold out.
 */
export async function heldOutPlaces(
  rows: readonly SplitRow[],
  { count, seed, file }: { readonly count: number; readonly seed: number; readonly file: string },
): Promise<ReadonlySet<number>> {
  if (count >= rows.length)
    throw new UserError(
      `${file} has ${rows.length} samples, and evaluation.samples would hold out ${count}: lower it, or give evaluation.file.`,
      { code: 'invalid_config' },
    );
  const groups = groupsOf(await keysOf(rows));
  const chosen: number[] = [];
  for (const group of new Random(`${seed}/held-out`).shuffle(groups)) {
    if (chosen.length + group.length <= count) chosen.push(...group);
  }
  if (chosen.length > 0) return new Set(chosen.sort((a, b) => a - b));
  throw new UserError(
    `${file}: every sample shares a picture with more than evaluation.samples, ${count}, others: raise it, or give evaluation.file.`,
    { code: 'invalid_config' },
  );
}

/** The first held-out row that shares a picture or a question with a trained one; null where none does. */
export async function leakOf(
  trained: readonly SplitRow[],
  heldOut: readonly SplitRow[],
): Promise<{ readonly trained: number; readonly heldOut: number } | null> {
  const keys = await keysOf([...trained, ...heldOut]);
  const seen = new Map<string, number>();
  keys.slice(0, trained.length).forEach((own, i) => {
    for (const key of own) if (!seen.has(key)) seen.set(key, i);
  });
  for (const [i, own] of keys.slice(trained.length).entries()) {
    const place = own.map((key) => seen.get(key)).find((found) => found !== undefined);
    if (place !== undefined) return { trained: place, heldOut: i };
  }
  return null;
}
