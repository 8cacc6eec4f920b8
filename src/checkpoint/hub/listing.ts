/** @module What a model on the hub consists of. */
import { type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub';
import { UserError } from '../../util/errors.js';
import { sizeLimit } from '../read-file.js';
import { hubAnswer, patiently } from './http.js';
import type { HubSettings } from './settings.js';

/** A file of a model, as it is to be fetched and checked. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Names the blob: the SHA-256 of a large file, the git hash of a small one. */
  readonly etag: string;
  readonly algorithm: 'sha256' | 'git-sha1';
}

export interface HubListing {
  readonly commit: string;
  /** The files that are wanted. */
  readonly files: readonly HubFile[];
  /** The names of all others, as the hub tells them: any text. */
  readonly others: readonly string[];
}

/** Models have some hundred files at most; a page of the listing holds a thousand. */
const MAX_FILES = 20_000;
const MAX_PAGES = 100;

const COMMIT = /^[0-9a-f]{40}$/u;
const HASHES = { sha256: /^[0-9a-f]{64}$/u, 'git-sha1': COMMIT } as const;
/**
 * Asks the hub for a revision's commit and files. What is not wanted is not checked: a name or size of it that cannot be
 * does no harm. @throws UserError where it cannot be had. */
export async function listModel(
  name: string,
  revision: string,
  wanted: (path: string) => boolean,
  settings: HubSettings,
  signal?: AbortSignal,
): Promise<HubListing> {
  const subject = revision === 'main' ? name : `${name}@${revision}`;
  let pages = 0;
  const ask = async (input: string | URL | Request): Promise<Response> => {
    pages += 1;
    if (pages > MAX_PAGES) throw endless(subject);
    return hubAnswer(input instanceof Request ? input.url : String(input), { settings, subject, signal });
  };
  const shared = { hubUrl: settings.endpoint, fetch: ask as typeof fetch };
  return patiently(
    async () => {
      pages = 0;
      try {
        const info = await modelInfo({ ...shared, name, revision, additionalFields: ['sha'] });
        const commit = String(info.sha);
        if (!COMMIT.test(commit)) throw strange(subject, 'a commit');
        const files: HubFile[] = [];
        const others: string[] = [];
        const repo = { type: 'model', name } as const;
        for await (const entry of listFiles({ ...shared, repo, revision: commit, recursive: true })) {
          if (files.length + others.length >= MAX_FILES) throw endless(subject);
          if (entry.type !== 'file') continue;
          if (typeof entry.path !== 'string' || !wanted(entry.path)) others.push(String(entry.path));
          else files.push(checkedFile(entry, subject));
        }
        return { commit, files, others };
      } catch (error) {
        // What answers is a page for people, mostly a proxy's.
        if (error instanceof SyntaxError || error instanceof TypeError) throw strange(subject, 'something');
        throw error;
      }
    },
    { subject, signal, settings },
  );
}

/** A file that is wanted, as it can be. */
function checkedFile({ path, size, oid, lfs }: ListFileEntry, subject: string): HubFile {
  const algorithm = lfs === undefined || lfs === null ? 'git-sha1' : 'sha256';
  const etag = String(lfs?.oid ?? oid ?? '');
  const bytes: unknown = lfs?.size ?? size;
  const isSize = Number.isSafeInteger(bytes) && Number(bytes) >= 0;
  if (!HASHES[algorithm].test(etag) || !isSize) throw strange(subject, 'a file');
  if (!path.endsWith('.safetensors') && Number(bytes) > sizeLimit(path)) {
    throw new UserError(
      `${subject}: ${path} has ${Number(bytes)} bytes, more than any file of its kind; take another model`,
      { code: 'too_large' },
    );
  }
  return { path, size: Number(bytes), etag, algorithm };
}

const endless = (subject: string): UserError =>
  new UserError(
    `${subject}: the hub's list of files does not end after ${MAX_FILES} files or ${MAX_PAGES} pages; check HF_ENDPOINT`,
    {
      code: 'too_many',
    },
  );

const strange = (subject: string, what: string): UserError =>
  new UserError(`${subject}: the hub tells of ${what} that cannot be; check HF_ENDPOINT`);
