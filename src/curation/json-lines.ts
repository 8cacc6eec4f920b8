/** @module Files with one JSON object a line, whose mistakes are named by file and line. */
import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../util/errors.js';

export type JsonRow = Readonly<Record<string, unknown>>;

/** An object and the line it stands in, from 1. */
export interface NumberedRow {
  readonly line: number;
  readonly row: JsonRow;
}

/** @throws UserError for a file that cannot be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\u{FEFF}/u, '');
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${messageOf(error)}; check the path`);
  }
}

/** Empty lines are passed over. @throws UserError for a line that is no JSON object. */
export function readJsonLines(path: string): NumberedRow[] {
  return readText(path)
    .split('\n')
    .flatMap((content, i) => {
      if (content.trim() === '') return [];
      let row: unknown;
      try {
        row = JSON.parse(content);
      } catch (error) {
        throw new UserError(`${path}, line ${i + 1} is not valid JSON: ${messageOf(error)}`);
      }
      if (isRow(row)) return [{ line: i + 1, row }];
      throw new UserError(`${path}, line ${i + 1} is no JSON object; write one like {"image": "a.png"}`);
    });
}

export const isRow = (value: unknown): value is JsonRow =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The text of a JSONL file. */
export const jsonLines = (rows: readonly object[]): Uint8Array =>
  new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
