import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../runtime/session.js';
import { askedFeeds, askedStatesFeeds } from './asked-rows.js';

/** [masks, 1, seq, seq] whose rows all differ. */
const numbered = (masks: number, seq: number): HostTensor => ({
  dtype: 'f32',
  shape: [masks, 1, seq, seq],
  data: Float32Array.from({ length: masks * seq * seq }, (_, i) => i),
});

const numbers = ({ data }: HostTensor): number[] => Array.from(data, Number);

describe('askedFeeds', () => {
  it('asks for a position once, however many labels it predicts', () => {
    // Two completions begin behind position 2 of the first row; the second row predicts at 5 and 7 (flat).
    const feeds = askedFeeds([2, 3, 2, 5, 7], { batch: 2, seq: 4 });
    expect(feeds.asked_rows.shape).toEqual([2, 16]);
    expect(numbers(feeds.asked_rows).slice(0, 3)).toEqual([2, 3, 0]);
    // What fills a row up is one of its own positions, never another row's.
    expect(numbers(feeds.asked_rows).slice(16, 19)).toEqual([5, 7, 4]);
    expect(numbers(feeds.label_rows)).toEqual([0, 1, 0, 16, 17]);
    // The way back: what is not asked for stands one past the last of 2 · 16.
    expect(numbers(feeds.asked_back)).toEqual([32, 32, 0, 1, 32, 16, 32, 17]);
  });

  it("takes each position's row of the mask, from one mask for all or one a row", () => {
    const own = askedStatesFeeds([1, 6], { batch: 2, mask: numbered(2, 4) }).asked_mask;
    expect(own.shape).toEqual([2, 1, 16, 4]);
    expect(Array.from(own.data.slice(0, 4), Number)).toEqual([4, 5, 6, 7]);
    expect(Array.from(own.data.slice(64, 68), Number)).toEqual([24, 25, 26, 27]);
    const shared = askedStatesFeeds([1, 6], { batch: 2, mask: numbered(1, 4) }).asked_mask;
    expect(Array.from(shared.data.slice(64, 68), Number)).toEqual([8, 9, 10, 11]);
  });

  it('asks for one position of a row that predicts nothing', () => {
    const feeds = askedFeeds([1], { batch: 2, seq: 4 });
    expect(numbers(feeds.asked_rows).slice(16)).toEqual(Array.from({ length: 16 }, () => 4));
  });

  it('leaves rows unasked where they are wanted', () => {
    const shape = { batch: 1, seq: 32, step: 4 };
    const asked = Array.from({ length: 8 }, (_, i) => i);
    expect(askedFeeds(asked, shape).asked_rows.shape).toEqual([1, 8]);
    expect(askedFeeds(asked, { ...shape, spare: 1 }).asked_rows.shape).toEqual([1, 12]);
  });
});
