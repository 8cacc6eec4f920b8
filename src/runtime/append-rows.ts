/** @module Writes the new rows of a pass into a key/value cache. */
import { DTYPE_BYTES } from '../graph/dtype.js';
import { assert } from '../util/errors.js';
import { bytesOf, type HostTensor } from './host-tensor.js';

/** Refuses a run whose new rows would end behind the cache's capacity; the kernel itself does not look. */
export function checkRoom(cache: HostTensor, lastIndex: HostTensor): void {
  const capacity = cache.shape[2];
  for (let row = 0; row < lastIndex.data.length; row++) {
    const last = Number(lastIndex.data[row]);
    const fits = last >= 0 && last < capacity;
    assert(fits, `row ${row} of a cache of ${capacity} positions is to hold ${last + 1}`);
  }
}

/**
 * Copies rows [B, S, heads·D] into cache [B, heads, capacity, D] so that row b ends at lastIndex[b] (i32 [B]). Of a
 * prompt that is padded on the right, what lies behind its end stays out.
 */
export function appendRows(cache: HostTensor, rows: HostTensor, lastIndex: HostTensor): void {
  const [batch, heads, capacity, size] = cache.shape;
  const length = rows.shape[1];
  const width = size * DTYPE_BYTES[cache.dtype];
  const from = bytesOf(rows);
  const to = bytesOf(cache);
  for (let row = 0; row < batch; row++) {
    const last = Number(lastIndex.data[row]);
    const start = Math.max(0, last + 1 - length);
    for (let i = 0; start + i <= last; i++) {
      for (let head = 0; head < heads; head++) {
        const source = ((row * length + i) * heads + head) * width;
        const target = ((row * heads + head) * capacity + start + i) * width;
        to.set(from.subarray(source, source + width), target);
      }
    }
  }
}
