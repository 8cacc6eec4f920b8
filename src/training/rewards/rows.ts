/** @module A batch row by row: one that cannot be read or rewarded costs itself alone. */
import { messageOf, UserError } from '../../util/errors.js';
import { Refusal } from './refusal.js';
import type { RewardInput } from './reward.js';
import type { RewardTable, Scores } from './table.js';
import type { RowError } from './wire.js';

export interface RowScores {
  /** Null where a function does not apply, and for rows with an error. */
  readonly byFunction: Record<string, (number | null)[]>;
  readonly totals: (number | null)[];
  /** In the order of the rows. */
  readonly errors: RowError[];
}

interface Row {
  readonly row: number;
  readonly input: RewardInput;
}

const BAD = 400;

/** Scores the rows that can be scored. @throws the first row's Refusal where none can, and what is no row's fault. */
export async function scoreRows(
  table: RewardTable,
  count: number,
  inputOf: (row: number) => RewardInput,
): Promise<RowScores> {
  const errors: RowError[] = [];
  const rows: Row[] = [];
  for (let row = 0; row < count; row++) {
    try {
      rows.push({ row, input: inputOf(row) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      errors.push({ row, message: error.message });
    }
  }
  const { sound, scores } = await scoreSound(table, rows, errors);
  errors.sort((a, b) => a.row - b.row);
  if (scores === null) throw new Refusal(BAD, errors[0].message);
  const spread = (values: readonly (number | null)[]): (number | null)[] => {
    const all: (number | null)[] = Array.from({ length: count }, () => null);
    for (const [k, { row }] of sound.entries()) all[row] = values[k];
    return all;
  };
  const byFunction = Object.entries(scores.byFunction).map(
    ([name, values]) => [name, spread(values)] as const,
  );
  return { byFunction: Object.fromEntries(byFunction), totals: spread(scores.totals), errors };
}

/** Together, since pairs are compared; where that fails, without the rows that fail alone too. */
async function scoreSound(
  table: RewardTable,
  rows: readonly Row[],
  errors: RowError[],
): Promise<{ sound: readonly Row[]; scores: Scores | null }> {
  if (rows.length === 0) return { sound: rows, scores: null };
  try {
    return { sound: rows, scores: await table.score(rows.map(({ input }) => input)) };
  } catch (error) {
    const failed = new Map<Row, unknown>();
    for (const one of rows)
      await table.score([one.input]).catch((reason: unknown) => failed.set(one, reason));
    const sound = rows.filter((one) => !failed.has(one));
    // A function that fails on every row, or on none alone, is at fault itself, unless the rows are what it complains of.
    const reasons = [...failed.values()];
    if (reasons.length === 0 || (sound.length === 0 && !reasons.every(isInput))) throw error;
    for (const [{ row }, reason] of failed) errors.push({ row, message: messageOf(reason) });
    if (sound.length === 0) return { sound, scores: null };
    return { sound, scores: await table.score(sound.map(({ input }) => input)) };
  }
}

/** Whether a row's data was what a reward function could not take. */
const isInput = (reason: unknown): boolean =>
  reason instanceof Error && reason.cause instanceof UserError && reason.cause.kind === 'input';
