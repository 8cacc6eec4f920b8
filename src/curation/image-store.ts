/** @module Pictures fetched into a folder, named by what they hold, and a journal of which URL gave which. */
import { createReadStream, mkdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { writeAtomically, writeFailure } from '../checkpoint/files.js';
import { decodeImage } from '../images/decode.js';
import { formatOf } from '../images/formats.js';
import { type FetchOptions, fetchGuarded } from '../net/fetch-guarded.js';
import { messageOf, UserError } from '../util/errors.js';
import { lockFolder } from '../util/folder-lock.js';
import { sha256 } from '../util/hash.js';
import { Journal } from './journal.js';
import { type ItemEnd, type WorkOptions, workThrough } from './work.js';

const stored = z.object({
  url: z.string(),
  /** Relative to the folder. */
  image: z.string(),
  sha256: z.string(),
  bytes: z.int(),
});
const dead = z.object({ url: z.string(), dead: z.string() });
const entry = z.union([stored, dead]);

export type StoredImage = Readonly<z.infer<typeof stored>>;
/** A URL that gave no picture, and why. */
export type DeadLink = Readonly<z.infer<typeof dead>>;

export interface StoreOptions extends Omit<WorkOptions, 'maxFailuresInARow'> {
  /** So many dead links one after the other mean that it is the network which is dead. */
  readonly maxFailuresInARow: number;
  readonly fetch?: FetchOptions;
  /** Where paths that are no URLs are looked for; none outside of it is read. */
  readonly base: string;
  /** Ask links again that were dead before. */
  readonly retryDead: boolean;
}

const JOURNAL = 'fetched.jsonl';
const IMAGES = 'images';
/** Hexadecimal digits of a picture's name: 128 bits never meet by chance. */
const NAME_DIGITS = 32;
/** Anything with a scheme; which ones may be fetched is not ours to say. */
const IS_URL = /^[a-z][a-z0-9+.-]*:/iu;

export interface Fetched {
  readonly images: ReadonlyMap<string, StoredImage | DeadLink>;
  readonly finished: boolean;
}

/**
 * Fetches what is not there yet. A picture counts once its file is whole on the disk and can be decoded; files that have
 * changed since are fetched again. @throws UserError where the disk refuses, another process fetches into the folder
 * (`busy`), or too many links in a row are dead.
 */
export async function fetchImages(
  urls: readonly string[],
  folder: string,
  options: StoreOptions,
): Promise<Fetched> {
  try {
    mkdirSync(join(folder, IMAGES), { recursive: true });
  } catch (error) {
    throw writeFailure(folder, error);
  }
  const lock = lockFolder(folder, 'data llavaguard');
  try {
    return await fetchInto(urls, folder, options);
  } finally {
    lock.release();
  }
}

async function fetchInto(urls: readonly string[], folder: string, options: StoreOptions): Promise<Fetched> {
  const journal = Journal.open(join(folder, JOURNAL), { images: 1 }, entry);
  try {
    const images = new Map(journal.entries.map((one) => [one.url, one]));
    const waiting: string[] = [];
    for (const url of new Set(urls)) {
      if (!(await isDone(url, images.get(url)))) waiting.push(url);
    }
    const fetchOne = async (url: string, signal: AbortSignal): Promise<ItemEnd> => {
      const found = await storeOne(url, folder, options, signal);
      if (JSON.stringify(found) !== JSON.stringify(images.get(url))) journal.append(found);
      images.set(url, found);
      return 'dead' in found ? { failed: true, reason: found.dead } : { failed: false };
    };
    const finished = waiting.length === 0 || (await workThrough(waiting, fetchOne, options));
    return { images, finished };
  } finally {
    journal.close();
  }

  /** Files beside a table are read anew: they are near, and may be those of another table by now. */
  async function isDone(url: string, known: StoredImage | DeadLink | undefined): Promise<boolean> {
    if (known === undefined || !IS_URL.test(url)) return false;
    return 'dead' in known ? !options.retryDead : isWhole(folder, known);
  }
}

async function isWhole(folder: string, { image, sha256: wanted }: StoredImage): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(join(folder, image)), hash);
  } catch {
    return false;
  }
  return hash.digest('hex') === wanted;
}

async function storeOne(
  url: string,
  folder: string,
  options: StoreOptions,
  signal: AbortSignal,
): Promise<StoredImage | DeadLink> {
  let bytes: Uint8Array;
  try {
    bytes = await bytesOf(url, options, signal);
    // Hosts answer with a page, or half a picture, where the picture is gone.
    await decodeImage(bytes);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) return { url, dead: error.message };
    throw error;
  }
  const hash = sha256(bytes);
  const extension = formatOf(bytes)?.name.toLowerCase() ?? 'bin';
  const image = `${IMAGES}/${hash.slice(0, NAME_DIGITS)}.${extension}`;
  writeAtomically(join(folder, image), [bytes]);
  return { url, image, sha256: hash, bytes: bytes.length };
}

async function bytesOf(url: string, { base, fetch }: StoreOptions, signal: AbortSignal): Promise<Uint8Array> {
  if (IS_URL.test(url)) return (await fetchGuarded(url, { ...fetch, signal })).bytes;
  const path = resolve(base, url);
  const within = relative(base, path);
  if (within.startsWith('..') || isAbsolute(within)) {
    throw new UserError(
      `${url} leads out of the table's folder ${base}, and is not read; put the pictures beside it`,
    );
  }
  try {
    return await readFile(path, { signal });
  } catch (error) {
    throw new UserError(`${url} cannot be read: ${messageOf(error)}; put the picture there`);
  }
}

/** The folder that a table's own paths are relative to. */
export const folderOf = (table: string): string => resolve(dirname(table));
