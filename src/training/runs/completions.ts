/** @module Completions of a run, read line by line: their file may be larger than memory. */
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { UserError } from '../../util/errors.js';
import { type CompletionRecord, completionRecord } from '../grpo/records.js';

// Fields of a later version are passed over.
const record = z.object(completionRecord.shape);

/** The completions of one prompt at one step. */
export interface CompletionGroup {
  readonly step: number;
  readonly promptIndex: number;
  /** In the order of their places; at least one. */
  readonly completions: readonly CompletionRecord[];
}

/** Records of a file in the order in which they were written; none where there is no such file. */
export async function* completionsOf(folder: string, file: string): AsyncGenerator<CompletionRecord> {
  const path = join(folder, file);
  if (!existsSync(path)) return;
  const stream = createReadStream(path, 'utf8');
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  // A line is believed when the next one has come: a kill may leave half of the last one.
  let waiting: string | null = null;
  try {
    for await (const line of lines) {
      if (waiting !== null) yield parse(waiting, path, ++number);
      waiting = line;
    }
  } finally {
    stream.destroy();
  }
  if (waiting !== null && isJson(waiting)) yield parse(waiting, path, ++number);
}

/** The same, a prompt at a time. */
export async function* groupsOf(folder: string, file: string): AsyncGenerator<CompletionGroup> {
  let open: CompletionRecord[] = [];
  for await (const one of completionsOf(folder, file)) {
    const [first] = open;
    if (first !== undefined && (first.step !== one.step || first.prompt_index !== one.prompt_index)) {
      yield grouped(open);
      open = [];
    }
    open.push(one);
  }
  if (open.length > 0) yield grouped(open);
}

const grouped = (completions: readonly CompletionRecord[]): CompletionGroup => ({
  step: completions[0].step,
  promptIndex: completions[0].prompt_index,
  completions,
});

function parse(line: string, path: string, number: number): CompletionRecord {
  const parsed = record.safeParse(isJson(line) ? JSON.parse(line) : line);
  if (parsed.success) return parsed.data;
  const [{ path: place, message }] = parsed.error.issues;
  throw new UserError(
    `${path}, line ${number}, is no completion (${place.join('.') || 'the line'}: ${message}): remove the line, or read the run with the version that trained it.`,
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
