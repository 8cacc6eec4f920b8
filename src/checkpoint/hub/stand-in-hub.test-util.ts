/** @module A hub of our own that fails in every way a hub can, and takes uploads as the hub does. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HubSettings } from './settings.js';

/** Answers a request in place of the hub, if it says true. */
export type Trouble = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface StandInHub {
  readonly endpoint: string;
  /** `METHOD path range`, in the order in which they came. */
  readonly requests: string[];
  /** Bytes of bodies that were written, by path. */
  readonly sent: Map<string, number>;
  /** Repositories that were made or filled by requests, by name. */
  readonly repos: Map<string, StandInRepo>;
  trouble: Trouble;
  settings(cache: string, more?: Partial<HubSettings>): HubSettings;
  close(): Promise<void>;
}

export interface StandInRepo {
  private: boolean;
  readonly files: Map<string, Buffer>;
  readonly commits: string[];
}

export const COMMIT = 'c'.repeat(40);
export const NAME = 'org/model';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const gitHash = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

interface Upload {
  readonly bytes: Buffer;
  /** What the route has behind the repository's name. */
  readonly rest: string;
  readonly repo: StandInRepo | undefined;
  readonly repos: Map<string, StandInRepo>;
  readonly stored: Map<string, Buffer>;
  readonly endpoint: string;
}

interface UploadRoute {
  readonly method: string;
  readonly route: RegExp;
  readonly needs: 'repo' | 'nothing';
  readonly answer: (upload: Upload, end: (status: number, value?: unknown) => void) => void;
}

const jsonOf = (bytes: Buffer): Record<string, unknown> =>
  JSON.parse(bytes.toString()) as Record<string, unknown>;
const created = (commits: readonly string[]): string => String(commits.length).padStart(40, 'd');

/** What @huggingface/hub asks for when it makes a repository and commits files to it. */
const UPLOADS: readonly UploadRoute[] = [
  {
    method: 'POST',
    route: /^\/api\/repos\/create$/,
    needs: 'nothing',
    answer({ bytes, repos, endpoint }, end) {
      const { organization, name, visibility } = jsonOf(bytes);
      const full = `${String(organization)}/${String(name)}`;
      if (repos.has(full)) return end(409, { error: 'You already created this model repo' });
      const files = new Map([['.gitattributes', Buffer.from('*.safetensors filter=lfs')]]);
      repos.set(full, { private: visibility === 'private', files, commits: [] });
      end(200, { url: `${endpoint}/${full}`, id: full });
    },
  },
  {
    method: 'GET',
    route: /^\/api\/models\/([^/]+\/[^/]+)\/revision\//,
    needs: 'repo',
    answer: ({ repo }, end) => end(200, { _id: '1', id: 'x', private: repo?.private ?? false, likes: 0 }),
  },
  {
    method: 'GET',
    route: /^\/api\/models\/([^/]+\/[^/]+)\/tree\/main/,
    needs: 'repo',
    answer: ({ repo }, end) =>
      end(
        200,
        [...(repo?.files ?? [])].map(([path, { length }]) => ({
          type: 'file',
          path,
          size: length,
          oid: 'x',
        })),
      ),
  },
  {
    method: 'POST',
    route: /^\/api\/models\/([^/]+\/[^/]+)\/preupload\/main$/,
    needs: 'repo',
    answer({ bytes }, end) {
      const files = jsonOf(bytes).files as { path: string }[];
      const uploadMode = (path: string): string => (path.endsWith('.safetensors') ? 'lfs' : 'regular');
      end(200, { files: files.map(({ path }) => ({ path, uploadMode: uploadMode(path) })) });
    },
  },
  {
    method: 'POST',
    route: /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/,
    needs: 'repo',
    answer({ bytes, stored, endpoint }, end) {
      const objects = jsonOf(bytes).objects as { oid: string; size: number }[];
      const actions = (oid: string) => ({ upload: { href: `${endpoint}/storage/${oid}?signature=secret` } });
      end(200, {
        transfer: 'basic',
        objects: objects.map(({ oid, size }) => ({
          oid,
          size,
          ...(!stored.has(oid) && { actions: actions(oid) }),
        })),
      });
    },
  },
  {
    method: 'PUT',
    route: /^\/(storage)\/([0-9a-f]{64})$/,
    needs: 'nothing',
    answer({ bytes, rest, stored }, end) {
      if (sha256(bytes) !== rest) return end(400);
      stored.set(rest, bytes);
      end(200);
    },
  },
  {
    method: 'POST',
    route: /^\/api\/models\/([^/]+\/[^/]+)\/commit\/main$/,
    needs: 'repo',
    answer({ bytes, repo, stored, endpoint }, end) {
      const lines = bytes
        .toString()
        .split('\n')
        .map((line) => jsonOf(Buffer.from(line)));
      for (const { key, value } of lines as { key: string; value: Record<string, string> }[]) {
        if (key === 'file') repo?.files.set(value.path, Buffer.from(value.content, 'base64'));
        const large = key === 'lfsFile' ? stored.get(value.oid) : undefined;
        if (key === 'lfsFile' && large === undefined) return end(400, { error: 'no such object' });
        if (large !== undefined) repo?.files.set(value.path, large);
      }
      repo?.commits.push('commit');
      end(200, { commitOid: created(repo?.commits ?? []), commitUrl: `${endpoint}/commit`, hookOutput: '' });
    },
  },
];

/** Safetensors are large files there, all others small ones; `chunk` bytes are sent every `pause` milliseconds. */
export async function standInHub(
  files: Readonly<Record<string, Buffer>>,
  { chunk = Number.POSITIVE_INFINITY, pause = 0 } = {},
): Promise<StandInHub> {
  const requests: string[] = [];
  const sent = new Map<string, number>();
  const repos = new Map<string, StandInRepo>();
  /** Large files that have arrived, by their hash: they belong to no repository yet. */
  const stored = new Map<string, Buffer>();
  const entries = Object.entries(files).map(([path, bytes]) => ({
    type: 'file',
    path,
    size: bytes.length,
    oid: gitHash(bytes),
    ...(path.endsWith('.safetensors') && {
      lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 },
    }),
  }));
  const json = (response: ServerResponse, value: unknown): void =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));

  const body = async (path: string, bytes: Buffer, request: IncomingMessage, response: ServerResponse) => {
    const [, start] = /^bytes=(\d+)-$/u.exec(request.headers.range ?? '') ?? [];
    const from = Number(start ?? 0);
    if (from >= bytes.length && bytes.length > 0) return void response.writeHead(416).end();
    const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(start === undefined ? 200 : 206, start === undefined ? {} : range);
    for (let at = from; at < bytes.length && !response.destroyed; at += chunk) {
      const piece = bytes.subarray(at, Math.min(bytes.length, at + chunk));
      response.write(piece);
      sent.set(path, (sent.get(path) ?? 0) + piece.length);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    response.end();
  };

  /** Requests that write, and those that look at what was written; true where it is one of them. */
  const upload = (path: string, request: IncomingMessage, response: ServerResponse): boolean => {
    const found = UPLOADS.find(({ method, route }) => method === request.method && route.test(path));
    if (found === undefined) return false;
    const [, name = '', rest = ''] = found.route.exec(path) ?? [];
    const repo = repos.get(name);
    if (found.needs === 'repo' && repo === undefined) {
      // The embedded listing answers for its own model.
      if (name === NAME) return false;
      response.writeHead(404).end();
      return true;
    }
    void bytesOf(request).then((bytes) => {
      found.answer(
        { bytes, rest, repo, repos, stored, endpoint: `http://${request.headers.host}` },
        (status, value) =>
          response
            .writeHead(status, { 'content-type': 'application/json' })
            .end(value === undefined ? '' : JSON.stringify(value)),
      );
    });
    return true;
  };

  const hub: { trouble: Trouble } = { trouble: () => false };
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0]);
    requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`.trim());
    if (hub.trouble(request, response)) return;
    if (upload(path, request, response)) return;
    if (path.startsWith(`/api/models/${NAME}/revision/`)) {
      return json(response, { _id: '1', id: NAME, modelId: NAME, sha: COMMIT, private: false, likes: 0 });
    }
    if (path.startsWith(`/api/models/${NAME}/tree/${COMMIT}`)) return json(response, entries);
    const file = path.slice(`/${NAME}/resolve/${COMMIT}/`.length);
    if (path.startsWith(`/${NAME}/resolve/${COMMIT}/`) && file in files) {
      return void body(file, files[file], request, response);
    }
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(hub, {
    endpoint,
    requests,
    sent,
    repos,
    settings: (cache: string, more: Partial<HubSettings> = {}) => ({
      endpoint,
      cache,
      offline: false,
      token: null,
      delay: () => Promise.resolve(),
      ...more,
    }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
