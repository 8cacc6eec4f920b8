/** @module Files with one JSON value a line, whose mistakes are named by file and line. */
import { readFileSync } from 'node:fs';
import { messageOf, UserError } from './errors.js';
import { decodeText } from './text.js';

/** A value and the line it stands in, from 1. */
export interface JsonLine {
  readonly line: number;
  readonly value: unknown;
}

/**
 * A UTF-8 file without the mark that some editors put before it; `what` it is stands in the message. @throws UserError for
 * one that cannot be read, and for one in another encoding, with the place.
 */
export function readText(path: string, what?: string): string {
  return decodeText(readBytes(path, what), path);
}

function readBytes(path: string, what?: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const named = what === undefined ? path : `${what} ${path}`;
    throw new UserError(`Cannot read ${named}: ${messageOf(error)}; check the path`);
  }
}

/** Empty lines are passed over. @throws UserError for a file that cannot be read and a line that is no JSON. */
export function readJsonLines(path: string, what?: string): JsonLine[] {
  return readText(path, what)
    .split('\n')
    .flatMap((content, i) => {
      if (content.trim() === '') return [];
      try {
        return [{ line: i + 1, value: JSON.parse(content) as unknown }];
      } catch (error) {
        throw new UserError(`${path}, line ${i + 1} is not valid JSON: ${messageOf(error)}`);
      }
    });
}

/** The text of such a file. */
export const jsonLines = (values: readonly object[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');
