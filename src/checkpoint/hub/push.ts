/** @module Files onto the hub in one commit: all of them appear there, or none does. */
import { pathToFileURL } from 'node:url';
import {
  commitIter,
  createRepo,
  HubApiError,
  InvalidApiResponseFormatError,
  listFiles,
  modelInfo,
} from '@huggingface/hub';
import { fetchFailure, UserError } from '../../util/errors.js';
import { isHubName } from './cache.js';
import { PassingFailure, patiently, throwIfPassing } from './http.js';
import { type HubSettings, hubSettings } from './settings.js';
import type { UploadFile } from './upload-files.js';

export interface PushProgress {
  readonly name: string;
  /** Bytes of all files, and about how many have arrived. */
  readonly total: number;
  readonly sent: number;
}

export interface PushOptions {
  /** A new repository is seen by its owner alone. */
  readonly isPrivate?: boolean;
  /** Adds a commit to a repository that has files already. */
  readonly update?: boolean;
  readonly onProgress?: (progress: PushProgress) => void;
  readonly signal?: AbortSignal;
  /** Default: what the environment says. */
  readonly settings?: HubSettings;
}

export interface PushResult {
  /** The model's page. */
  readonly url: string;
  readonly commit: string;
}

/** @throws UserError for what cannot be the name of a repository. */
export function checkRepoName(name: string): void {
  if (isHubName(name) && !/--|\.\.|\.git$|^[.-]|[.-]$|\/[.-]|[.-]\//u.test(name)) return;
  throw new UserError(
    `"${name}" is no name of a repository: give org/name, of letters, digits, -, _ and . alone, neither beginning nor ending with - or .`,
  );
}

const PREFIX = 'hf_';

/**
 * Makes the repository `name` where it does not exist and commits `files` to its main branch. Large files go first, each
 * once: a push that is cut off and run again sends what is missing.
 * @throws UserError where the hub does not take them; nothing of the commit is visible then.
 */
export async function pushModel(
  name: string,
  files: readonly UploadFile[],
  options: PushOptions = {},
): Promise<PushResult> {
  checkRepoName(name);
  const settings = options.settings ?? hubSettings();
  const { token } = settings;
  if (settings.offline)
    throw new UserError(
      'HF_HUB_OFFLINE is set, so nothing can be uploaded: unset it and run the command again.',
    );
  if (token === null)
    throw new UserError('Uploading needs a token with write access: set HF_TOKEN or run `hf auth login`.');
  if (!token.startsWith(PREFIX))
    throw new UserError(
      `The Hugging Face token (HF_TOKEN or the file of \`hf auth login\`) does not begin with ${PREFIX}: set it again.`,
    );
  const hub: Hub = {
    hubUrl: settings.endpoint,
    accessToken: token,
    fetch: patientFetch(name, settings, options.signal),
  };
  try {
    await prepareRepo(hub, name, options);
    return await commitFiles(hub, name, files, options);
  } catch (error) {
    throw refusal(name, error);
  }
}

interface Hub {
  readonly hubUrl: string;
  readonly accessToken: string;
  readonly fetch: typeof fetch;
}

/** Sends a request again where the failure may pass. Bodies are texts and files, which can be read again. */
function patientFetch(subject: string, settings: HubSettings, signal?: AbortSignal): typeof fetch {
  return (input, init) =>
    patiently(
      async () => {
        let response: Response;
        try {
          response = await fetch(input, init);
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          if (init?.signal?.aborted) throw error;
          throw new PassingFailure(`${originOf(input)} cannot be reached (${fetchFailure(error)})`);
        }
        throwIfPassing(response);
        return response;
      },
      { subject, settings, signal, task: 'uploaded' },
    );
}

/** An address of a storage may have a signature in it: only its origin is shown. */
const originOf = (input: string | URL | Request): string =>
  new URL(input instanceof Request ? input.url : input).origin;

/** Makes the repository, or sees that the one that is there may be written to as the caller wishes. */
async function prepareRepo(
  hub: Hub,
  name: string,
  { isPrivate = false, update = false }: PushOptions,
): Promise<void> {
  let existing = await infoOf(hub, name);
  if (existing === null) {
    try {
      await createRepo({
        ...hub,
        repo: { type: 'model', name },
        visibility: isPrivate ? 'private' : 'public',
      });
      return;
    } catch (error) {
      // Made meanwhile, perhaps by a request of ours whose answer was lost.
      if (!(error instanceof HubApiError && error.statusCode === CONFLICT)) throw error;
      existing = await infoOf(hub, name);
      if (existing === null) throw error;
    }
  }
  if (isPrivate && !existing.private)
    throw new UserError(
      `${name} is there and public: make it private on its settings page first, or leave --private out.`,
    );
  if (update || (await isEmpty(hub, name))) return;
  throw new UserError(
    `${name} is there already and has files: give --update to add a commit to it, or another name.`,
  );
}

async function infoOf(hub: Hub, name: string): Promise<{ readonly private: boolean } | null> {
  try {
    return await modelInfo({ ...hub, name });
  } catch (error) {
    if (error instanceof HubApiError && error.statusCode === NOT_FOUND) return null;
    throw error;
  }
}

/** A new repository has its .gitattributes alone. */
async function isEmpty(hub: Hub, name: string): Promise<boolean> {
  for await (const { path } of listFiles({ ...hub, repo: { type: 'model', name }, revision: 'main' })) {
    if (path !== '.gitattributes') return false;
  }
  return true;
}

async function commitFiles(
  hub: Hub,
  name: string,
  files: readonly UploadFile[],
  { onProgress, signal }: PushOptions,
): Promise<PushResult> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const sent = new Map<string, number>();
  const progress = commitIter({
    ...hub,
    repo: { type: 'model', name },
    title: 'Upload with safeguard-vl',
    operations: files.map(({ path, source }) => ({
      operation: 'addOrUpdate',
      path,
      content: 'text' in source ? new Blob([source.text]) : pathToFileURL(source.file),
    })),
    abortSignal: signal,
  });
  for (;;) {
    const next = await progress.next();
    if (next.done === true) {
      if (next.value === undefined)
        throw new UserError(`${name}: the hub tells of no commit; look at its page.`);
      onProgress?.({ name, total, sent: total });
      return { url: `${hub.hubUrl}/${name}`, commit: next.value.commit.oid };
    }
    const event = next.value;
    if (event.event !== 'fileProgress' || event.state !== 'uploading') continue;
    sent.set(event.path, event.progress * (sizes.get(event.path) ?? 0));
    onProgress?.({ name, total, sent: [...sent.values()].reduce((sum, bytes) => sum + bytes, 0) });
  }
}

const [NOT_FOUND, CONFLICT] = [404, 409];

/** What a person can do about each answer of the hub. */
const REFUSALS: Readonly<Record<number, (name: string) => string>> = {
  401: () =>
    'the hub does not know this token (HTTP 401): make a new one with write access, and set HF_TOKEN or run `hf auth login`',
  403: (name) =>
    `this token may not write there (HTTP 403): give it write access to ${name.split('/')[0]}, or push under a name of your own`,
  404: () => 'it is gone, or this token may not see it (HTTP 404): check the name and the token',
  409: () => 'somebody else changed it meanwhile (HTTP 409): run the command again',
  412: () => 'somebody else changed it meanwhile (HTTP 412): run the command again',
  413: () => 'a file is larger than the hub takes (HTTP 413): write the checkpoint in smaller shards',
};

/** The library's error tells addresses and identifiers; a sentence tells what to do. */
function refusal(name: string, error: unknown): unknown {
  if (error instanceof HubApiError) {
    const said = REFUSALS[error.statusCode];
    return new UserError(
      `${name} was not uploaded: ${said === undefined ? `the hub refuses it (HTTP ${error.statusCode}); check the name, the token and HF_ENDPOINT` : said(name)}.`,
    );
  }
  if (error instanceof SyntaxError || error instanceof InvalidApiResponseFormatError)
    return new UserError(`${name} was not uploaded: what answers is no hub; check HF_ENDPOINT.`);
  return error;
}
