/** @module How far two texts are apart, up to a limit that also bounds the work. */

/**
 * The Levenshtein distance of two texts in UTF-16 units (insertions, deletions and substitutions count 1 each), or null
 * where it is more than `limit`. Only a band of 2 · limit + 1 cells a row is computed: time grows with length × limit.
 *
 * Source: E. Ukkonen, "Algorithms for approximate string matching" (1985): cells further from the diagonal than the limit
 * cannot lie on a path within it.
 */
export function editDistanceWithin(a: string, b: string, limit: number): number | null {
  if (Math.abs(a.length - b.length) > limit) return null;
  const over = limit + 1;
  // Cell `k` of a row is column i + k − limit of row i.
  const width = 2 * limit + 1;
  let row = Array.from({ length: width }, (_, k) => (k < limit ? over : k - limit));
  for (let i = 1; i <= a.length; i++) {
    const next = Array<number>(width).fill(over);
    let least = over;
    for (let k = Math.max(0, limit - i); k < width; k++) {
      const j = i + k - limit;
      if (j > b.length) break;
      const cell =
        j === 0
          ? i
          : Math.min(
              row[k] + Number(a.charCodeAt(i - 1) !== b.charCodeAt(j - 1)),
              (k > 0 ? next[k - 1] : over) + 1,
              (k + 1 < width ? row[k + 1] : over) + 1,
            );
      next[k] = Math.min(cell, over);
      least = Math.min(least, next[k]);
    }
    if (least === over) return null;
    row = next;
  }
  const distance = row[b.length - a.length + limit];
  return distance > limit ? null : distance;
}
