import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { type ItemEnd, progressView, type WorkProgress, workThrough } from './work.js';
import { ProgressLine } from '../util/progress.js';

const FINE: ItemEnd = { failed: false };
const bad = (reason: string): ItemEnd => ({ failed: true, reason });
const items = Array.from({ length: 20 }, (_, i) => i);
const options = { concurrency: 3, maxFailuresInARow: 4 };

describe('workThrough', () => {
  it('works on so many at once, each item once, and tells how far it is', async () => {
    const [seen, told]: [number[], WorkProgress[]] = [[], []];
    let [now, most] = [0, 0];
    const finished = await workThrough(
      items,
      async (item) => {
        most = Math.max(most, ++now);
        await pause(2);
        now--;
        seen.push(item);
        return item % 5 === 0 ? bad('fifth') : FINE;
      },
      { ...options, onProgress: (progress) => told.push(progress) },
    );
    expect([finished, most]).toEqual([true, 3]);
    expect(seen.toSorted((a, b) => a - b)).toEqual(items);
    expect(told.map(({ done }) => done)).toEqual(items.map((i) => i + 1));
    expect(told.at(-1)).toMatchObject({ failed: 4, total: 20, secondsLeft: 0 });
    expect(told[9].secondsLeft).toBeGreaterThan(0);
  });

  it('stops after too many failures in a row, with the last reason', async () => {
    const seen: number[] = [];
    const work = (item: number): Promise<ItemEnd> => {
      seen.push(item);
      return Promise.resolve(item > 5 ? bad(`no ${item}`) : FINE);
    };
    await expect(workThrough(items, work, { ...options, concurrency: 1 })).rejects.toThrow(
      new UserError('4 failures in a row, so the run stopped and what is done is kept; the last one: no 9'),
    );
    expect(seen).toHaveLength(10);
  });

  it('does not stop for failures with successes between them', async () => {
    const work = (item: number): Promise<ItemEnd> => Promise.resolve(item % 4 === 0 ? FINE : bad('x'));
    expect(await workThrough(items, work, { ...options, concurrency: 1 })).toBe(true);
  });

  it('ends with what is thrown, and gives the others up', async () => {
    const signals: AbortSignal[] = [];
    const work = async (item: number, signal: AbortSignal): Promise<ItemEnd> => {
      signals.push(signal);
      if (item === 2) throw new Error('ours');
      await pause(10_000, undefined, { signal });
      return FINE;
    };
    await expect(workThrough(items, work, options)).rejects.toThrow('ours');
    expect(signals).toHaveLength(3);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });

  it('says that it was stopped', async () => {
    const stop = new AbortController();
    let begun = 0;
    const work = async (_: number, signal: AbortSignal): Promise<ItemEnd> => {
      if (++begun === 4) stop.abort();
      await pause(1, undefined, { signal });
      return FINE;
    };
    expect(await workThrough(items, work, { ...options, signal: stop.signal })).toBe(false);
    expect(begun).toBeLessThan(8);
    expect(await workThrough([], work, options)).toBe(true);
  });
});

it('progressView shows failures and the time left', () => {
  let text = '';
  const stream = { isTTY: false, columns: 80, rows: 24, write: (more: string) => (text += more) } as const;
  progressView('pictures', new ProgressLine(stream, 0))({ done: 3, failed: 1, total: 9, secondsLeft: 61 });
  expect(text).toBe('3 of 9 pictures, 1 failed, 1m 01s left\n');
});
