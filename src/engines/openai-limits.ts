/** @module How long a server's answer may be, in bytes as they are once decompressed. */
import type { EngineRequest } from './engine.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** All that is not tokens. */
const ENVELOPE = MIB;
/** A token with its bytes and its log-probability is some 150 bytes of JSON, an alternative less. */
const TOKEN = KIB;
/** The frame that a stream puts around each token. */
const FRAME = 2 * KIB;
/** Of any answer, whatever was asked for. */
const MOST = 256 * MIB;
/** Of lists of models. */
export const LIST_BYTES = 4 * MIB;
/** Of an error's words; what is behind them is not read. */
export const ERROR_BYTES = 64 * KIB;

/** The longest answer to a request: several times what a server can have to say. */
export function answerBytes(
  { maxNewTokens, n = 1, topLogprobs = 0 }: Pick<EngineRequest, 'maxNewTokens' | 'n' | 'topLogprobs'>,
  streamed: boolean,
): number {
  const each = TOKEN * (1 + topLogprobs) + (streamed ? FRAME : 0);
  return Math.min(MOST, ENVELOPE + n * maxNewTokens * each);
}

/** The first `limit` bytes of a body as text, and whether more was there; the rest is not read. */
export async function textWithin(
  response: Response,
  limit: number,
): Promise<{ text: string; more: boolean }> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let more = false;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += piece.length;
    more = size > limit;
    pieces.push(more ? piece.subarray(0, piece.length - (size - limit)) : piece);
    // Leaving the loop gives the body up.
    if (more) break;
  }
  return { text: new TextDecoder().decode(Buffer.concat(pieces)), more };
}

/** The pieces of a body, as long as there are not too many bytes. */
export async function* piecesWithin(
  response: Response,
  limit: number,
  tooLarge: () => Error,
  alive: () => void,
): AsyncGenerator<Uint8Array, void> {
  let size = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    alive();
    size += piece.length;
    if (size > limit) throw tooLarge();
    yield piece;
  }
}
