/** @module The file of `judge --output`: one row a judgement, appended as it is made, gone on with after an end. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { extname } from 'node:path';
import { writeAtomically } from '../checkpoint/files.js';
import { parseCsv } from '../curation/csv.js';
import type { Label, Verdict } from '../guard/verdict.js';
import { messageOf, UserError } from '../util/errors.js';
import { oneLine, safeJson } from './printable.js';

/** What decides a verdict besides picture and policy. */
export type Settings = Readonly<Record<string, string | number | boolean | null>>;

/** A judgement that a row is of. */
export interface Task {
  readonly name: string;
  /** Paths, URLs or `-`. */
  readonly images: readonly string[];
  readonly file: string;
  readonly policyId: string;
}

/** What a row says, timings left out: a run that was interrupted and gone on with writes the same file as one that was not. */
export interface Row {
  readonly image: string;
  readonly policyFile: string;
  readonly policyId: string;
  readonly sha256: readonly (string | null)[];
  readonly settings: Settings;
  /** The verdict's label; null where there is none. */
  readonly label: Label | null;
  /** The line as it stands in the file. */
  readonly line: string;
}

type Failure = { readonly message: string; readonly code: string; readonly kind: string };
export type Result = { readonly verdict: Verdict } | { readonly failure: Failure };

const COLUMNS = [
  'image',
  'policy_file',
  'policy_id',
  'label',
  'probability',
  'category',
  'rule',
  'rule_text',
  'rule_quoted_exactly',
  'problem',
  'reasoning',
  'error',
  'error_code',
  'sha256',
  'settings',
] as const;
type Column = (typeof COLUMNS)[number];

/** How rows stand in a file. */
interface Format {
  readonly head: string;
  line(task: Task, sha256: readonly (string | null)[], settings: Settings, result: Result): string;
  read(text: string): (Omit<Row, 'line'> | null)[];
}

const JSONL: Format = {
  head: '',
  line: ({ name, file, policyId }, sha256, settings, result) => {
    const common = { image: name, policyFile: file, policyId, sha256 };
    if ('failure' in result) {
      const { message, code, kind } = result.failure;
      return safeJson({ ...common, error: message, code, kind, settings });
    }
    const { timings: _, ...verdict } = result.verdict;
    return safeJson({ ...common, ...verdict, settings });
  },
  read: (text) => text.split('\n').map((line) => rowOf(parsedJson(line))),
};

const CSV: Format = {
  head: COLUMNS.join(','),
  line: ({ name, file, policyId }, sha256, settings, result) => {
    const common = { image: name, policy_file: file, policy_id: policyId };
    const tail = { sha256: sha256.map((hash) => hash ?? '').join(' '), settings: safeJson(settings) };
    const cells: Partial<Record<Column, string>> =
      'failure' in result
        ? { error: result.failure.message, error_code: result.failure.code }
        : verdictCells(result.verdict);
    const row = { ...common, ...cells, ...tail };
    return COLUMNS.map((column) => cell(row[column as keyof typeof row] ?? '')).join(',');
  },
  read: (text) => {
    const [, ...records] = parseCsv(text, 'the results');
    return records.map(({ fields }) => {
      const record = Object.fromEntries(COLUMNS.map((column, i) => [column, fields[i] ?? ''])) as Record<
        Column,
        string
      >;
      return rowOf({
        image: uncell(record.image),
        policyFile: uncell(record.policy_file),
        policyId: record.policy_id,
        sha256: record.sha256.split(' ').map((hash) => (hash === '' ? null : hash)),
        settings: parsedJson(record.settings),
        label: record.label,
      });
    });
  },
};

function verdictCells({
  label,
  probability,
  category,
  violatedRule: rule,
  problem,
  reasoning,
}: Verdict): Partial<Record<Column, string>> {
  return {
    label,
    probability: probability === null ? '' : String(probability),
    category: category ?? '',
    rule: rule === null ? '' : String(rule.number),
    rule_text: rule?.text ?? '',
    rule_quoted_exactly: rule === null ? '' : String(rule.quotedExactly),
    problem: problem?.message ?? '',
    reasoning,
  };
}

/** Spreadsheets run what begins so. */
const FORMULA = /^[=+\-@'\t\r]/u;
const NUMBER = /^[\d.eE+-]+$/u;

/** One line, quoted where it must be, and nothing that a spreadsheet would run. */
function cell(text: string): string {
  const line = oneLine(text);
  const tame = FORMULA.test(line) && !NUMBER.test(line) ? `'${line}` : line;
  return /[",\r\n]/u.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
}
const uncell = (text: string): string =>
  FORMULA.test(text.slice(1)) && text.startsWith("'") ? text.slice(1) : text;

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function rowOf(value: unknown): Omit<Row, 'line'> | null {
  if (typeof value !== 'object' || value === null) return null;
  const { image, policyFile, policyId, sha256, settings, label } = value as Record<string, unknown>;
  if (typeof image !== 'string' || typeof policyFile !== 'string' || typeof policyId !== 'string')
    return null;
  if (!Array.isArray(sha256) || typeof settings !== 'object' || settings === null) return null;
  return {
    image,
    policyFile,
    policyId,
    sha256: sha256.map((hash: unknown) => (typeof hash === 'string' ? hash : null)),
    settings: settings as Settings,
    label: label === 'safe' || label === 'unsafe' || label === 'invalid' ? label : null,
  };
}

/** Two names that a CSV file cannot tell apart are one. */
const keyOf = (image: string, policyFile: string): string => `${oneLine(image)}\n${oneLine(policyFile)}`;

/** Rows of one run and those before it. */
export class ResultsFile {
  readonly #format: Format;
  readonly #fd: number;
  /** Of each judgement the rows that stand in the file and are not yet matched with a task. */
  readonly #rows = new Map<string, Row[]>();
  /** Lines as they shall stand at the end, by the place of their task. */
  readonly #lines = new Map<number, string>();
  /** Places in the order of the file, where that is known to be whole. */
  readonly #order: number[] = [];
  #stale = false;

  private constructor(
    readonly path: string,
    private readonly settings: Settings,
  ) {
    const format = { '.jsonl': JSONL, '.csv': CSV }[extname(path).toLowerCase()];
    if (format === undefined) {
      throw new UserError(`${path} is no results file; give --output a name that ends with .jsonl or .csv`, {
        code: 'invalid_option',
      });
    }
    this.#format = format;
    try {
      this.#fd = openSync(path, 'a+');
    } catch (error) {
      throw this.#storage(error);
    }
  }

  /** Opens a file to go on with, or a new one. @throws UserError where it is no such file, or of other settings. */
  static open(
    path: string,
    settings: Settings,
    policies: readonly { file: string; id: string }[],
  ): ResultsFile {
    const file = new ResultsFile(path, settings);
    file.#load(policies);
    return file;
  }

  #load(policies: readonly { file: string; id: string }[]): void {
    if (!fstatSync(this.#fd).isFile()) {
      throw new UserError(`${this.path} is no regular file; give --output a file`, { code: 'storage' });
    }
    const text = readFileSync(this.path, 'utf8');
    // A row that an end cut off is no row.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const { head } = this.#format;
    if (head !== '' && whole !== '' && !whole.startsWith(`${head}\n`)) throw this.#foreign(1);
    if (whole !== text) ftruncateSync(this.#fd, Buffer.byteLength(whole));
    if (whole === '') {
      if (head !== '') this.#append(head);
      return;
    }
    const lines = whole.slice(0, -1).split('\n');
    const rows = this.#format.read(whole.slice(0, -1));
    const first = lines.length - rows.length;
    rows.forEach((row, i) => {
      if (row === null) throw this.#foreign(first + i + 1);
      this.#checkSettings(row, policies);
      const key = keyOf(row.image, row.policyFile);
      this.#rows.set(key, [...(this.#rows.get(key) ?? []), { ...row, line: lines[first + i] }]);
    });
  }

  #checkSettings(
    { settings, policyFile, policyId }: Omit<Row, 'line'>,
    policies: readonly { file: string; id: string }[],
  ): void {
    const names = new Set([...Object.keys(settings), ...Object.keys(this.settings)]);
    const other = [...names].find((name) => settings[name] !== this.settings[name]);
    if (other !== undefined) {
      const [was, is] = [settings[other], this.settings[other]].map(
        (value) => JSON.stringify(value) ?? 'not set',
      );
      throw new UserError(
        `${this.path} was judged with another ${other} (${was}, now ${is}); judge as before, or give --output another file`,
        { code: 'invalid_option' },
      );
    }
    const policy = policies.find(({ file }) => oneLine(file) === oneLine(policyFile));
    if (policy !== undefined && policy.id !== policyId) {
      throw new UserError(
        `the policy ${policyFile} has changed since ${this.path} was written (${policyId}, now ${policy.id}); give --output another file`,
        { code: 'invalid_option' },
      );
    }
  }

  /** The row of a judgement that stands in the file already, of the same picture: it is not made again. */
  async known(task: Task, place: number): Promise<Row | null> {
    const rows = this.#rows.get(keyOf(task.name, task.file));
    const row = rows?.shift();
    if (row === undefined) return null;
    const hashes = await Promise.all(task.images.map(hashOf));
    // What is at an address cannot be told without fetching it.
    const same = hashes.every((hash, i) => hash === 'unknown' || hash === row.sha256[i]);
    if (!same || task.images.includes('-')) {
      this.#stale = true;
      return null;
    }
    this.#lines.set(place, row.line);
    this.#order.push(place);
    return row;
  }

  /** Whether the row of that place is there. */
  stands(place: number): boolean {
    return this.#lines.has(place);
  }

  /** Appends a judgement's row at once. */
  async add(task: Task, place: number, result: Result): Promise<void> {
    const sha256 =
      'verdict' in result
        ? result.verdict.images.map((image) => image.sha256)
        : (await Promise.all(task.images.map(hashOf))).map((hash) => (hash === 'unknown' ? null : hash));
    const line = this.#format.line(task, sha256, this.settings, result);
    this.#append(line);
    this.#lines.set(place, line);
    this.#order.push(place);
  }

  /** Closes the file. Where a whole run's rows do not stand in its order, or some are of pictures that have changed, it is written anew. */
  finish(whole: boolean): void {
    closeSync(this.#fd);
    const sorted = this.#order.every((place, i) => i === 0 || place > this.#order[i - 1]);
    if (!whole || (sorted && !this.#stale)) return;
    const own = [...this.#lines].sort(([a], [b]) => a - b).map(([, line]) => line);
    const others = [...this.#rows.values()].flat().map(({ line }) => line);
    const { head } = this.#format;
    const lines = [...(head === '' ? [] : [head]), ...own, ...others];
    writeAtomically(
      this.path,
      lines.map((line) => Buffer.from(`${line}\n`)),
    );
  }

  #append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      throw this.#storage(error);
    }
  }

  #storage(error: unknown): UserError {
    return new UserError(
      `cannot write ${this.path}: ${messageOf(error)}; make room, or give --output another file`,
      {
        code: 'storage',
      },
    );
  }

  #foreign(line: number): UserError {
    return new UserError(
      `${this.path}, line ${line}, was not written by safeguard judge --output; give another file`,
      { code: 'invalid_data' },
    );
  }
}

/** SHA-256 of a file, null where it cannot be read, `unknown` of what is no file. */
async function hashOf(image: string): Promise<string | null> {
  if (image === '-' || /^(?:https?|data|file):/iu.test(image)) return 'unknown';
  try {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(image)) hash.update(chunk as Buffer);
    return hash.digest('hex');
  } catch {
    return null;
  }
}
