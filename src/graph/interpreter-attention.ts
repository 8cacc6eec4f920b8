import { assert } from '../util/errors.js';
import type { Kernel } from './interpreter-values.js';

/**
 * Causal attention over a cache, as ONNX Runtime's com.microsoft.GroupQueryAttention (docs/ContribOperators.md):
 * where `total` is the number of new tokens this is a prompt, written from row 0 on and padded on the right; otherwise
 * the new tokens end at `lastIndex`. What a padded position attends to is nobody's business: it gives zeros here.
 * Rows behind the last token stay as they were, as where the cache is updated in place.
 */
export const groupQueryAttention: Kernel = (inputs, _, attributes) => {
  const [query, key, value, cachedKeys, cachedValues, lastIndex, total] = inputs;
  const { heads, kvHeads } = attributes as { heads: number; kvHeads: number };
  const [batch, length, width] = query.shape;
  const [, , capacity, size] = cachedKeys.shape;
  const scale = 1 / Math.sqrt(size);
  const output = new Float64Array(query.data.length);
  const keys = cachedKeys.data.slice();
  const values = cachedValues.data.slice();
  const cacheAt = (row: number, head: number, position: number): number => {
    return ((row * kvHeads + head) * capacity + position) * size;
  };
  for (let row = 0; row < batch; row++) {
    const valid = lastIndex.data[row] + 1;
    const past = total.data[0] === length ? 0 : valid - length;
    assert(past >= 0 && past + length <= capacity, `row ${row}: ${valid} tokens do not fit its cache`);
    for (let step = 0; step < length; step++) {
      for (let head = 0; head < kvHeads; head++) {
        const from = ((row * length + step) * kvHeads + head) * size;
        keys.set(key.data.subarray(from, from + size), cacheAt(row, head, past + step));
        values.set(value.data.subarray(from, from + size), cacheAt(row, head, past + step));
      }
    }
    for (let step = 0; step < length && past + step < valid; step++) {
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor((head * kvHeads) / heads);
        const at = (row * length + step) * width + head * size;
        const weights = Array.from({ length: past + step + 1 }, (_unused, position) => {
          const from = cacheAt(row, kvHead, position);
          let score = 0;
          for (let i = 0; i < size; i++) score += query.data[at + i] * keys[from + i];
          return score * scale;
        });
        const largest = Math.max(...weights);
        const powers = weights.map((score) => Math.exp(score - largest));
        const sum = powers.reduce((a, b) => a + b, 0);
        powers.forEach((power, position) => {
          const from = cacheAt(row, kvHead, position);
          for (let i = 0; i < size; i++) output[at + i] += (power / sum) * values[from + i];
        });
      }
    }
  }
  return [output, keys, values];
};
