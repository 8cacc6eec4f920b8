/** @module Lists compared as multisets. */

/** How many texts two lists share, counted with repetition. */
export function overlapOf(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const text of b) left.set(text, (left.get(text) ?? 0) + 1);
  return a.filter((text) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count > 0;
  }).length;
}
