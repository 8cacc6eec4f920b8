/**
 * A policy as the IconWorld models read it: ` [1] "…"`, a line each. A number is one token together with the space before
 * it, and a statement begins behind a quotation mark, so that an answer which cites and quotes repeats the same tokens.
 */
export function citableStatements(statements: readonly string[]): string {
  return statements.map((text, index) => ` [${index + 1}] "${text}"`).join('\n');
}
