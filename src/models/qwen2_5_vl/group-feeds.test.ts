import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../runtime/host-tensor.js';
import { askedFeeds } from './asked-rows.js';
import { groupFeeds, roomFor } from './group-feeds.js';

const numbers = ({ data }: HostTensor): number[] => Array.from(data, Number);

/** Rows of 8: [prompt of 3 | 2 fed | 1 fed | unused …] and [prompt of 2 | 1 fed | unused …]. */
const groups = [
  { prompt: 3, completions: [2, 1] },
  { prompt: 2, completions: [1] },
];
const seq = 8;
// Each fed token predicts, and of each prompt its last.
const asked = askedFeeds([2, 3, 4, 2, 5, 9, 10], { batch: 2, seq, step: 1, spare: 1 });
const feeds = groupFeeds(groups, { seq, promptRoom: 4, asked });

/** What stands at each place, by the way there and by the way back. */
function bothWays(kind: string): { there: number[]; back: number[] } {
  const [prompt, completions, back] = ['prompt', 'completions', 'back'].map(
    (part) => feeds[`${kind}_${part}`],
  );
  const [batch, promptRoom] = prompt.shape;
  const [, group, longest] = completions.shape;
  const there = Array.from({ length: batch }, (_, row) => [
    ...numbers(prompt).slice(row * promptRoom, (row + 1) * promptRoom),
    ...numbers(completions).slice(row * group * longest, (row + 1) * group * longest),
  ]);
  return { there: there.flat(), back: numbers(back) };
}

describe('groupFeeds', () => {
  it('leaves place 0 of a prompt free, and a place of each completion', () => {
    expect(feeds.places_of_all_prompt.shape).toEqual([2, 4]);
    expect(feeds.places_of_all_completions.shape).toEqual([2, 2, 4]);
    expect(numbers(feeds.places_of_all_prompt)).toEqual([7, 0, 1, 2, 15, 8, 9, 15]);
    const completions = [
      [3, 4, 7, 7],
      [5, 7, 7, 7],
      [10, 15, 15, 15],
      [15, 15, 15, 15],
    ];
    expect(numbers(feeds.places_of_all_completions)).toEqual(completions.flat());
    expect(numbers(feeds.prompt_own)).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
    expect(numbers(feeds.prompt_present)).toEqual([0, 1, 1, 1, 0, 1, 1, 0]);
  });

  it('asks for the last token of a prompt and for what is fed of completions', () => {
    const rows = numbers(asked.asked_rows);
    const positions = numbers(feeds.places_of_asked_prompt).map((place) => rows[place]);
    expect(positions).toEqual([2, 9]);
    const first = numbers(feeds.places_of_asked_completions).slice(0, 8);
    expect([first[0], first[1], first[4]].map((place) => rows[place])).toEqual([3, 4, 5]);
  });

  it.each(['places_of_all', 'places_of_asked'])('finds the way back: %s', (kind) => {
    const { there, back } = bothWays(kind);
    const perRow = back.length / 2;
    back.forEach((place, position) => {
      const row = Math.floor(position / perRow);
      const isUnused = place === ((row + 1) * there.length) / 2 - 1;
      // What has no place is told apart by the last one, which holds nothing: it refers to the row's last position.
      expect(there[place]).toBe(isUnused ? (row + 1) * perRow - 1 : position);
    });
  });

  it('makes room for one more', () => {
    expect([3, 4, 7].map((count) => roomFor(count, 4))).toEqual([4, 8, 8]);
  });
});
