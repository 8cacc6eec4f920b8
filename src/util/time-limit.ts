/** @module A time limit that ends synchronous work: loops, library calls and regular expressions that backtrack. */
import { createContext, Script } from 'node:vm';
import { UserError } from './errors.js';

/** Whatever runs below a script with a timeout is ended by it, also functions that come from outside of its context. */
const script = new Script('work()');
const context = createContext({ work: undefined });

/**
 * What `work` gives, or a UserError with `code: 'too_slow'` where it takes longer than that many milliseconds. The work is
 * ended wherever it stands, so it must own what it changes.
 */
export function withinTime<T>(milliseconds: number, what: string, work: () => T): T {
  let result: { readonly value: T } | undefined;
  const outer: unknown = context.work;
  context.work = () => {
    result = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: milliseconds });
  } catch (error) {
    // It is an error of the other context, so no `Error` of this one.
    if (Object(error).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      throw new UserError(`${what} took longer than ${milliseconds / 1000} s and was ended`, {
        code: 'too_slow',
      });
    }
    throw error;
  } finally {
    context.work = outer;
  }
  if (result === undefined) throw new UserError(`${what} was ended`, { code: 'too_slow' });
  return result.value;
}
