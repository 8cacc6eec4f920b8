/** @module Comma-separated values as RFC 4180 has them: quoted fields may hold commas, quotes and line breaks. */
import { UserError } from '../util/errors.js';

/** One record and the line it begins in, from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** A field's text up to the comma or line break behind it; a quoted one from its quote on. */
const PLAIN = /[^",\r\n]*/uy;
const QUOTED = /"((?:[^"]|"")*)"/uy;
const SEPARATOR = /,|\r\n|\n|\r|$/uy;

/**
 * All records, those without any text left out. @throws UserError that names the line of a quote that is never closed, of
 * text beside a quoted field, and of a record with another number of fields than the first.
 */
export function parseCsv(text: string, source: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let [at, line] = [0, 1];
  let fields: string[] = [];
  let begun = 1;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    at += found?.[0].length ?? 0;
    return found;
  };
  while (at < text.length || fields.length > 0) {
    const isQuoted = text[at] === '"';
    const found = take(isQuoted ? QUOTED : PLAIN);
    if (found === null)
      throw new UserError(`${source}, line ${line}: a quote that opens here is never closed`);
    fields.push(isQuoted ? found[1].replaceAll('""', '"') : found[0]);
    const within = linesIn(found[0]);
    const separator = take(SEPARATOR)?.[0];
    if (separator === undefined) {
      throw new UserError(
        `${source}, line ${line + within}: there is text beside a quoted field; put the whole field in quotes, and write each quote in it twice`,
      );
    }
    line += within;
    if (separator === ',') continue;
    if (fields.length > 1 || fields[0] !== '') records.push({ line: begun, fields });
    line += separator === '' ? 0 : 1;
    [fields, begun] = [[], line];
  }
  const wanted = records[0]?.fields.length ?? 0;
  const odd = records.find((record) => record.fields.length !== wanted);
  if (odd === undefined) return records;
  throw new UserError(
    `${source}, line ${odd.line} has ${odd.fields.length} fields, and the header has ${wanted}; put fields with commas or line breaks in quotes`,
  );
}

const linesIn = (text: string): number => text.split(/\r\n|\n|\r/u).length - 1;
