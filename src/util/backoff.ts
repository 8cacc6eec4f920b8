/** @module How long to wait before asking a server again. */

const FIRST_DELAY = 500;
const MAX_DELAY = 30_000;

/**
 * Milliseconds before the next attempt, after `failures` ones from 0: what the server asked for, else twice as long each
 * time, with jitter, which keeps many clients from coming back at the same moment. At most half a minute.
 */
export function delayBefore(failures: number, asked?: number | null): number {
  const grown = FIRST_DELAY * 2 ** failures * (0.5 + Math.random() / 2);
  return Math.min(asked ?? grown, MAX_DELAY);
}
