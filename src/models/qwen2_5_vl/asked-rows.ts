/**
 * @module The positions that predict something. Of the last layer only their states are wanted; what stands before them (a
 * prompt, its picture) is there to be attended to.
 */
import * as op from '../../graph/ops.js';
import type { Dim } from '../../graph/shape.js';
import { type AskedRows, type AskedStates, attendWithin } from './text.js';
import type { HostTensor } from '../../runtime/host-tensor.js';

/** In training, how many rows are asked for is rounded up to this, so that few different shapes occur. */
const COUNT_STEP = 16;

/** Inputs `asked_rows` [batch, asked] i64, flat positions in [batch·seq], and `asked_back` [batch, seq] i64. */
export function askedRows(seq: Dim): Required<AskedRows> {
  return {
    rows: op.input('asked_rows', 'i64', ['batch', 'asked']),
    back: op.input('asked_back', 'i64', ['batch', seq]),
  };
}

/** Those that have attended, by the input `asked_mask` [batch, 1, asked, seq] f32. */
export function askedStates(rows: AskedRows, seq: Dim): AskedStates {
  return { ...rows, attend: attendWithin(op.input('asked_mask', 'f32', ['batch', 1, 'asked', seq])) };
}

export interface AskedShape {
  readonly batch: number;
  readonly seq: number;
  /** The number of rows is rounded up to a multiple of it. */
  readonly step?: number;
  /** At least so many rows stay unasked. */
  readonly spare?: number;
}

/**
 * The feeds of {@link askedRows}, and `label_rows` [labels] i64: where in [batch·asked] each label is predicted.
 * `positions`: the flat positions in [batch·seq] that predict the labels, as often as they do.
 */
export function askedFeeds(
  positions: readonly number[],
  { batch, seq, step = COUNT_STEP, spare = 0 }: AskedShape,
): Record<'asked_rows' | 'asked_back' | 'label_rows', HostTensor> {
  const asked = Array.from({ length: batch }, () => new Map<number, number>());
  const places = positions.map((position) => {
    const row = Math.floor(position / seq);
    const place = asked[row].get(position) ?? asked[row].size;
    asked[row].set(position, place);
    return { row, place };
  });
  const most = Math.max(...asked.map(({ size }) => size));
  const count = Math.ceil((most + spare) / step) * step;
  // A row that has fewer is asked for its first position again, and nobody reads the answer.
  const rows = asked.flatMap((known, row) => {
    const own = [...known.keys()];
    return [...own, ...Array.from({ length: count - own.length }, () => row * seq)];
  });
  const back = new BigInt64Array(batch * seq).fill(BigInt(rows.length));
  asked.forEach((known, row) => {
    for (const [position, place] of known) back[position] = BigInt(row * count + place);
  });
  return {
    asked_rows: { dtype: 'i64', shape: [batch, count], data: BigInt64Array.from(rows, BigInt) },
    asked_back: { dtype: 'i64', shape: [batch, seq], data: back },
    label_rows: {
      dtype: 'i64',
      shape: [places.length],
      data: BigInt64Array.from(places, ({ row, place }) => BigInt(row * count + place)),
    },
  };
}

/** The same and `asked_mask`, the feeds of {@link askedStates}: mask [1 | batch, 1, seq, seq]. */
export function askedStatesFeeds(
  positions: readonly number[],
  { mask, ...shape }: Omit<AskedShape, 'seq'> & { readonly mask: HostTensor },
): ReturnType<typeof askedFeeds> & { readonly asked_mask: HostTensor } {
  const [masks, , seq] = mask.shape;
  const feeds = askedFeeds(positions, { ...shape, seq });
  const [batch, count] = feeds.asked_rows.shape;
  const from = mask.data as Float32Array;
  const data = new Float32Array(batch * count * seq);
  (feeds.asked_rows.data as BigInt64Array).forEach((position, i) => {
    const source = masks === 1 ? Number(position) % seq : Number(position);
    data.set(from.subarray(source * seq, (source + 1) * seq), i * seq);
  });
  return { ...feeds, asked_mask: { dtype: 'f32', shape: [batch, 1, count, seq], data } };
}
