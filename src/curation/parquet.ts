/**
 * @module Parquet files of strangers. What is compressed says how large it becomes, and may lie; counts of values are as free.
 * Pages are held to a size before and while they are decompressed, and all of it happens in a thread that a limit of
 * memory or time ends.
 */
import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { UserError } from '../util/errors.js';

export interface ParquetTable {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export interface ParquetLimits {
  /** Bytes that a page may become. Writers' default is 1 MiB; one picture may be a page. */
  readonly pageBytes: number;
  /** Bytes that all pages together may become: the rows are held in memory. */
  readonly tableBytes: number;
  /** Bytes that all cells together may become: a dictionary gives one long text to many rows, and each row is copied. */
  readonly cellBytes: number;
  /** Bytes of the description at the file's end. */
  readonly metadataBytes: number;
  readonly rows: number;
  /** The thread's heap, in MiB. */
  readonly heapMiB: number;
  readonly milliseconds: number;
}

const MIB = 2 ** 20;
const LIMITS: ParquetLimits = {
  pageBytes: 64 * MIB,
  tableBytes: 1024 * MIB,
  cellBytes: 1024 * MIB,
  metadataBytes: 16 * MIB,
  rows: 1_000_000,
  heapMiB: 2048,
  milliseconds: 60_000,
};

type Answer =
  | ({ readonly kind: 'table' } & ParquetTable)
  | { readonly kind: 'limit' | 'broken'; readonly message: string };

/**
 * The thread's program, in words of its own so that it runs wherever this module does, compiled or not. `file`, `limits` and
 * the address of hyparquet are its data.
 */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const { brotliDecompressSync, gunzipSync } = require('node:zlib');
const { file, limits, library } = workerData;
class Limit extends Error {}
const MAGIC = 0x31524150; // PAR1
let total = 0;
const allowed = (length) => {
  if (!(length <= limits.pageBytes)) throw new Limit('a page would become ' + length + ' bytes, and ' + limits.pageBytes + ' are the most');
  total += length;
  if (total > limits.tableBytes) throw new Limit('its pages become more than ' + limits.tableBytes + ' bytes');
  return { maxOutputLength: Math.max(1, length) };
};
const UNIT = 2; // bytes of a UTF-16 unit
const seen = new Set(); // what is shared is copied once, texts excepted
let cells = 0;
const count = (value) => {
  if (typeof value === 'string') cells += UNIT * value.length;
  else if (typeof value === 'object' && value !== null && !seen.has(value)) {
    seen.add(value);
    if (ArrayBuffer.isView(value)) cells += value.byteLength;
    else for (const part of Object.values(value)) count(part);
  }
  if (cells > limits.cellBytes) throw new Limit('its cells become more than ' + limits.cellBytes + ' bytes');
};
(async () => {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema, snappyUncompress } = await import(library);
  const compressors = {
    GZIP: (bytes, length) => gunzipSync(bytes, allowed(length)),
    BROTLI: (bytes, length) => brotliDecompressSync(bytes, allowed(length)),
    SNAPPY: (bytes, length) => {
      const output = new Uint8Array(allowed(length) && length);
      snappyUncompress(bytes, output);
      return output;
    },
  };
  const buffer = await asyncBufferFromFile(file);
  const tail = new DataView(await buffer.slice(Math.max(0, buffer.byteLength - 8)));
  if (tail.byteLength === 8 && tail.getUint32(4, true) === MAGIC && tail.getUint32(0, true) > limits.metadataBytes) throw new Limit('its description has more than ' + limits.metadataBytes + ' bytes');
  const metadata = await parquetMetadataAsync(buffer);
  if (Number(metadata.num_rows) > limits.rows) throw new Limit('it has more than ' + limits.rows + ' rows');
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  const rows = await parquetReadObjects({ file: buffer, metadata, compressors });
  for (const row of rows) for (const name of columns) count(row[name]);
  parentPort.postMessage({ kind: 'table', columns, rows });
})().catch((error) => {
  const isLimit = error instanceof Limit || error?.code === 'ERR_BUFFER_TOO_LARGE';
  parentPort.postMessage({ kind: isLimit ? 'limit' : 'broken', message: String(error?.message ?? error) });
});
`;

/** Reads a table whole. @throws UserError for one that is broken, and for one that becomes more than it may. */
export async function readParquet(file: string, limits: Partial<ParquetLimits> = {}): Promise<ParquetTable> {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) {
    throw new UserError(`${file} is no regular file; give a parquet file`, { code: 'invalid_data' });
  }
  const held = { ...LIMITS, ...limits };
  const answer = await inThread(file, held);
  if (answer.kind === 'table') return answer;
  const { kind, message } = answer;
  if (kind === 'limit') {
    throw new UserError(
      `${file} is refused: ${message}; write it again with smaller row groups, or take it apart`,
      { code: 'too_large' },
    );
  }
  const remedy = /compression codec/u.test(message)
    ? 'write it again with snappy or gzip'
    : 'get a whole copy';
  throw new UserError(`${file} is no parquet file that can be read (${message}); ${remedy}`, {
    code: 'invalid_data',
  });
}

async function inThread(file: string, limits: ParquetLimits): Promise<Answer> {
  const { heapMiB, milliseconds } = limits;
  const worker = new Worker(PROGRAM, {
    eval: true,
    // Loaders of the caller's own, such as a test runner's, have nothing to do here.
    execArgv: process.execArgv.filter((argument) => argument.includes('.pnp.')),
    workerData: {
      file,
      limits,
      library: import.meta.resolve('hyparquet'),
    },
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const clock = setTimeout(
        () =>
          resolve({ kind: 'limit', message: `reading it takes more than ${milliseconds / 1000} seconds` }),
        milliseconds,
      );
      worker.on('message', (answer: Answer) => {
        clearTimeout(clock);
        resolve(answer);
      });
      worker.on('error', (error) => {
        clearTimeout(clock);
        const isMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
        if (isMemory) resolve({ kind: 'limit', message: `reading it takes more than ${heapMiB} MiB` });
        else reject(error);
      });
      worker.on('exit', () => {
        clearTimeout(clock);
        resolve({ kind: 'broken', message: 'its reader ended without a word' });
      });
    });
  } finally {
    await worker.terminate();
  }
}
