/** @module Where the hub is, where its cache lies, and who asks: the environment as Python's huggingface_hub reads it. */
import { withoutTrailingSlashes } from '../../util/addresses.js';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../util/errors.js';
import { readRegularFile } from '../read-file.js';
import type { LockTimes } from './lock.js';

type Environment = Readonly<Record<string, string | undefined>>;

export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** The folder with `models--…` folders. */
  readonly cache: string;
  readonly offline: boolean;
  /** Stands in no message. */
  readonly token: string | null;
  /** Waits between two attempts; tests do not. */
  readonly delay?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** How long the hub may be silent in milliseconds. Default 30 s; tests wait less. */
  readonly silenceMs?: number;
  /** How often in a row something is tried that brings nothing. Default 5. */
  readonly attempts?: number;
  /** Tests wait less for locks, too. */
  readonly lockTimes?: LockTimes;
}

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const TRUE = /^(?:1|on|yes|true)$/iu;

/** Source: huggingface_hub:constants.py and utils/_auth.py. A variable that is set to nothing counts as not set. */
export function hubSettings(env: Environment = process.env): HubSettings {
  const path = (...names: readonly string[]): string | undefined => {
    const given = names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
    return given === undefined ? undefined : expanded(given, env);
  };
  const home =
    path('HF_HOME') ?? join(path('XDG_CACHE_HOME') ?? join(userHome(env), '.cache'), 'huggingface');
  return {
    endpoint: endpointOf(env.HF_ENDPOINT || DEFAULT_ENDPOINT),
    cache: path('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'),
    offline: [env.HF_HUB_OFFLINE, env.TRANSFORMERS_OFFLINE].some((value) => TRUE.test(value ?? '')),
    token: tokenOf(env, path('HF_TOKEN_PATH') ?? join(home, 'token')),
  };
}

const userHome = (env: Environment): string => env.HOME || homedir();

/** As Python's `expandvars(expanduser(path))`: ~ at the start, and $NAME or ${NAME} where it is set. */
function expanded(path: string, env: Environment): string {
  const atHome = path === '~' || /^~[/\\]/u.test(path) ? userHome(env) + path.slice(1) : path;
  return atHome.replace(
    /\$(?:(\w+)|\{(\w+)\})/gu,
    (whole, bare: string, braced: string) => env[bare ?? braced] ?? whole,
  );
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '') {
    return withoutTrailingSlashes(`${url.origin}${url.pathname}`);
  }
  throw new UserError(`HF_ENDPOINT is no address of a hub; set it like ${DEFAULT_ENDPOINT}, or unset it`);
}

function tokenOf(env: Environment, path: string): string | null {
  const given = env.HF_TOKEN?.trim() || env.HUGGING_FACE_HUB_TOKEN?.trim();
  const token = given || (existsSync(path) ? readRegularFile(path).toString('utf8').trim() : '');
  if (token === '') return null;
  if (/^[\x21-\x7e]+$/u.test(token)) return token;
  throw new UserError(
    'the Hugging Face token (HF_TOKEN or the file of `hf auth login`) has a space or a line break in it; set it again',
  );
}
