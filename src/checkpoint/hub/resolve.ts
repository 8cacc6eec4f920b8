/** @module From a model's name to a folder: one that is there, one from the cache, one that is fetched. */
import { existsSync } from 'node:fs';
import { messageOf, UserError } from '../../util/errors.js';
import { EMBEDDED_MODEL, EMBEDDED_NAME } from '../embedded.js';
import { isHubName, lacking, lackingOf, ModelCache } from './cache.js';
import { download } from './download.js';
import { type HubFile, type HubListing, listModel } from './listing.js';
import { type HubSettings, hubSettings } from './settings.js';

export interface DownloadProgress {
  readonly name: string;
  /** Bytes of all files that the model needs, and how many of them are there. */
  readonly total: number;
  readonly received: number;
  /** Files that are not whole yet. */
  readonly filesLeft: number;
}

export interface ResolveOptions {
  /** A branch, tag or commit. Default `main`, or what stands behind an @ in the name. */
  readonly revision?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Default: what the environment says. */
  readonly settings?: HubSettings;
}

/** Files fetched at once: more do not make a line faster. */
const AT_ONCE = 4;
/** How long a hub may be silent that is asked only whether there is something new, in milliseconds; huggingface_hub's limit. */
const SHORT_MS = 10_000;
const REVISION = /^[\w./-]{1,128}$/u;

/** What can be needed of a model in safetensors; other formats of the weights and pictures of the card are left. */
export const WANTED =
  /^(?:(?:config|generation_config|(?:pre|video_pre)?processor_config|preprocessor_config|chat_template|tokenizer|tokenizer_config|vocab|added_tokens|special_tokens_map|guard|adapter_config)\.json|chat_template\.jinja|merges\.txt|model\.safetensors\.index\.json|model(?:-\d{5}-of-\d{5})?\.safetensors|adapter_model\.safetensors)$/u;

/**
 * The folder of a model: `safeguard-vl-tiny`, the embedded one; a path to one (a folder of that very name as
 * `./safeguard-vl-tiny`); or the name of a model on the Hugging Face hub (`org/name`, `org/name@revision`).
 * What is missing in the cache is fetched, several files at once, resumed where it was cut off and checked by its hash.
 * @throws UserError where there is neither such a folder nor such a model, or it cannot be had.
 */
export async function resolveModel(nameOrFolder: string, options: ResolveOptions = {}): Promise<string> {
  if (nameOrFolder === EMBEDDED_NAME) return EMBEDDED_MODEL;
  if (existsSync(nameOrFolder)) return nameOrFolder;
  const [name, at] = nameOrFolder.split('@', 2);
  if (!isHubName(name)) {
    throw new UserError(
      `${nameOrFolder} does not exist: give a checkpoint folder, one with config.json and model.safetensors, the name of a model on the Hugging Face hub, as in Qwen/Qwen2.5-VL-3B-Instruct, or ${EMBEDDED_NAME}, the embedded one`,
    );
  }
  const revision = options.revision ?? at ?? 'main';
  if (!REVISION.test(revision) || revision.includes('..')) {
    throw new UserError(`"${revision}" is no revision: give a branch, a tag or a commit`);
  }
  const settings = options.settings ?? hubSettings();
  const cache = new ModelCache(settings.cache, name);
  if (settings.offline) return fromCache(cache, revision, 'HF_HUB_OFFLINE is set');
  const whole = cache.whole(revision);
  // A model that is there whole does not need the hub, so that is not waited for long.
  const patience =
    whole === null ? {} : { attempts: 1, silenceMs: Math.min(settings.silenceMs ?? SHORT_MS, SHORT_MS) };
  try {
    const isWanted = (path: string): boolean => WANTED.test(path);
    const listing = await listModel(name, revision, isWanted, { ...settings, ...patience }, options.signal);
    return await fetchAll(listing, cache, revision, settings, options);
  } catch (error) {
    if (whole !== null && (error instanceof UserError || isStorage(error))) return whole;
    throw isStorage(error) ? unwritable(cache, error) : error;
  }
}

const STORAGE_CODES = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST']);
const isStorage = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && STORAGE_CODES.has(String(error.code));

const unwritable = ({ name, folder }: ModelCache, error: unknown): UserError =>
  new UserError(
    `${name} cannot be fetched into ${folder} (${messageOf(error)}): change the permissions, or set HF_HOME elsewhere`,
    { code: 'storage', cause: error },
  );

/** @throws UserError that names what is missing. */
function fromCache(cache: ModelCache, revision: string, why: string): string {
  const commit = cache.commitOf(revision);
  const folder = commit === null ? null : cache.snapshot(commit);
  const missing = folder === null || !existsSync(folder) ? null : lacking(folder);
  if (folder !== null && missing?.length === 0) return folder;
  const what =
    missing === null ? 'is not in the cache' : `is not whole in the cache (${missing.join(', ')} missing)`;
  throw new UserError(
    `${cache.name} ${what} ${cache.folder}, and ${why}: fetch it with a connection first, or unset HF_HUB_OFFLINE`,
  );
}

async function fetchAll(
  { commit, files: wanted, others }: HubListing,
  cache: ModelCache,
  revision: string,
  settings: HubSettings,
  { onProgress, signal }: ResolveOptions,
): Promise<string> {
  const { name } = cache;
  refuseUnreadable(name, wanted, others);
  const names = new Set(wanted.map(({ path }) => path));
  const refuseLacking = (): void =>
    refuseMissing(
      name,
      lackingOf((file) => names.has(file), cache.snapshot(commit)),
    );
  refuseLacking();
  const received = new Map<string, number>();
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  const told = (file: HubFile, bytes: number): void => {
    received.set(file.path, bytes);
    const filesLeft = wanted.filter(({ path, size }) => (received.get(path) ?? -1) < size).length;
    onProgress?.({ name, total, received: [...received.values()].reduce((a, b) => a + b, 0), filesLeft });
  };
  const failed = new AbortController();
  const stop = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
  const fetchNext = async (queue: HubFile[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const { path, etag, size } = file;
      const own = file;
      if (cache.has(commit, path, size)) {
        told(own, size);
        continue;
      }
      const url = `${settings.endpoint}/${name}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
      await download(url, file, cache, {
        settings,
        subject: `${path} of ${name}`,
        signal: stop,
        onBytes: (bytes) => told(own, bytes),
      });
      await cache.link(commit, path, etag);
    }
  };
  const fetchTogether = async (files: HubFile[]): Promise<void> => {
    await Promise.all(Array.from({ length: AT_ONCE }, () => fetchNext(files)));
  };
  const isWeights = ({ path }: HubFile): boolean => path.endsWith('.safetensors');
  try {
    await fetchTogether(wanted.filter((file) => !isWeights(file)));
    // The list of shards is among the small files: what is missing is said before the large ones come.
    refuseLacking();
    await fetchTogether(wanted.filter(isWeights));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  await cache.remember(revision, commit).catch((error: unknown) => {
    // A cache that cannot be written has the model all the same.
    if (!isStorage(error)) throw error;
  });
  refuseMissing(name, lacking(cache.snapshot(commit)));
  return cache.snapshot(commit);
}

function refuseMissing(name: string, missing: readonly string[]): void {
  if (missing.length === 0) return;
  throw new UserError(
    `${name} has no ${missing.join(', ')} on the hub, so it cannot be run; take another model or revision`,
    { code: 'not_found' },
  );
}

/** Names of weights in formats that are not read, as far as they can be printed. */
const OTHER_WEIGHTS = /^[\w./ +=@-]{1,255}\.(?:bin|pt|pth|gguf|onnx|h5|msgpack)$/u;

/** Said before gigabytes are fetched for nothing. */
function refuseUnreadable(name: string, wanted: readonly HubFile[], others: readonly string[]): void {
  if (wanted.some(({ path }) => path.endsWith('.safetensors'))) return;
  const other = others.find((path) => OTHER_WEIGHTS.test(path));
  const has = other === undefined ? 'no weights' : `its weights as ${other}, which is not read`;
  throw new UserError(`${name} has ${has}; take a model with model.safetensors`, { code: 'unsupported' });
}
