/** @module What a long run has done, one JSON line each: only ever appended to, so that a kill loses at most the line it cut. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type FileCalls, nodeFiles, writeFailure } from '../checkpoint/files.js';
import { messageOf, UserError } from '../util/errors.js';

/** What the run was begun with: going on with anything else would mix two data sets. */
export type JournalHeader = Readonly<Record<string, unknown>>;

const NEWLINE = 0x0a;

/** A journal that is open for more entries. Appending is synchronous: an entry is there whole, or not at all. */
export class Journal<Entry> {
  readonly #descriptor: number;
  #size: number;

  private constructor(
    readonly path: string,
    /** What earlier runs have left, in order. */
    readonly entries: readonly Entry[],
    size: number,
    private readonly files: Pick<FileCalls, 'write'>,
  ) {
    this.#size = size;
    try {
      this.#descriptor = openSync(path, 'a');
      ftruncateSync(this.#descriptor, size);
    } catch (error) {
      throw writeFailure(path, error);
    }
  }

  /**
   * Opens or begins a journal. A last line without its end was cut off by a kill and is dropped: what it told will be done
   * again. @throws UserError where it was begun with other settings, is damaged, or cannot be written.
   */
  static open<Entry>(
    path: string,
    header: JournalHeader,
    schema: z.ZodType<Entry>,
    files: Pick<FileCalls, 'write'> = nodeFiles,
  ): Journal<Entry> {
    const bytes = readBytes(path);
    const size = bytes.lastIndexOf(NEWLINE) + 1;
    const lines = bytes.toString('utf8', 0, size).split('\n').slice(0, -1);
    const [first, ...rest] = lines;
    if (first === undefined) {
      const journal = new Journal<Entry>(path, [], 0, files);
      journal.#write(header);
      return journal;
    }
    checkHeader(path, lineOf(path, first, 1, z.record(z.string(), z.unknown())), header);
    const entries = rest.map((line, i) => lineOf(path, line, i + 2, schema));
    return new Journal(path, entries, size, files);
  }

  /** @throws UserError where the disk refuses; the journal is as it was then. */
  append(entry: Entry): void {
    this.#write(entry);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(value: unknown): void {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += this.files.write(this.#descriptor, bytes, done, bytes.length - done);
      }
      this.#size += bytes.length;
    } catch (error) {
      // A full disk may take a part of the line; cutting it off needs no space.
      ftruncateSync(this.#descriptor, this.#size);
      throw writeFailure(this.path, error);
    }
  }
}

function readBytes(path: string): Buffer {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw new UserError(`cannot read ${path}: ${messageOf(error)}; give another folder`);
  }
}

function lineOf<Value>(path: string, line: string, number: number, schema: z.ZodType<Value>): Value {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    throw new UserError(
      `${path}, line ${number} is damaged; remove the line, and what it told will be done again`,
    );
  }
}

function checkHeader(path: string, found: JournalHeader, wanted: JournalHeader): void {
  const names = [...new Set([...Object.keys(found), ...Object.keys(wanted)])];
  // Both as JSON, which knows no undefined.
  const text = (value: unknown): string => JSON.stringify(value) ?? '';
  const other = names.filter((name) => text(found[name]) !== text(wanted[name]));
  if (other.length === 0) return;
  throw new UserError(
    `${path} was begun with another ${other.join(', ')}; give another folder, or the same settings to go on`,
  );
}
