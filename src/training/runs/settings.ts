/** @module A configuration as a list for people. */

/** `optimizer.lr` and the like, in the order of the file. */
export function flat(value: Readonly<Record<string, unknown>>, before = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, inner]): [string, string][] =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? flat({ ...inner }, `${before}${name}.`)
      : [[`${before}${name}`, typeof inner === 'string' ? inner : JSON.stringify(inner)]],
  );
}
