/**
 * @module What a verdict rests on: the statements that an answer cites must stand in the policy. One check for every
 * family that cites, by number, in words, or both; a verdict that rests on words the policy does not have is none.
 */
import { editDistanceWithin } from '../util/edit-distance.js';

/** A statement as an answer cites it, broken or not. */
export interface CitedStatement {
  /** Its number in the policy, from 1; null where the family cites by words alone. */
  readonly number: number | null;
  /** The words that are quoted; null where the family cites by number alone. */
  readonly quote: string | null;
}

export interface CitationOptions {
  /** Accepts slips of the pen: see {@link citationFault}. Default false, word for word. */
  readonly slips?: boolean;
}

/** A slip changes at most this share of the longer text … */
const SLIP_SHARE = 0.1;
/** … at most so many characters, however long the statement … */
const MAX_SLIP = 10;
/** … and happens at most to so many different quotations of an answer: each is held against all statements. */
const MAX_SLIPS = 8;
/** Characters of a quotation that an explanation repeats. */
const SHOWN = 80;

/**
 * What is wrong with the first citation that does not stand in the policy, as a clause without a full stop; null where all do.
 *
 * A quotation must be the statement under its number, word for word. With `slips` it may be off by a tenth of its characters
 * (edit distance), if it is nearer to no other statement. Time is linear in answer and policy.
 *
 * @example citationFault([{ number: 1, quote: 'No weapons.' }], policy.statements)
 */
export function citationFault(
  cited: readonly CitedStatement[],
  statements: readonly string[],
  { slips = false }: CitationOptions = {},
): string | null {
  const known = new Set<string>();
  for (const { number, quote } of cited) {
    const fault = numberFault(number, statements);
    if (fault !== null) return fault;
    if (quote === null || statements[(number ?? 0) - 1] === quote) continue;
    if (number === null) {
      if (statements.includes(quote)) continue;
      return `the answer cites "${shortened(quote)}", which the policy does not say`;
    }
    const key = `${number} ${quote}`;
    if (known.has(key)) continue;
    known.add(key);
    const isSlip = slips && known.size <= MAX_SLIPS && isSlipOf(quote, number - 1, statements);
    if (!isSlip) return quoteFault(number, quote, statements);
  }
  return null;
}

function numberFault(number: number | null, { length }: readonly string[]): string | null {
  if (number === null || (Number.isSafeInteger(number) && number >= 1 && number <= length)) return null;
  return `the answer cites statement ${number}, and the policy has ${length} ${length === 1 ? 'statement' : 'statements'}`;
}

function quoteFault(number: number, quote: string, statements: readonly string[]): string {
  const other = statements.indexOf(quote);
  return other >= 0
    ? `the answer quotes statement ${other + 1} as statement ${number}`
    : `the answer quotes "${shortened(quote)}" as statement ${number}, which the policy does not say`;
}

function isSlipOf(quote: string, index: number, statements: readonly string[]): boolean {
  const statement = statements[index];
  const limit = Math.min(MAX_SLIP, Math.floor(Math.max(statement.length, quote.length) * SLIP_SHARE));
  const distance = editDistanceWithin(quote, statement, limit);
  if (distance === null) return false;
  return statements.every(
    (other, i) => i === index || other === statement || editDistanceWithin(quote, other, distance) === null,
  );
}

/** The beginning of a text, for an explanation. */
export function shortened(text: string): string {
  const characters = Array.from(text.slice(0, 2 * SHOWN + 2));
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN).join('')}…` : text;
}
