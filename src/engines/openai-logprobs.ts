/** @module Log-probabilities as servers report them: what is malformed is dropped, and never costs the answer. */
import type { EngineToken } from './engine.js';
import { isRecord } from './openai-errors.js';

/** Rounding makes of a certain token's 0 a little more. */
const ROUNDING = 1e-3;

/** What a server reports. `reported`: whether it reports at all, be it something that cannot be read. */
export interface ReportedTokens {
  readonly tokens: readonly EngineToken[];
  readonly reported: boolean;
}

/** Reads `{"content": [{"token", "logprob", "bytes"?, "top_logprobs"?}]}`. Without a token's text, no token has a place. */
export function tokensIn(logprobs: unknown): ReportedTokens {
  const content = isRecord(logprobs) ? logprobs['content'] : null;
  if (!Array.isArray(content) || content.length === 0) return { tokens: [], reported: false };
  const tokens = content.map(tokenOf);
  const whole = tokens.every((token) => token !== null);
  return { tokens: whole ? tokens : [], reported: true };
}

/** A token whose log-probability is none has that of the impossible: nothing is concluded from it. */
function tokenOf(wire: unknown): EngineToken | null {
  if (!isRecord(wire) || typeof wire['token'] !== 'string') return null;
  const { token: text, bytes, top_logprobs: others } = wire;
  const logprob = logprobOf(wire['logprob']) ?? -Infinity;
  return {
    text,
    bytes: bytesOf(bytes) ?? new TextEncoder().encode(text),
    logprob,
    top: topOf(others, text, logprob),
  };
}

/**
 * The alternatives, the likeliest first. An empty one (SGLang's null) is left out, and the chosen token stands in where it
 * is missing then; one with a number that is no log-probability makes all of them doubtful.
 */
function topOf(others: unknown, text: string, logprob: number): EngineToken['top'] {
  if (!Array.isArray(others)) return [];
  const given = others.filter((other) => other !== null);
  const top = given.flatMap((other) => {
    const value = isRecord(other) ? logprobOf(other['logprob']) : null;
    return isRecord(other) && typeof other['token'] === 'string' && value !== null
      ? [{ text: other['token'], logprob: value }]
      : [];
  });
  if (top.length < given.length) return [];
  const missing = given.length < others.length && !top.some((other) => other.text === text);
  if (missing && logprob > -Infinity) top.push({ text, logprob });
  return top.toSorted((a, b) => b.logprob - a.logprob);
}

function logprobOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value <= ROUNDING ? Math.min(0, value) : null;
}

const MAX_BYTE = 255;

function bytesOf(value: unknown): Uint8Array | null {
  if (!Array.isArray(value)) return null;
  const sound = value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= MAX_BYTE);
  return sound ? Uint8Array.from(value as number[]) : null;
}
