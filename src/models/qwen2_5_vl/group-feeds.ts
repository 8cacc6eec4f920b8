/** @module What stands where in rows that are groups: the feeds of `group-attention.ts`. */
import type { HostTensor } from '../../runtime/host-tensor.js';
import { causalFeed } from './feeds.js';

/** Tokens of a row [prompt | completion 1 | … | completion G]. */
export interface GroupLengths {
  readonly prompt: number;
  /** Of each completion what is fed: one less than it has. */
  readonly completions: readonly number[];
}

export interface GroupShape {
  /** Positions of a row; one more than the tokens at least. */
  readonly seq: number;
  /** Places for prompts; one more than the longest has at least, for the first holds no token. */
  readonly promptRoom: number;
  /** The rows that are asked for, with one in each group that is not, and the way back to them. */
  readonly asked: Readonly<Record<'asked_rows' | 'asked_back', HostTensor>>;
}

/** Few different numbers of places occur for completions. */
const COMPLETION_STEP = 4;

/** Room for so many, and one that stays free, in a multiple of `step`. */
export const roomFor = (count: number, step: number): number => Math.ceil((count + 1) / step) * step;

const i64 = (shape: readonly number[], data: readonly number[]): HostTensor => ({
  dtype: 'i64',
  shape,
  data: BigInt64Array.from(data, BigInt),
});

/** Places [batch, prompt + group·longest] of rows [batch, positions]: for each place its position. */
interface Placed {
  readonly prompt: readonly number[];
  readonly completions: readonly number[];
}

/**
 * The three feeds of one kind of rows. A place that is filled up refers to the last position of its row, and a position that is
 * filled up to the last place: nothing reads either, so neither has a gradient.
 */
function placesFeeds(
  kind: string,
  rows: readonly Placed[],
  {
    positions,
    group,
    longest,
  }: { readonly positions: number; readonly group: number; readonly longest: number },
): Record<string, HostTensor> {
  const batch = rows.length;
  const promptRoom = rows[0].prompt.length;
  const width = promptRoom + group * longest;
  const back = rows.flatMap(({ prompt, completions }, row) => {
    const places = Array.from({ length: positions }, () => (row + 1) * width - 1);
    const unused = (row + 1) * positions - 1;
    [...prompt, ...completions].forEach((position, place) => {
      if (position !== unused) places[position - row * positions] = row * width + place;
    });
    return places;
  });
  return {
    [`${kind}_prompt`]: i64(
      [batch, promptRoom],
      rows.flatMap(({ prompt }) => prompt),
    ),
    [`${kind}_completions`]: i64(
      [batch, group, longest],
      rows.flatMap(({ completions }) => completions),
    ),
    [`${kind}_back`]: i64([batch, positions], back),
  };
}

/** Values of a range, filled up to `room` with `filler`. */
const filled = (start: number, count: number, room: number, filler: number): number[] =>
  Array.from({ length: room }, (_, i) => (i < count ? start + i : filler));

/** The feeds of `groupAttention` besides those of the asked rows. */
export function groupFeeds(
  groups: readonly GroupLengths[],
  { seq, promptRoom, asked }: GroupShape,
): Record<string, HostTensor> {
  const group = Math.max(...groups.map(({ completions }) => completions.length));
  const longest = roomFor(Math.max(...groups.flatMap(({ completions }) => completions)), COMPLETION_STEP);
  const all = groups.map(({ prompt, completions }, row): Placed => {
    const unused = (row + 1) * seq - 1;
    let at = row * seq + prompt;
    const rows = Array.from({ length: group }, (_, i) => {
      const count = completions[i] ?? 0;
      at += count;
      return filled(at - count, count, longest, unused);
    });
    return {
      prompt: [unused, ...filled(row * seq, prompt, promptRoom - 1, unused)],
      completions: rows.flat(),
    };
  });
  const askedCount = asked.asked_rows.shape[1];
  const askedPlace = asked.asked_back.data as BigInt64Array;
  const wanted = all.map(({ completions }, row): Placed => {
    const unused = (row + 1) * askedCount - 1;
    const placeOf = (position: number): number =>
      position === (row + 1) * seq - 1 ? unused : Number(askedPlace[position]);
    return { prompt: [placeOf(row * seq + groups[row].prompt - 1)], completions: completions.map(placeOf) };
  });
  const batch = groups.length;
  const marks = (of: (place: number, prompt: number) => boolean): HostTensor => ({
    dtype: 'f32',
    shape: [batch, promptRoom],
    data: Float32Array.from(
      groups.flatMap(({ prompt }) => Array.from({ length: promptRoom }, (_, i) => Number(of(i, prompt)))),
    ),
  });
  return {
    ...placesFeeds('places_of_all', all, { positions: seq, group, longest }),
    ...placesFeeds('places_of_asked', wanted, { positions: askedCount, group, longest }),
    prompt_present: marks((place, prompt) => place > 0 && place <= prompt),
    prompt_own: marks((place) => place === 0),
    prompt_mask: causalFeed(promptRoom),
    own_mask: { ...causalFeed(longest), shape: [longest, longest] },
  };
}
