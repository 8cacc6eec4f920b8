import { parseDocument } from 'yaml';
import { messageOf, UserError } from '../util/errors.js';
import { splitSentences } from './sentences.js';

/** What a Markdown policy holds besides its rules. */
export interface FrontMatter {
  /** Keys of the YAML block, `title` included. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The text below it. */
  readonly body: string;
}

/** The page as its blocks: the first heading, and paragraphs, list items and table rows in order. */
export interface Page {
  readonly heading: string | null;
  readonly paragraphs: readonly string[];
}

const LIST_MARKER =
  /^\s*(?:[-*+•–]|\d{1,3}[.)]|\(\d{1,3}\)|\[\d{1,3}\]|\(?[a-z]\)|\([ivx]+\))\s+(?:\[[ xX]\]\s+)?/u;
const BREAK = /^\s*(?:-\s*){3,}$|^\s*(?:\*\s*){3,}$|^\s*(?:_\s*){3,}$/u;
const SETEXT = /^\s*(?:=+|-{2,})\s*$/u;
const FENCE = /^\s*(?:```|~~~)/u;
const TABLE_RULE = /^\s*\|?\s*:?-{3,}:?\s*(?:\|\s*:?-{3,}:?\s*)*\|?\s*$/u;

/** Splits the YAML block between two `---` lines off the top. A block that is not closed or not a mapping is a {@link UserError}. */
export function splitFrontMatter(text: string, name: string): FrontMatter {
  const lines = text.split('\n');
  if (lines[0] !== '---') return { metadata: {}, body: text };
  const close = lines.findIndex((line, index) => index > 0 && (line === '---' || line === '...'));
  if (close < 0) {
    throw new UserError(
      `${name}: the front matter that --- opens on line 1 is never closed; add a line --- after it, or remove line 1`,
    );
  }
  const document = parseDocument(lines.slice(1, close).join('\n'), { logLevel: 'error' });
  const [error] = document.errors;
  if (error) {
    throw new UserError(
      `${name}: the front matter is not valid YAML (${firstLine(error.message)}); correct or remove it`,
    );
  }
  return { metadata: asMapping(toPlain(document, name), name), body: lines.slice(close + 1).join('\n') };
}

function toPlain(document: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw new UserError(
      `${name}: the front matter cannot be read (${firstLine(messageOf(error))}); correct or remove it`,
    );
  }
}

function asMapping(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new UserError(
      `${name}: the front matter must be "key: value" lines, such as "title: School newsletter"`,
    );
  }
  return Object.fromEntries(Object.entries(value));
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.replace(/:$/u, '') ?? '';
}

/** What a reader of the rendered page does not see is not part of the policy. */
export function stripComments(text: string): string {
  return text.replace(/<!--[\s\S]*?-->/gu, '');
}

/** Reads a page into blocks. `headings: false` takes every line as text, for pages that are not Markdown. */
export function readPage(text: string, { headings }: { readonly headings: boolean }): Page {
  const paragraphs: string[] = [];
  let heading: string | null = null;
  let open: string[] = [];
  let inList = false;
  const close = (): void => {
    if (open.length > 0) paragraphs.push(open.join(' '));
    open = [];
  };
  const foundHeading = (words: string): void => {
    heading ??= stripInline(words);
    inList = false;
  };
  for (const raw of text.split('\n')) {
    const line = raw.replace(/^\s{0,3}(?:>\s?)+/u, '');
    const atx = /^\s{0,3}#{1,6}\s+(.*?)\s*#*$/u.exec(line);
    const marker = LIST_MARKER.exec(line)?.[0];
    if (line.trim() === '') close();
    else if (headings && atx) {
      close();
      foundHeading(atx[1] ?? '');
    } else if (
      headings &&
      SETEXT.test(line) &&
      open.length === 1 &&
      !inList &&
      !/[.!?;,]$/u.test(open[0] ?? '')
    ) {
      foundHeading(open[0] ?? '');
      open = [];
    } else if (BREAK.test(line) || SETEXT.test(line) || FENCE.test(line) || TABLE_RULE.test(line)) close();
    else if (/^\s*\|.*\|\s*$/u.test(line)) {
      close();
      paragraphs.push(
        line
          .trim()
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim())
          .join(' | '),
      );
    } else if (marker !== undefined && mayStartItem(marker, { inList, inParagraph: open.length > 0 })) {
      close();
      inList = true;
      open = [line.slice(marker.length).trim()];
    } else {
      if (open.length === 0 && !/^\s/u.test(line)) inList = false;
      open.push(line.trim());
    }
  }
  close();
  return { heading, paragraphs };
}

/** A number other than 1 that a line of prose happens to start with is not a list (CommonMark's rule). */
function mayStartItem(
  marker: string,
  at: { readonly inList: boolean; readonly inParagraph: boolean },
): boolean {
  const number = /^\s*\(?(\d+)/u.exec(marker)?.[1];
  return number === undefined || Number(number) === 1 || at.inList || !at.inParagraph;
}

/** The statements of a page: each sentence of each block, without Markdown's marks. */
export function statementsOf(page: Page, { markdown }: { readonly markdown: boolean }): string[] {
  return page.paragraphs
    .flatMap((paragraph) => splitSentences(markdown ? stripInline(paragraph) : paragraph))
    .filter((statement) => /[\p{L}\p{N}\p{So}]/u.test(statement));
}

/** Inline Markdown as the words it shows: emphasis, code, links. */
const INLINE: readonly (readonly [RegExp, string])[] = [
  [/!?\[([^\]]+)\]\([^()\s]*\)/gu, '$1'],
  [/(\*\*|__)(?=\S)(.+?)(?<=\S)\1/gu, '$2'],
  [/(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?![\w*])/gu, '$1'],
  [/(?<![\w_])_(?=[^\s_])([^_]+?)(?<=\S)_(?![\w_])/gu, '$1'],
  [/`([^`]+)`/gu, '$1'],
  [/\\([\\`*_{}[\]()#+\-.!|>~])/gu, '$1'],
];

function stripInline(text: string): string {
  return INLINE.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}
