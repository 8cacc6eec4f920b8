/** @module Comma-separated values as RFC 4180 has them, strictly: mistakes are named by the line in which they stand. */
import { UserError } from '../util/errors.js';

/** One record and the line it begins in, from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** The longest field, in UTF-16 units: policies are 64 kB at most, and a quote that never closes would swallow the file. */
const MAX_FIELD = 1_000_000;
/** The most fields of a record. */
const MAX_FIELDS = 10_000;

/**
 * All records, those without any text left out. Lines end with \r\n, \n or \r. One scan, linear in the text.
 * @throws UserError that names the line of a quote that is never closed, of text beside a quoted field, of a field that is
 * too long, and of a record with another number of fields than the first.
 */
export function parseCsv(text: string, source: string): CsvRecord[] {
  const scanner = new Scanner(text, source);
  const records: CsvRecord[] = [];
  for (let record = scanner.record(); record !== null; record = scanner.record()) {
    if (record.fields.length > 1 || record.fields[0] !== '') records.push(record);
  }
  const wanted = records[0]?.fields.length ?? 0;
  const odd = records.find(({ fields }) => fields.length !== wanted);
  if (odd === undefined) return records;
  throw new UserError(
    `${source}, line ${odd.line} has ${odd.fields.length} fields, and the header has ${wanted}; put fields with commas or line breaks in quotes`,
    { code: 'invalid_data' },
  );
}

class Scanner {
  #at = 0;
  #line = 1;

  constructor(
    private readonly text: string,
    private readonly source: string,
  ) {}

  /** The next record, null at the end. */
  record(): CsvRecord | null {
    if (this.#at >= this.text.length) return null;
    const line = this.#line;
    const fields: string[] = [];
    for (;;) {
      fields.push(this.text[this.#at] === '"' ? this.#quoted() : this.#plain());
      if (fields.length > MAX_FIELDS) {
        throw new UserError(`${this.source}, line ${line} has more than ${MAX_FIELDS} fields; give a table`, {
          code: 'too_many',
        });
      }
      if (this.text[this.#at] !== ',') break;
      this.#at += 1;
    }
    this.#lineBreak();
    return { line, fields };
  }

  #plain(): string {
    const start = this.#at;
    for (; this.#at < this.text.length; this.#at++) {
      const character = this.text[this.#at];
      if (character === ',' || character === '\n' || character === '\r') break;
      if (character === '"') throw this.#besideQuotes();
    }
    return this.#checked(this.text.slice(start, this.#at));
  }

  #quoted(): string {
    const opened = this.#line;
    const pieces: string[] = [];
    let from = this.#at + 1;
    for (;;) {
      const quote = this.text.indexOf('"', from);
      if (quote < 0) {
        throw new UserError(`${this.source}, line ${opened}: a quote that opens here is never closed`, {
          code: 'invalid_data',
        });
      }
      pieces.push(this.text.slice(from, quote));
      from = quote + 1;
      if (this.text[from] !== '"') break;
      pieces.push('"');
      from += 1;
    }
    this.#at = from;
    const field = pieces.join('');
    this.#line += breaksIn(field);
    const next = this.text[from];
    if (next !== undefined && next !== ',' && next !== '\n' && next !== '\r') throw this.#besideQuotes();
    return this.#checked(field);
  }

  #checked(field: string): string {
    if (field.length <= MAX_FIELD) return field;
    throw new UserError(
      `${this.source}, line ${this.#line}: a field of ${field.length} characters; ${MAX_FIELD} are the most`,
      { code: 'too_large' },
    );
  }

  #besideQuotes(): UserError {
    return new UserError(
      `${this.source}, line ${this.#line}: there is text beside a quoted field; put the whole field in quotes, and write each quote in it twice`,
      { code: 'invalid_data' },
    );
  }

  #lineBreak(): void {
    if (this.#at >= this.text.length) return;
    this.#at += this.text.startsWith('\r\n', this.#at) ? 2 : 1;
    this.#line += 1;
  }
}

/** Line breaks of all three kinds. */
function breaksIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\r' || (text[at] === '\n' && text[at - 1] !== '\r')) count += 1;
  }
  return count;
}
