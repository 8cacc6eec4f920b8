/** @module Files with one JSON object a line. */
import { UserError } from '../util/errors.js';
import { readJsonLines } from '../util/json-lines.js';

export type JsonRow = Readonly<Record<string, unknown>>;

/** An object and the line it stands in, from 1. */
export interface NumberedRow {
  readonly line: number;
  readonly row: JsonRow;
}

/** @throws UserError for a file that cannot be read and a line that is no JSON object. */
export function readJsonRows(path: string): NumberedRow[] {
  return readJsonLines(path).map(({ line, value: row }) => {
    if (isRow(row)) return { line, row };
    throw new UserError(`${path}, line ${line} is no JSON object; write one like {"image": "a.png"}`);
  });
}

export const isRow = (value: unknown): value is JsonRow =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
