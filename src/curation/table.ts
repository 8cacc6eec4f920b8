/** @module Tables as data sets come in: CSV, JSON, JSONL or parquet, told by the name of the file. */
import { extname } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';
import { parseCsv } from './csv.js';
import { readText } from '../util/json-lines.js';
import { isRow, type JsonRow, readJsonRows } from './json-rows.js';
import { readParquet } from './parquet.js';

export interface TableRow {
  /** Where the row stands, for messages: `line 7` or `row 3`. */
  readonly place: string;
  readonly values: JsonRow;
}

export interface Table {
  readonly file: string;
  readonly columns: readonly string[];
  readonly rows: readonly TableRow[];
}

const READERS: Readonly<Record<string, (file: string) => Promise<Table> | Table>> = {
  '.csv': readCsv,
  '.json': readJson,
  '.jsonl': readJsonl,
  '.parquet': readParquetTable,
};

/** Reads a table whole. @throws UserError for another kind of file, and for one that is broken, with the place. */
export async function readTable(file: string): Promise<Table> {
  const reader = READERS[extname(file).toLowerCase()];
  if (reader === undefined) {
    throw new UserError(
      `${file} is no table that is known by its name; give one of ${Object.keys(READERS).join(', ')}`,
    );
  }
  const table = await reader(file);
  if (table.rows.length === 0) throw new UserError(`${file} has no rows; give a whole copy of the table`);
  return table;
}

function readCsv(file: string): Table {
  const [header, ...records] = parseCsv(readText(file), file);
  const columns = header?.fields ?? [];
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UserError(`${file} has two columns called "${twice}"; rename one of them`);
  const rows = records.map(({ line, fields }) => ({
    place: `line ${line}`,
    values: Object.fromEntries(columns.map((name, i) => [name, fields[i]])),
  }));
  return { file, columns, rows };
}

function readJsonl(file: string): Table {
  return tableOf(
    file,
    readJsonRows(file).map(({ line, row }) => ({ place: `line ${line}`, values: row })),
  );
}

function readJson(file: string): Table {
  let json: unknown;
  try {
    json = JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file} is not valid JSON: ${messageOf(error)}; get a whole copy`);
  }
  if (!Array.isArray(json)) throw new UserError(`${file} must hold a list of objects, one a row`);
  const rows = json.map((values: unknown, i) => {
    if (isRow(values)) return { place: `row ${i + 1}`, values };
    throw new UserError(`${file}, row ${i + 1} is no object; every row must be one`);
  });
  return tableOf(file, rows);
}

const tableOf = (file: string, rows: readonly TableRow[]): Table => ({
  file,
  columns: [...new Set(rows.flatMap(({ values }) => Object.keys(values)))],
  rows,
});

async function readParquetTable(file: string): Promise<Table> {
  const { columns, rows } = await readParquet(file);
  return { file, columns, rows: rows.map((values, i) => ({ place: `row ${i + 1}`, values })) };
}
