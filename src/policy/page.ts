/** @module A page as its blocks: headings, paragraphs, list items and table rows. Each line is read once. */
import { htmlPieces } from './html.js';
import { stripInline } from './inline.js';
import { splitItems } from './items.js';
import { type Label, labelAt, Series } from './labels.js';
import { endsLikeSentence, splitSentences } from './sentences.js';

/** The page as its blocks: the first heading, and paragraphs, list items and table rows in order. */
export interface Page {
  readonly heading: string | null;
  readonly statements: readonly string[];
  /** Lines, from 0, whose two spaces at the end part what stands before them from what follows. */
  readonly breaks: ReadonlySet<number>;
}

export interface PageOptions {
  /** `false` takes every line as text: no headings, no marks of emphasis, no HTML. Lists are lists still. */
  readonly markdown: boolean;
}

interface Block {
  readonly label: Label | null;
  readonly text: string;
}

/** What a line without letters may be: drawn under a heading, between paragraphs, around code, below a table's head. */
type Rule = 'underline' | 'break' | 'fence' | 'table';

/** Reads a page into the statements that it makes, in order. */
export function readPage(text: string, { markdown }: PageOptions): Page {
  const reader = new BlockReader(text, markdown);
  const statements = reader.blocks
    .flatMap((block) => splitItems({ ...block, text: markdown ? stripInline(block.text) : block.text }))
    .flatMap(splitSentences)
    .filter((statement) => /[\p{L}\p{N}\p{So}]/u.test(statement));
  return { heading: reader.heading, statements, breaks: reader.breaks };
}

class BlockReader {
  readonly blocks: Block[] = [];
  readonly breaks = new Set<number>();
  heading: string | null = null;
  readonly #series: Series;
  /** The lines of the block that is open, and its label. */
  #open: { readonly text: string; readonly number: number; readonly broken: boolean }[] = [];
  #label: Label | null = null;
  #inList = false;

  constructor(
    text: string,
    readonly markdown: boolean,
  ) {
    const lines = text.split('\n').map(withoutQuoteMarks);
    const labels = lines.map((line) => labelAt(line, 0));
    this.#series = new Series(labels.filter((label) => label !== null));
    for (const [number, line] of lines.entries()) {
      const broken = markdown && (line.endsWith('  ') || line.endsWith('\\'));
      if (!markdown || !line.includes('<') || isTableRow(line))
        this.#line(line, number, broken, labels[number]);
      else this.#html(line, number, broken);
    }
    this.#close();
  }

  #html(line: string, number: number, broken: boolean): void {
    const pieces = htmlPieces(line);
    const last = pieces.length - 1;
    for (const [i, { text, tag }] of pieces.entries()) {
      if (tag !== null) this.#close();
      if (tag === 'li') this.#inList = true;
      if (tag === 'heading') this.#foundHeading(text);
      // A line of tags alone is no empty line: it closes what its tags close.
      else if (text.trim() !== '' || last === 0) this.#line(text, number, broken && i === last);
    }
  }

  #line(line: string, number: number, broken: boolean, known?: Label | null): void {
    const trimmed = line.trim();
    if (trimmed === '') return this.#close();
    const heading = this.markdown ? headingOf(line) : null;
    if (heading !== null) {
      this.#close();
      return this.#foundHeading(heading);
    }
    const rule = RULE_START.test(trimmed) ? ruleOf(trimmed) : null;
    if (rule !== null) return this.#rule(rule);
    if (isTableRow(line)) {
      this.#close();
      this.blocks.push({ label: null, text: rowOf(trimmed) });
      return;
    }
    const label = known === undefined ? labelAt(line, 0) : known;
    if (label !== null && this.#startsItem(label)) {
      this.#close();
      this.#inList = true;
      this.#label = label;
      this.#push(line.slice(label.length), number, broken);
      return;
    }
    if (this.#open.length === 0 && !/^\s/u.test(line)) this.#inList = false;
    this.#push(line, number, broken);
  }

  #push(line: string, number: number, broken: boolean): void {
    const text = line.trim();
    this.#open.push({ text: broken && text.endsWith('\\') ? text.slice(0, -1) : text, number, broken });
  }

  #rule(rule: Rule): void {
    const [first, ...more] = this.#open;
    const title = first !== undefined && more.length === 0 && !this.#inList && !/[.!?;,]$/u.test(first.text);
    if (rule !== 'underline' || !this.markdown || !title) return this.#close();
    this.#open = [];
    this.#foundHeading(first.text);
  }

  #foundHeading(words: string): void {
    this.heading ??= stripInline(words).trim();
    this.#inList = false;
  }

  /** A number other than 1 that a line of prose happens to start with is not a list (CommonMark's rule). */
  #startsItem(label: Label): boolean {
    if (!this.#series.believes(label)) return false;
    const free = this.#inList || this.#open.length === 0 || label.bullet !== null;
    return free || (label.certain && !countsInDigits(label)) || this.#series.begins(label);
  }

  #close(): void {
    let label = this.#label;
    let words: string[] = [];
    for (const [i, { text, number, broken }] of this.#open.entries()) {
      words.push(text);
      const last = i === this.#open.length - 1;
      if (!last && !(broken && !endsLikeSentence(text))) continue;
      if (!last) this.breaks.add(number);
      this.blocks.push({ label, text: words.join(' ') });
      label = null;
      words = [];
    }
    this.#open = [];
    this.#label = null;
  }
}

/** Quoted lines count; the marks before them do not. */
function withoutQuoteMarks(line: string): string {
  let at = line.length - line.trimStart().length;
  if (at > MAX_QUOTE_INDENT || line[at] !== '>') return line;
  while (line[at] === '>') at += /\s/u.test(line[at + 1] ?? '') ? 2 : 1;
  return line.slice(at);
}

/** More spaces make code of it (CommonMark). */
const MAX_QUOTE_INDENT = 3;
const MAX_HEADING_LEVEL = 6;

/** The words of a `# heading`; null where the line is none. */
function headingOf(line: string): string | null {
  const text = line.trimStart();
  if (line.length - text.length > MAX_QUOTE_INDENT) return null;
  let level = 0;
  while (text[level] === '#') level++;
  if (level === 0 || level > MAX_HEADING_LEVEL || !/\s/u.test(text[level] ?? '')) return null;
  let end = text.length;
  while (text[end - 1] === '#') end--;
  return text.slice(level, end).trim();
}

/** What a rule may begin with: most lines begin with something else. */
const RULE_START = /^[`~=\-*_|:]/u;

function ruleOf(trimmed: string): Rule | null {
  if (trimmed.startsWith('```') || trimmed.startsWith('~~~')) return 'fence';
  if (/^(?:=+|-{2,})$/u.test(trimmed)) return 'underline';
  const marks = trimmed.replace(/\s+/gu, '');
  if (/^(?:-{3,}|\*{3,}|_{3,})$/u.test(marks)) return 'break';
  return cellsOf(trimmed).every((cell) => /^:?-{3,}:?$/u.test(cell)) ? 'table' : null;
}

const isTableRow = (line: string): boolean => {
  const trimmed = line.trim();
  return trimmed.length > 1 && trimmed.startsWith('|') && trimmed.endsWith('|');
};

/** `a | b` of `| a | b |`. */
const rowOf = (trimmed: string): string => cellsOf(trimmed).join(' | ');

function cellsOf(trimmed: string): string[] {
  const from = trimmed.startsWith('|') ? 1 : 0;
  const to = trimmed.length > from && trimmed.endsWith('|') ? trimmed.length - 1 : trimmed.length;
  return trimmed
    .slice(from, to)
    .replace(/<br\s?\/?>/giu, ' ')
    .split('|')
    .map((cell) => cell.trim());
}

const countsInDigits = ({ readings }: Label): boolean =>
  readings.some(({ series }) => series.startsWith('digits'));
