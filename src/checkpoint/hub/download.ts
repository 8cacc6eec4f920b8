/** @module One file of the hub into the cache: resumed where it was cut off, checked before it counts. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../../util/errors.js';
import type { ModelCache } from './cache.js';
import { type HubRequest, hubFetch, PassingFailure, patiently } from './http.js';
import type { HubFile } from './listing.js';
import { lock } from './lock.js';

export interface DownloadOptions extends Omit<HubRequest, 'headers'> {
  /** Called with the bytes of the file that are there, some of them perhaps from an earlier run. */
  readonly onBytes?: (bytes: number) => void;
}

/** A silence as long as this counts as a cut. */
const STALL_MS = 30_000;
const [PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE] = [206, 416];

/** Fetches a file unless it is there. Two processes do not fetch one file twice: the second waits for the first. */
export async function download(
  url: string,
  file: HubFile,
  cache: ModelCache,
  options: DownloadOptions,
): Promise<void> {
  const blob = cache.blob(file.etag);
  if (existsSync(blob)) return options.onBytes?.(file.size);
  await mkdir(dirname(blob), { recursive: true });
  const unlock = await lock(`${blob}.lock`, options.signal, options.settings.lockTimes);
  try {
    // Another process may have finished it meanwhile.
    if (existsSync(blob)) return options.onBytes?.(file.size);
    const part = `${blob}.incomplete`;
    await patiently((progressed) => fetchRest(url, file, part, { ...options, progressed }), options);
    await rename(part, blob);
  } catch (error) {
    throw isFullDisk(error)
      ? new UserError(
          `${options.subject} does not fit on the disk of ${cache.folder}: free some space, or set HF_HOME elsewhere, and run the command again; what is there is kept`,
        )
      : error;
  } finally {
    await unlock();
  }
}

/** Goes on behind what is there; the whole file is checked at its end. */
async function fetchRest(
  url: string,
  file: HubFile,
  part: string,
  { progressed, onBytes, ...request }: DownloadOptions & { readonly progressed: () => void },
): Promise<void> {
  let start = existsSync(part) ? (await stat(part)).size : 0;
  if (start > file.size) {
    await rm(part);
    start = 0;
  }
  if (start < file.size || file.size === 0) {
    const range = start > 0 ? { range: `bytes=${start}-` } : undefined;
    const stalled = new AbortController();
    const signal = AbortSignal.any([stalled.signal, ...(request.signal ? [request.signal] : [])]);
    let timer = setTimeout(() => stalled.abort(), STALL_MS);
    try {
      const response = await hubFetch(url, { ...request, headers: range, signal });
      if (response.status === RANGE_NOT_SATISFIABLE) {
        await response.body?.cancel();
        await rm(part, { force: true });
        throw new PassingFailure('the hub does not go on where the file was cut off');
      }
      // A server that ignores the range sends all of it again.
      const from = response.status === PARTIAL_CONTENT ? rangeStart(response, start) : 0;
      const out = await open(part, from > 0 ? 'r+' : 'w');
      try {
        let at = from;
        onBytes?.(at);
        for await (const chunk of response.body ?? []) {
          clearTimeout(timer);
          timer = setTimeout(() => stalled.abort(), STALL_MS);
          if (at + chunk.length > file.size) {
            await out.truncate(0);
            throw new PassingFailure(`the hub sends more than the file's ${file.size} bytes`, null, true);
          }
          await out.write(chunk, 0, chunk.length, at);
          at += chunk.length;
          progressed();
          onBytes?.(at);
        }
        if (at < file.size)
          throw new PassingFailure(`the connection ended after ${at} of ${file.size} bytes`);
      } finally {
        await out.close();
      }
    } catch (error) {
      throw passing(error, request.signal, stalled.signal);
    } finally {
      clearTimeout(timer);
    }
  }
  await check(file, part, request.subject);
}

/** A cut connection may pass; the user's abort, refusals and full disks are what they are. */
function passing(error: unknown, signal: AbortSignal | undefined, stalled: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (stalled.aborted) return new PassingFailure(`nothing came for ${STALL_MS / 1000} s`);
  if (error instanceof PassingFailure || error instanceof UserError || isFullDisk(error)) return error;
  const isNetwork = error instanceof TypeError || (error instanceof Error && error.name === 'AbortError');
  return isNetwork ? new PassingFailure('the connection broke off') : error;
}

function rangeStart(response: Response, asked: number): number {
  const [, start] = /^bytes (\d+)-/u.exec(response.headers.get('content-range') ?? '') ?? [];
  if (Number(start) === asked) return asked;
  throw new PassingFailure('the hub sends another part of the file than was asked for');
}

/** @throws PassingFailure once more from the start where the bytes are not those of the listing. */
async function check(file: HubFile, part: string, subject: string): Promise<void> {
  const hash: Hash =
    file.algorithm === 'sha256'
      ? createHash('sha256')
      : // git hashes a file behind a header with its size.
        createHash('sha1').update(`blob ${file.size}\0`);
  if (file.size > 0) for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer);
  if (hash.digest('hex') === file.etag) return;
  await rm(part, { force: true });
  throw new PassingFailure(`${subject} arrived with another checksum than the hub tells`, null, true);
}

const isFullDisk = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
