/** @module Rewards over HTTP, for engines that train on a cluster: the same functions and weights as in a run here. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf, UserError } from '../../util/errors.js';
import { type Answering, answerOpenrlhf, answerShim } from './answers.js';
import { admit, type Admission } from './doorkeeper.js';
import { Refusal } from './refusal.js';
import { DEFAULT_HOST, DEFAULT_PORT, REWARDS_PATH, type RowError } from './wire.js';

export interface ServiceOptions extends Answering {
  /** This machine alone unless another address is given. */
  readonly host?: string;
  /** 0 takes any that is free. */
  readonly port?: number;
  /** Names by which it may be asked, besides addresses, `localhost`, this machine's name and `host`. */
  readonly allowedHosts?: readonly string[];
  /** What clients must send as `Authorization: Bearer …`. */
  readonly token?: string;
  /** The largest body, in bytes. */
  readonly maxBodyBytes?: number;
  /** The longest time that a batch may take to come in, and again to be rewarded, in milliseconds. */
  readonly timeout?: number;
  /** Told of what went wrong on this side. */
  readonly onFault?: (message: string) => void;
}

export interface RewardService {
  readonly url: string;
  /** Takes no more, and ends when what is under way is answered. */
  close(): Promise<void>;
}

/** Some ten thousand completions with their policies. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
const TIMEOUT = 60_000;
/** How often Node looks for bodies that come in too slowly, in milliseconds. */
const LOOK_EVERY = 1000;

/** Of a path, in a message. */
const MAX_PATH = 100;

const OPENRLHF_PATH = '/openrlhf';
const HEALTH_PATH = '/health';

type Answer = object & { readonly errors?: readonly RowError[] };

interface Route {
  readonly method: 'GET' | 'POST';
  readonly answer: (body: unknown) => Promise<Answer>;
}

/** What is answered where; health counts the batches. */
function routesOf(options: ServiceOptions): ReadonlyMap<string, Route> {
  let batches = 0;
  const counted = async (answer: Promise<Answer>): Promise<Answer> => {
    const given = await answer;
    batches++;
    return given;
  };
  return new Map<string, Route>([
    [REWARDS_PATH, { method: 'POST', answer: (body) => counted(answerShim(body, options)) }],
    [OPENRLHF_PATH, { method: 'POST', answer: (body) => counted(answerOpenrlhf(body, options)) }],
    [
      HEALTH_PATH,
      {
        method: 'GET',
        answer: () => Promise.resolve({ status: 'ok', rewards: options.table.weights, batches }),
      },
    ],
  ]);
}

const STATUS = {
  ok: 200,
  bad: 400,
  missing: 404,
  method: 405,
  slowBody: 408,
  tooLarge: 413,
  fault: 500,
  slowReward: 504,
} as const;

/** Listens until it is closed. @throws UserError for an address that cannot be listened at. */
export async function serveRewards(options: ServiceOptions): Promise<RewardService> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, timeout = TIMEOUT } = options;
  const routes = routesOf(options);
  const admission = { host, allowedHosts: options.allowedHosts ?? [], token: options.token ?? null };
  const server = createServer({ connectionsCheckingInterval: LOOK_EVERY }, (request, response) => {
    void handle(request, routes, admission, options).then((reply) => {
      // A connection that is kept would go on being served after the close.
      send(response, server.listening ? reply : closing(reply));
    });
  });
  server.requestTimeout = timeout;
  server.headersTimeout = timeout;
  server.on('clientError', refuseRaw);
  await listening(server, host, port);
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`, close: () => closed(server) };
}

interface Reply {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const failure = (status: number, message: string, headers?: Reply['headers']): Reply => ({
  status,
  body: { error: { message } },
  headers,
});

const CLOSE = { connection: 'close' } as const;
const closing = (reply: Reply): Reply => ({ ...reply, headers: { ...reply.headers, ...CLOSE } });

async function handle(
  request: IncomingMessage,
  routes: ReadonlyMap<string, Route>,
  admission: Admission,
  { maxBodyBytes = MAX_BODY_BYTES, timeout = TIMEOUT, onFault = () => undefined }: ServiceOptions,
): Promise<Reply> {
  try {
    admit(request, admission);
  } catch (error) {
    if (error instanceof Refusal) return failure(error.status, error.message, CLOSE);
    throw error;
  }
  const [path] = (request.url ?? '/').split('?');
  const route = routes.get(path);
  if (route === undefined)
    return failure(
      STATUS.missing,
      `there is no ${path.slice(0, MAX_PATH)} here: take one of ${[...routes.keys()].join(', ')}`,
    );
  const { method, answer } = route;
  if (request.method !== method)
    return failure(STATUS.method, `${path} takes ${method} alone`, { allow: method });
  try {
    const body = method === 'POST' ? jsonOf(await bodyOf(request, maxBodyBytes)) : null;
    const given = await inTime(answer(body), timeout);
    const [bad] = given.errors ?? [];
    if (bad !== undefined)
      onFault(`rows of a batch have no rewards, the first is ${bad.row}: ${bad.message}`);
    return { status: STATUS.ok, body: given };
  } catch (error) {
    if (error instanceof Refusal) {
      // What is left of a body that is too large is not read.
      return failure(error.status, error.message, error.status === STATUS.tooLarge ? CLOSE : undefined);
    }
    onFault(
      error instanceof UserError || !(error instanceof Error)
        ? messageOf(error)
        : (error.stack ?? error.message),
    );
    return failure(STATUS.fault, messageOf(error));
  }
}

async function bodyOf(request: IncomingMessage, most: number): Promise<string> {
  const tooLarge = new Refusal(
    STATUS.tooLarge,
    `the body is larger than ${most} bytes: send fewer completions at once`,
  );
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge;
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > most) throw tooLarge;
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(STATUS.bad, `the body broke off: ${messageOf(error)}`);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(STATUS.bad, `the body is not JSON: ${messageOf(error)}`);
  }
}

async function inTime<Value>(work: Promise<Value>, timeout: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new Refusal(STATUS.slowReward, `the rewards took longer than ${timeout} ms: send fewer completions`),
      );
    }, timeout);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, { status, body, headers }: Reply): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

/** What is no HTTP, and what comes in too slowly. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) return;
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = slow ? `${STATUS.slowBody} Request Timeout` : `${STATUS.bad} Bad Request`;
  const message = slow ? 'the request came in too slowly' : 'this is no HTTP request';
  const text = JSON.stringify({ error: { message } });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
}

/** What can be done about an address, by the system's name for the problem. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already: give another --port, or 0 for any',
  EACCES: 'permission is missing: give a --port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address: give another --host',
  ENOTFOUND: 'there is no such host: give another --host',
};

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new UserError(`Cannot listen at ${host}:${port}: ${REMEDIES[code] ?? messageOf(error)}.`);
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeIdleConnections();
  });
}
