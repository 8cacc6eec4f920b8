/**
 * @module The positions that predict something. Of the last layer only their states are wanted; what stands before them (a
 * prompt, its picture) is there to be attended to.
 */
import * as op from '../../graph/ops.js';
import type { Dim } from '../../graph/shape.js';
import { type AskedStates, attendWithin } from './text.js';
import type { HostTensor } from '../../runtime/host-tensor.js';

/** In training, how many rows are asked for is rounded up to this, so that few different shapes occur. */
const COUNT_STEP = 16;

/** Inputs `asked_rows` [batch, asked] i64, flat positions in [batch·seq], and `asked_mask` [batch, 1, asked, seq] f32. */
export function askedInputs(seq: Dim): AskedStates {
  const rows = op.input('asked_rows', 'i64', ['batch', 'asked']);
  return { rows, attend: attendWithin(op.input('asked_mask', 'f32', ['batch', 1, 'asked', seq])) };
}

/**
 * The feeds of {@link askedInputs}, and `label_rows` [labels] i64: where in [batch·asked] each label is predicted.
 * `positions`: the flat positions in [batch·seq] that predict the labels, as often as they do; mask [1 | batch, 1, seq, seq].
 */
export function askedFeeds(
  positions: readonly number[],
  batch: number,
  mask: HostTensor,
  step = COUNT_STEP,
): Record<'asked_rows' | 'asked_mask' | 'label_rows', HostTensor> {
  const [masks, , seq] = mask.shape;
  const asked = Array.from({ length: batch }, () => new Map<number, number>());
  const places = positions.map((position) => {
    const row = Math.floor(position / seq);
    const place = asked[row].get(position) ?? asked[row].size;
    asked[row].set(position, place);
    return { row, place };
  });
  const most = Math.max(...asked.map(({ size }) => size));
  const count = Math.ceil(most / step) * step;
  // A row that has fewer is asked for its first position again, and nobody reads the answer.
  const rows = asked.flatMap((known, row) => {
    const own = [...known.keys()];
    return [...own, ...Array.from({ length: count - own.length }, () => row * seq)];
  });
  const from = mask.data as Float32Array;
  const data = new Float32Array(rows.length * seq);
  rows.forEach((position, i) => {
    const source = masks === 1 ? position % seq : position;
    data.set(from.subarray(source * seq, (source + 1) * seq), i * seq);
  });
  return {
    asked_rows: { dtype: 'i64', shape: [batch, count], data: BigInt64Array.from(rows, BigInt) },
    asked_mask: { dtype: 'f32', shape: [batch, 1, count, seq], data },
    label_rows: {
      dtype: 'i64',
      shape: [places.length],
      data: BigInt64Array.from(places, ({ row, place }) => BigInt(row * count + place)),
    },
  };
}
