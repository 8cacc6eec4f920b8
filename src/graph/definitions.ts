import { InternalError } from '../util/errors.js';
import { COMPOSITES } from './composites.js';
import type { OpDefinition } from './node.js';
import { PRIMITIVES } from './primitives.js';

const DEFINITIONS: ReadonlyMap<string, OpDefinition> = new Map<string, OpDefinition>([
  ...Object.entries(PRIMITIVES),
  ...Object.entries(COMPOSITES),
]);

/** Every op there is: primitives, then composites. */
export const OPS: readonly string[] = [...DEFINITIONS.keys()];

/** What the tables say of `op`; refuses an op that is in none of them. */
export function definitionOf(op: string): OpDefinition {
  const definition = DEFINITIONS.get(op);
  if (definition === undefined) throw new InternalError(`there is no op '${op}'`);
  return definition;
}

export function isComposite(op: string): boolean {
  return DEFINITIONS.get(op)?.decompose !== undefined;
}
