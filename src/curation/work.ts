/** @module Many independent items, several at once, for hours: progress, failures in a row, and a stop at any moment. */
import { UserError } from '../util/errors.js';
import { formatDuration, ProgressLine } from '../util/progress.js';

/** How an item ended; `failed` with the reason where trying again may help. */
export type ItemEnd = { readonly failed: false } | { readonly failed: true; readonly reason: string };

export interface WorkOptions {
  /** Items at work at once. */
  readonly concurrency: number;
  /** So many failures one after the other mean that something is wrong with all of them: the run stops. */
  readonly maxFailuresInARow: number;
  /** Stops the run: items under way are given up, and are not counted. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WorkProgress) => void;
}

export interface WorkProgress {
  readonly done: number;
  readonly failed: number;
  readonly total: number;
  /** At the mean pace of this start. */
  readonly secondsLeft: number;
}

/**
 * Works through the items in their order. What `work` throws ends the run and is thrown; what it returns is counted.
 * @returns whether all items were worked through, false where the signal stopped it
 * @throws UserError after too many failures in a row, with the last one's reason.
 */
export async function workThrough<Item>(
  items: readonly Item[],
  work: (item: Item, signal: AbortSignal) => Promise<ItemEnd>,
  { concurrency, maxFailuresInARow, signal: outer, onProgress }: WorkOptions,
): Promise<boolean> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(outer === undefined ? [] : [outer])]);
  const begun = performance.now();
  let [next, done, failed, inARow] = [0, 0, 0, 0];
  const oneAfterTheOther = async (): Promise<void> => {
    while (next < items.length && !signal.aborted) {
      const item = items[next++];
      const end = await work(item, signal);
      if (signal.aborted) return;
      done += 1;
      failed += end.failed ? 1 : 0;
      inARow = end.failed ? inARow + 1 : 0;
      const secondsLeft = ((performance.now() - begun) / 1000 / done) * (items.length - done);
      onProgress?.({ done, failed, total: items.length, secondsLeft });
      if (end.failed && inARow >= maxFailuresInARow) throw new UserError(tooMany(inARow, end.reason));
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, items.length) }, async () => {
    try {
      await oneAfterTheOther();
    } catch (error) {
      // What the stop itself breaks off is no failure of its own.
      if (signal.aborted) return;
      stop.abort();
      throw error;
    }
  });
  const ends = await Promise.allSettled(workers);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return !signal.aborted;
}

const tooMany = (count: number, reason: string): string =>
  `${count} failures in a row, so the run stopped and what is done is kept; the last one: ${reason}`;

/** A progress line: how many of them are done, how many failed, the time left. */
export function progressView(what: string, line = new ProgressLine()): (progress: WorkProgress) => void {
  return ({ done, failed, total, secondsLeft }) => {
    const bad = failed > 0 ? `, ${failed} failed` : '';
    line.update(`${done} of ${total} ${what}${bad}, ${formatDuration(secondsLeft)} left`);
  };
}
