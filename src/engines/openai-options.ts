import { withoutTrailingSlashes } from '../util/addresses.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../util/errors.js';

/** How a server is told to keep an answer to a regular expression. */
export type StructuredOutput = 'none' | 'vllm' | 'vllm-guided' | 'sglang' | 'llama-server';

export interface OpenAIEngineOptions {
  /** Up to and with `/v1`: `http://localhost:8000/v1`. */
  readonly baseURL: string;
  readonly model: string;
  /** The environment variable that holds the key. Default `OPENAI_API_KEY`, which may be missing; another may not. */
  readonly apiKeyVariable?: string;
  /** `vllm-guided`: vLLM before 0.11. Default none. */
  readonly structured?: StructuredOutput;
  /** How a server is told to go on with a begun answer; `trailing`: the begun message alone says so (llama-server). */
  readonly prefix?: 'none' | 'vllm' | 'trailing';
  /** How many images a chat may hold. Default many. */
  readonly images?: number | 'many';
  readonly contextLength?: number;
  /** Requests at work at once. Default 8. */
  readonly concurrency?: number;
  /** The longest that one attempt may take, in milliseconds. Default 2 minutes; Node's fetch itself allows 5. */
  readonly timeout?: number;
  /** The longest silence within a stream, in milliseconds. Default 30 seconds. */
  readonly stallTimeout?: number;
  /** How often a request is sent again when a server is busy or broken. Default 5. */
  readonly retries?: number;
  /** Waits between two attempts, for tests. */
  readonly delay?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export type OpenAISettings = Required<Omit<OpenAIEngineOptions, 'contextLength' | 'baseURL'>> & {
  readonly contextLength: number | null;
  /** Without a slash at its end. */
  readonly baseURL: string;
};

const DEFAULT_KEY_VARIABLE = 'OPENAI_API_KEY';

/** The options with their defaults. @throws UserError for a base URL or a number that cannot be. */
export function withDefaults(options: OpenAIEngineOptions): OpenAISettings {
  const settings = {
    apiKeyVariable: DEFAULT_KEY_VARIABLE,
    structured: 'none',
    prefix: 'none',
    images: 'many',
    contextLength: null,
    concurrency: 8,
    timeout: 120_000,
    stallTimeout: 30_000,
    retries: 5,
    delay: (milliseconds: number, signal: AbortSignal): Promise<void> =>
      sleep(milliseconds, undefined, { signal }),
    ...options,
    baseURL: checkedURL(options.baseURL),
  } as const;
  for (const [name, least] of [
    ['concurrency', 1],
    ['timeout', 1],
    ['stallTimeout', 1],
    ['retries', 0],
  ] as const) {
    const value = settings[name];
    if (!Number.isInteger(value) || value < least) {
      throw new UserError(`${name} must be a whole number from ${least}, and ${value} was given`, {
        code: 'invalid_option',
      });
    }
  }
  return settings;
}

/** Names that are surely no key: as variables are mostly called. */
const USUAL_NAME = /^[A-Z]{2,20}(?:_[A-Z0-9]{1,20}){1,4}$/u;

/**
 * The key, or null where the default variable is not set. Its value stands in no message; neither does a name that may be
 * a key, given by mistake where a variable's name belongs.
 */
export function readKey(variable: string): string | null {
  const key = process.env[variable];
  if (key === undefined || key === '') {
    if (variable === DEFAULT_KEY_VARIABLE) return null;
    if (key === undefined && !USUAL_NAME.test(variable)) {
      throw new UserError(
        'there is no environment variable of the name that was given for the API key; give the name of the variable that holds the key, never the key itself',
        { code: 'invalid_option' },
      );
    }
    throw new UserError(`the environment variable ${variable} holds no API key; set it or name another one`, {
      code: 'invalid_option',
    });
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new UserError(
      `the API key in ${variable} has a space, a line break or a letter that no key has; set it again`,
      { code: 'invalid_option' },
    );
  }
  return key;
}

function checkedURL(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    // What is before an @ is a password.
    const shown = text.includes('@') ? 'what was given' : `"${text}"`;
    throw new UserError(`${shown} is no base URL; give one like http://localhost:8000/v1`, {
      code: 'invalid_option',
    });
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UserError(
      `the base URL of ${url.host} must have no user, password, query or fragment; give an API key in the environment`,
      { code: 'invalid_option' },
    );
  }
  return withoutTrailingSlashes(`${url.origin}${url.pathname}`);
}
