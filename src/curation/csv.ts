/** @module Comma-separated values, read by csv-parse; mistakes are named by the line in which they stand. */
import { CsvError, parse } from 'csv-parse/sync';
import { UserError } from '../util/errors.js';

/** One record and the line it begins in, from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * All records, those without any text left out. @throws UserError that names the line of a quote that is never closed, of
 * text beside a quoted field, and of a record with another number of fields than the first.
 */
export function parseCsv(text: string, source: string): CsvRecord[] {
  const bytes = Buffer.from(text);
  const records: CsvRecord[] = [];
  // Where the next record begins. csv-parse counts a \r\n in quotes as two lines, so they are counted here.
  let [begin, line] = [0, 1];
  const lineAt = (place: number): number => line + linesIn(bytes.toString('utf8', begin, place));
  try {
    parse(bytes, {
      record_delimiter: ['\r\n', '\n', '\r'],
      // Said below, where empty lines are gone.
      relax_column_count: true,
      on_record: (fields, { bytes: end }) => {
        if (fields.length > 1 || fields[0] !== '') records.push({ line, fields });
        [line, begin] = [lineAt(end), end];
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // The separator before the field that is wrong, or the field's own place where it is a record's first.
    const place = Number(error.bytes);
    throw new UserError(
      error.code === 'CSV_QUOTE_NOT_CLOSED'
        ? `${source}, line ${lineAt(place)}: a quote that opens here is never closed`
        : `${source}, line ${lineAt(place) + linesIn(quotedAt(bytes, place))}: there is text beside a quoted field; put the whole field in quotes, and write each quote in it twice`,
    );
  }
  const wanted = records[0]?.fields.length ?? 0;
  const odd = records.find((record) => record.fields.length !== wanted);
  if (odd === undefined) return records;
  throw new UserError(
    `${source}, line ${odd.line} has ${odd.fields.length} fields, and the header has ${wanted}; put fields with commas or line breaks in quotes`,
  );
}

const linesIn = (text: string): number => text.split(/\r\n|\n|\r/u).length - 1;

/** A quoted field with the separator before it; empty where another one begins there. */
function quotedAt(bytes: Buffer, place: number): string {
  const [quoted = ''] = /^,?"[^"]*(?:""[^"]*)*"/u.exec(bytes.toString('utf8', place)) ?? [];
  return quoted;
}
