/** @module The hub's cache on disk, laid out as Python's huggingface_hub does, so that each finds what the other fetched. */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isJsonObject, readJsonObject } from '../json.js';
import { readRegularFile } from '../read-file.js';

/** A model's name on the hub: `org/name`, seldom `name` alone. */
const NAME = /^[\w.-]{1,96}\/[\w.-]{1,96}$/u;
const COMMIT = /^[0-9a-f]{40}$/u;
const INDEX = 'model.safetensors.index.json';

/** Whether a text can be the name of a model on the hub. */
export const isHubName = (text: string): boolean => NAME.test(text) && !/(?:^|\/)\.+(?:\/|$)/u.test(text);

/** One model's part of the cache. */
export class ModelCache {
  readonly folder: string;

  constructor(
    cache: string,
    readonly name: string,
  ) {
    this.folder = join(cache, `models--${name.replace('/', '--')}`);
  }

  blob(etag: string): string {
    return join(this.folder, 'blobs', etag);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /** The commit that a branch or tag was at when it was last looked up; a commit is itself. */
  commitOf(revision: string): string | null {
    if (COMMIT.test(revision)) return existsSync(this.snapshot(revision)) ? revision : null;
    const path = join(this.folder, 'refs', revision);
    if (!existsSync(path)) return null;
    const commit = readRegularFile(path).toString('utf8').trim();
    return COMMIT.test(commit) ? commit : null;
  }

  /** Whether a file of that many bytes is there under its name. A snapshot never changes, so it is the right one. */
  has(commit: string, path: string, size: number): boolean {
    return statSync(join(this.snapshot(commit), path), { throwIfNoEntry: false })?.size === size;
  }

  /** The folder of a model that can be run without the hub; null where something of it is missing. */
  whole(revision: string): string | null {
    const commit = this.commitOf(revision);
    const folder = commit === null ? null : this.snapshot(commit);
    return folder !== null && existsSync(folder) && lacking(folder).length === 0 ? folder : null;
  }

  async remember(revision: string, commit: string): Promise<void> {
    if (COMMIT.test(revision) || this.commitOf(revision) === commit) return;
    const path = join(this.folder, 'refs', revision);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, commit);
  }

  /** Places a blob under its name in a snapshot. */
  async link(commit: string, path: string, etag: string): Promise<void> {
    const pointer = join(this.snapshot(commit), path);
    if (existsSync(pointer)) return;
    await mkdir(dirname(pointer), { recursive: true });
    const target = relative(dirname(pointer), this.blob(etag));
    // Made beside and renamed: two processes may place the same file.
    const own = `${pointer}.${process.pid}`;
    await symlink(target, own);
    await rename(own, pointer);
  }
}

/** A model that lies in the cache. */
export interface CachedModel {
  readonly name: string;
  readonly revision: string;
  readonly folder: string;
  /** Bytes of all its files. */
  readonly size: number;
  /** Whether config and all weights are there. */
  readonly complete: boolean;
}

/** Every model of the cache that has a revision, by name. */
export function cachedModels(cache: string): CachedModel[] {
  if (!existsSync(cache)) return [];
  return readdirSync(cache)
    .filter((entry) => entry.startsWith('models--'))
    .toSorted()
    .flatMap((entry) => {
      const model = new ModelCache(cache, entry.slice('models--'.length).replace('--', '/'));
      const refs = join(model.folder, 'refs');
      if (!existsSync(refs)) return [];
      return readdirSync(refs, { recursive: true, encoding: 'utf8' })
        .filter((revision) => statSync(join(refs, revision)).isFile())
        .flatMap((revision) => {
          const commit = model.commitOf(revision);
          const folder = commit === null ? null : model.snapshot(commit);
          if (folder === null || !existsSync(folder)) return [];
          const size = filesIn(folder).reduce((sum, file) => sum + statSync(realpathSync(file)).size, 0);
          return [{ name: model.name, revision, folder, size, complete: lacking(folder).length === 0 }];
        });
    });
}

/** Files with something behind them: a link whose blob is gone is none. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path) && statSync(path).isFile());
}

/** What a snapshot needs to be run and does not have. */
export function lacking(folder: string): string[] {
  return lackingOf((name) => existsSync(join(folder, name)), folder);
}

/** What a model needs to be run and does not have: by its names, and by the list of shards in a folder where it is there. */
export function lackingOf(has: (name: string) => boolean, folder: string): string[] {
  if (has('adapter_config.json'))
    return has('adapter_model.safetensors') ? [] : ['adapter_model.safetensors'];
  const missing = ['config.json', 'tokenizer.json'].filter((name) => !has(name));
  if (has('model.safetensors')) return missing;
  if (!has(INDEX)) return [...missing, 'model.safetensors'];
  if (!existsSync(join(folder, INDEX))) return missing;
  const { weight_map: shards } = readJsonObject(join(folder, INDEX));
  const names = isJsonObject(shards) ? [...new Set(Object.values(shards))].map(String) : [];
  return [...missing, ...names.filter((name) => !has(name))];
}
