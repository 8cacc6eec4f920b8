/** @module Objects of options that know their names: a misspelt one is a mistake, not silence. */
import { editDistanceWithin } from './edit-distance.js';
import { UserError } from './errors.js';

/** The share of a name's letters that may differ where another is likely meant. */
const FAR = 1 / 3;
/** No option's name is longer. */
const MAX_NAME = 40;

/**
 * @param names every option there is; those of `T`, so that the types keep the list whole.
 * @throws UserError (`invalid_option`) for one that there is not, naming the nearest.
 *
 * @example checkOptions(options, JUDGE_OPTIONS, 'judge');
 */
export function checkOptions<T extends object>(
  options: T,
  names: Readonly<Record<keyof T, true>>,
  taker: string,
): void {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new UserError(`the options of ${taker} must be an object, such as { }`, { code: 'invalid_option' });
  }
  const known = Object.keys(names);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(names, name));
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, known);
  const hint = nearest === undefined ? `there are ${known.join(', ')}` : `did you mean "${nearest}"?`;
  throw new UserError(`${taker} has no option ${JSON.stringify(unknown)}; ${hint}`, {
    code: 'invalid_option',
  });
}

/** The name that a misspelt one most likely means; undefined where none is near. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[_-]/gu, '');
  const limit = Math.max(1, Math.floor(Math.min(name.length, MAX_NAME) * FAR));
  const near = known
    .map((one) => ({ one, distance: editDistanceWithin(plain(name), plain(one), limit) }))
    .filter((candidate): candidate is { one: string; distance: number } => candidate.distance !== null);
  near.sort((a, b) => a.distance - b.distance);
  return near.at(0)?.one;
}
