/** @module Who may ask the reward service: no web page, by whatever name it found the way, and nobody without the token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { Refusal } from './refusal.js';

export interface Admission {
  /** The address that the service listens at. */
  readonly host: string;
  /** Further names by which it may be asked. */
  readonly allowedHosts: readonly string[];
  /** What must stand in `Authorization: Bearer …`; null where nothing must. */
  readonly token: string | null;
}

const STATUS = { unauthorized: 401, forbidden: 403, misdirected: 421, type: 415 } as const;

/** Whether an address can be reached from this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/**
 * Refuses what a web page can send: requests with an `Origin`, bodies that are no JSON (those need no permission of the
 * service's), and names that may have been bent to this address (DNS rebinding needs a name of the page's own).
 * @throws Refusal with what to change.
 */
export function admit({ headers, method }: IncomingMessage, { host, allowedHosts, token }: Admission): void {
  const { origin, authorization = '' } = headers;
  if (origin !== undefined || headers['sec-fetch-site'] !== undefined)
    throw new Refusal(STATUS.forbidden, 'web pages are not answered');
  const name = nameIn(headers.host ?? '');
  const known = [host, 'localhost', hostname(), ...allowedHosts].map((one) => one.toLowerCase());
  if (name === null || (isIP(name) === 0 && !known.includes(name))) {
    throw new Refusal(
      STATUS.misdirected,
      'this service is not asked by that name: use its address, or start it with --allow-host NAME',
    );
  }
  if (token !== null && !same(authorization, `Bearer ${token}`))
    throw new Refusal(STATUS.unauthorized, 'the token is missing or wrong: set SAFEGUARD_REWARDS_TOKEN');
  const type = headers['content-type']?.split(';', 1)[0].trim().toLowerCase();
  if (method === 'POST' && type !== 'application/json')
    throw new Refusal(STATUS.type, 'the body must be sent as content-type: application/json');
}

/** The name in a `Host` header, without the port; null where it is none. */
function nameIn(header: string): string | null {
  const { v6, name } =
    /^(?:\[(?<v6>[0-9a-f:.]{2,45})\]|(?<name>[a-z0-9_.-]{1,253}))(?::\d{1,5})?$/iu.exec(header)?.groups ?? {};
  return (v6 ?? name)?.toLowerCase().replace(/\.$/u, '') ?? null;
}

/** Takes as long whatever differs. */
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
