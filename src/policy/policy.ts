import { open, type FileHandle } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UserError } from '../util/errors.js';
import { sha256 } from '../util/hash.js';
import { decodeText } from '../util/text.js';
import { splitFrontMatter } from './front-matter.js';
import { stripHidden } from './hidden.js';
import { readPage } from './page.js';
import { normalize, withBreaks } from './normal-form.js';
import { refuseWrongInline, seemsSentence } from './inline-policy.js';

/** The largest policy that is read, in bytes of UTF-8: some 16,000 tokens, twenty times the longest in the benchmarks. */
export const MAX_POLICY_BYTES = 64_000;

/** Hexadecimal digits of the content hash that name a policy. */
const ID_DIGITS = 16;

export interface PolicyOptions {
  /** The title where the text gives none. */
  readonly name?: string;
  /** How errors call the policy, such as its path; `name` if absent. */
  readonly source?: string;
}

/** Which policy a verdict was made under. */
export interface PolicyIdentity {
  readonly id: string;
  readonly title: string;
}

/** A content policy in plain language: what the model reads, and its statements one by one. */
export class Policy {
  private constructor(
    /** The page that the model reads: NFC, `\n` line ends, no trailing space, no front matter. */
    readonly text: string,
    readonly title: string,
    /** The first 16 hexadecimal digits of the SHA-256 of {@link text}. */
    readonly id: string,
    /** Each sentence and list item on one line, in order; number = index + 1. Headings are none. */
    readonly statements: readonly string[],
    /** The front matter's keys, `title` included; empty where there is none. */
    readonly metadata: Readonly<Record<string, unknown>>,
  ) {}

  /** `[1] …` lines, one a statement: the number just before each sentence is what a model cites. */
  get numbered(): string {
    return this.statements.map((statement, index) => `[${index + 1}] ${statement}`).join('\n');
  }

  get identity(): PolicyIdentity {
    return { id: this.id, title: this.title };
  }

  /**
   * A Markdown page, with optional YAML front matter. Its title is the front matter's, else the first heading, else `name`.
   * Empty pages, pages over {@link MAX_POLICY_BYTES} and broken front matter are refused with a `UserError`.
   */
  static fromMarkdown(markdown: string, { name, source }: PolicyOptions = {}): Policy {
    const shown = source ?? name ?? 'the policy';
    const { metadata, body } = splitFrontMatter(normalize(checked(markdown, shown), { breaks: true }), shown);
    const broken = normalize(stripHidden(body), { breaks: true });
    const { heading, statements, breaks } = readPage(broken, { markdown: true });
    const title = titleOf(metadata, shown) ?? heading ?? name ?? 'untitled policy';
    return Policy.#of(withBreaks(broken, breaks), { title, shown, statements, metadata });
  }

  /** A page that is not Markdown: every line counts, `#` and `*` are letters like others; lists are still lists. */
  static fromText(plain: string, { name, source }: PolicyOptions = {}): Policy {
    const shown = source ?? name ?? 'the policy';
    const text = normalize(checked(plain, shown));
    const { statements } = readPage(text, { markdown: false });
    return Policy.#of(text, { title: name ?? 'untitled policy', shown, statements, metadata: {} });
  }

  /**
   * A policy that somebody wrote where a policy is wanted: the rules themselves, as Markdown.
   * @throws UserError for what is no rule but the path or the name of a file, an address, or a single word; it says what to do.
   *
   * @example
   * Policy.from('No weapons. Alcohol is allowed.');
   */
  static from(rules: string, options: PolicyOptions = {}): Policy {
    refuseWrongInline(rules, options.source ?? options.name ?? 'the policy');
    return Policy.fromMarkdown(rules, options);
  }

  /**
   * Reads bytes that come from elsewhere than a file, such as standard input, as UTF-8 Markdown.
   * No more than {@link MAX_POLICY_BYTES} are taken. @throws UserError as {@link Policy.load} does.
   */
  static async fromStream(stream: AsyncIterable<Uint8Array>, options: PolicyOptions = {}): Promise<Policy> {
    const shown = options.source ?? options.name ?? 'the policy';
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > MAX_POLICY_BYTES) throw tooLarge(shown, `more than ${MAX_POLICY_BYTES / 1000} kB`);
      chunks.push(chunk);
    }
    return Policy.fromMarkdown(decodeText(Buffer.concat(chunks), shown, POLICY_REMEDY), options);
  }

  /**
   * Reads a UTF-8 file, by its path or its `file:` address: `.txt` as plain text, anything else as Markdown. Every failure is
   * a `UserError` that names the file.
   *
   * @example await Policy.load(new URL(import.meta.resolve('safeguard-vl/policies/museum-shop.md')))
   */
  static async load(pathOrURL: string | URL): Promise<Policy> {
    const path = typeof pathOrURL === 'string' ? pathOrURL : pathOf(pathOrURL);
    const bytes = await readBounded(path);
    const text = decodeText(bytes, path, POLICY_REMEDY);
    const extension = extname(path);
    const options = { name: basename(path, extension), source: path };
    return extension.toLowerCase() === '.txt'
      ? Policy.fromText(text, options)
      : Policy.fromMarkdown(text, options);
  }

  static #of(
    text: string,
    {
      title,
      shown,
      statements,
      metadata,
    }: {
      readonly title: string;
      readonly shown: string;
      readonly statements: readonly string[];
      readonly metadata: Readonly<Record<string, unknown>>;
    },
  ): Policy {
    if (statements.length === 0) {
      const what = text === '' ? 'is empty' : 'has no statement, only headings or marks';
      throw new UserError(`${shown} ${what}; write at least one sentence, such as "No weapons."`, {
        code: 'invalid_policy',
      });
    }
    return new Policy(text, title, sha256(text).slice(0, ID_DIGITS), statements, metadata);
  }
}

function pathOf(url: URL): string {
  if (url.protocol === 'file:') return fileURLToPath(url);
  throw new UserError(`policies are not fetched from ${url.protocol} addresses; give a file`, {
    code: 'unsupported',
  });
}

function checked(text: string, shown: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_POLICY_BYTES) throw tooLarge(shown, `${(bytes / 1000).toFixed(1)} kB`);
  if (/(?!\s|\u0085)\p{Cc}/u.test(text)) {
    throw new UserError(
      `${shown} holds control characters, so it is no text; give a policy written as UTF-8 text`,
      { code: 'invalid_policy' },
    );
  }
  const lines = linesIn(text);
  if (lines > MAX_LINES) {
    throw new UserError(
      `${shown} has ${lines} lines, and a policy may have ${MAX_LINES}; shorten it or split it into several policies`,
      { code: 'too_many' },
    );
  }
  const stops = text.match(/[.!?…]+/gu)?.length ?? 0;
  if (stops > MAX_STOPS) {
    throw new UserError(
      `${shown} has ${stops} marks that may end a sentence, and a policy may have ${MAX_STOPS}; shorten it or split it into several policies`,
      { code: 'too_many' },
    );
  }
  if (/\p{M}{31}/u.test(text)) {
    throw new UserError(`${shown} holds more than ${MAX_MARKS} accents on one letter; remove them`, {
      code: 'invalid_policy',
    });
  }
  return text;
}

/** Within 64 kB such lines have twenty letters each: a list of words, which is no policy, and which takes longest to part. */
const MAX_LINES = 3000;

/** Within 64 kB such sentences have ten letters each. */
const MAX_STOPS = 6000;

/** Lines with something on them. */
const linesIn = (text: string): number => text.split('\n').filter((line) => line.trim() !== '').length;

/** Unicode's limit for text that is read as a stream (UAX #15); putting more in order takes quadratic time. */
const MAX_MARKS = 30;

function tooLarge(shown: string, size: string): UserError {
  return new UserError(
    `${shown} is ${size}, over the limit of ${MAX_POLICY_BYTES / 1000} kB for a policy; shorten it or split it into several policies`,
    { code: 'too_large' },
  );
}

function titleOf(metadata: Readonly<Record<string, unknown>>, shown: string): string | undefined {
  const title = metadata['title'];
  if (title === undefined || title === null) return undefined;
  if (typeof title !== 'string' && typeof title !== 'number') {
    throw new UserError(
      `${shown}: the title in the front matter must be text, such as "title: School newsletter"`,
      { code: 'invalid_policy' },
    );
  }
  return String(title).replace(/\s+/gu, ' ').trim() || undefined;
}

/** At most one byte over the limit is read, so that a huge file or an endless device is refused at once. */
async function readBounded(path: string): Promise<Uint8Array> {
  const buffer = new Uint8Array(MAX_POLICY_BYTES + 1);
  let length = 0;
  let size = 0;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    size = (await file.stat()).size;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
  } catch (error) {
    throw cannotRead(path, error);
  } finally {
    await file?.close();
  }
  if (length > MAX_POLICY_BYTES) {
    throw tooLarge(
      path,
      size > length ? `${(size / 1000).toFixed(1)} kB` : `more than ${MAX_POLICY_BYTES / 1000} kB`,
    );
  }
  return buffer.subarray(0, length);
}

/** What the system's error codes mean for who gave the path. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder; give a text or Markdown file',
  EACCES: 'permission denied; make it readable',
  ENOTDIR: 'a part of the path is not a folder',
  ENAMETOOLONG: 'there is no such file',
};

function cannotRead(path: string, error: unknown): UserError {
  const system = error instanceof Error && 'code' in error ? String(error.code) : '';
  const missing = system === 'ENOENT' || system === 'ENAMETOOLONG';
  // "No weapons." where a path is wanted is what people try first.
  const shown = path.length > MAX_SHOWN_PATH ? `${path.slice(0, MAX_SHOWN_PATH)}…` : path;
  const remedy = missing && seemsSentence(path) ? `; ${INLINE_REMEDY}` : '';
  return new UserError(`cannot read the policy ${shown}: ${REASONS[system] ?? messageOf(error)}${remedy}`, {
    code: missing ? 'not_found' : 'invalid_policy',
    cause: error,
  });
}

/** Characters of a path in a message; what is longer is a policy that was given as a path. */
const MAX_SHOWN_PATH = 300;

const INLINE_REMEDY =
  'these look like the rules themselves, so give them as text (in a program Policy.from(text), on the command line --policy-text)';

/** What people can do about a file in another encoding. */
const POLICY_REMEDY = 'give a policy as a text or Markdown file saved as UTF-8';
