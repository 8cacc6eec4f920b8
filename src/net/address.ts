/** @module Which addresses of the network a stranger's URL may lead to. */
import { lookup as systemLookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { messageOf, UserError } from '../util/errors.js';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name, as `dns.lookup` with `all` gives them. */
export type Lookup = (hostname: string) => Promise<readonly Address[]>;

/** Networks that are allowed although they are not public: all of them, or those in CIDR notation. */
export type AllowPrivate = boolean | readonly string[];

export const resolveAll: Lookup = (hostname) => systemLookup(hostname, { all: true });

const [IPV4, IPV6] = [4, 6] as const;

/** What URLs write IPv6 addresses in. */
const BRACKETS = /^\[(.*)\]$/;

/**
 * The address to connect to. A name is refused if any of its addresses is not public: which one a second lookup
 * would give is not ours to choose, so the caller connects to exactly this one.
 * @throws UserError for names that cannot be resolved, and for addresses that are neither public nor allowed.
 */
export async function addressOf(
  { hostname, href }: URL,
  { lookup, allowPrivate }: { readonly lookup: Lookup; readonly allowPrivate: AllowPrivate },
): Promise<Address> {
  const host = hostname.replace(BRACKETS, '$1');
  const literal = ipaddr.isValid(host);
  const addresses = literal ? [{ address: host, family: familyOf(host) }] : await resolve(host, href, lookup);
  const isAllowed = allowing(allowPrivate);
  const closed = addresses.find(({ address }) => !isPublic(address) && !isAllowed(address));
  if (closed === undefined) return addresses[0];
  const where = literal ? 'is' : `leads to ${closed.address},`;
  throw new UserError(
    `${href} ${where} an address of a private or special network (${rangeOf(closed.address)}); ` +
      'give the image as a file, or allow private addresses where every URL comes from you',
    { code: 'forbidden_address' },
  );
}

function allowing(allowed: AllowPrivate): (address: string) => boolean {
  if (typeof allowed === 'boolean') return () => allowed;
  const networks = allowed.map((network) => {
    if (ipaddr.isValidCIDR(network)) return ipaddr.parseCIDR(network);
    throw new UserError(`"${network}" is no network; write it as in 10.20.0.0/16`);
  });
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return networks.some(
      ([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits),
    );
  };
}

async function resolve(host: string, href: string, lookup: Lookup): Promise<readonly Address[]> {
  try {
    const found = await lookup(host);
    if (found.length > 0) return found;
  } catch (error) {
    throw new UserError(`${href} cannot be reached: ${messageOf(error)}; check the host name`, {
      code: 'unreachable',
      cause: error,
    });
  }
  throw new UserError(`${href} cannot be reached: ${host} has no address; check the host name`, {
    code: 'unreachable',
  });
}

/** Unicast addresses of the public internet; those that wrap an IPv4 address are judged by it or not public at all. */
function isPublic(address: string): boolean {
  return rangeOf(address) === PUBLIC;
}

const PUBLIC = 'unicast';

function rangeOf(address: string): string {
  // A lookup may give what is no address at all; that is not public either. `process` unwraps ::ffff:a.b.c.d.
  if (!ipaddr.isValid(address)) return 'no address';
  const parsed = ipaddr.process(address);
  const range = parsed.range();
  if (range !== PUBLIC) return range;
  return (
    (parsed instanceof ipaddr.IPv6 ? rangeOfIPv6(parsed) : CLOUD_SERVICES.get(parsed.toString())) ?? PUBLIC
  );
}

/** Public by their number, and in fact the cloud's own service on the machine's own network. */
const CLOUD_SERVICES: ReadonlyMap<string, string> = new Map([['168.63.129.16', 'cloud platform']]);

/**
 * What the registries have given out of 2000::/3, by the first word of the address, last one included; each registry
 * grows within its own part. Source: IANA, IPv6 Global Unicast Address Assignments.
 */
const GIVEN_OUT: readonly (readonly [first: number, last: number])[] = [
  [0x2001, 0x2001],
  [0x2003, 0x2003],
  [0x2400, 0x24ff],
  [0x2600, 0x26ff],
  [0x2800, 0x28ff],
  [0x2a00, 0x2aff],
  [0x2c00, 0x2cff],
];
/** 2001::/23 is for protocols, not for hosts (RFC 2928). */
const LAST_OF_PROTOCOLS = 0x01ff;
/** The middle of an ISATAP address, with or without the bit of a global IPv4 address; that one follows it (RFC 5214). */
const [ISATAP_FLAGS, ISATAP] = [[0, 0x0200], 0x5efe] as const;

/** What an IPv6 address is that the library takes for public; undefined where it is. */
function rangeOfIPv6({ parts }: { readonly parts: readonly number[] }): string | undefined {
  const [first, second] = parts;
  if (!GIVEN_OUT.some(([from, to]) => from <= first && first <= to)) return 'never given out';
  if (first === 0x2001 && second <= LAST_OF_PROTOCOLS) return 'protocols';
  const [flags, mark] = parts.slice(4);
  return mark === ISATAP && ISATAP_FLAGS.some((value) => value === flags) ? 'isatap' : undefined;
}

const familyOf = (address: string): number => (ipaddr.IPv4.isValid(address) ? IPV4 : IPV6);
