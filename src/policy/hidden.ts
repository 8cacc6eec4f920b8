/** @module What a reader of the rendered page does not see: HTML comments, and link definitions used as comments. */

const OPEN = '<!--';
const CLOSE = '-->';

/** What a reader of the rendered page does not see is not part of the policy. */
export function stripHidden(text: string): string {
  return stripDefinitions(stripComments(text));
}

/** An opening that is never closed stays as text: better a strange sentence than a lost rule. */
function stripComments(text: string): string {
  let result = '';
  let at = 0;
  for (let from = text.indexOf(OPEN); from >= 0; from = text.indexOf(OPEN, at)) {
    const to = text.indexOf(CLOSE, from + OPEN.length);
    if (to < 0) break;
    result += text.slice(at, from);
    at = to + CLOSE.length;
  }
  return result + text.slice(at);
}

/** The lines without `[label]: destination "title"`; a title may go on over the next lines. */
function stripDefinitions(text: string): string {
  if (!text.includes(']:')) return text;
  const lines = text.split('\n');
  const kept: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const inParagraph = (kept.at(-1) ?? '') !== '';
    const length = definitionLength(lines, i, inParagraph);
    if (length === 0) kept.push(lines[i++] ?? '');
    else i += length;
  }
  return kept.join('\n');
}

/** A label, its colon and what follows; labels have no brackets inside. */
const DEFINITION = /^ {0,3}\[[^[\]]{1,999}\]:[ \t]*(\S.*)$/u;
/** Destinations that lead nowhere: such a definition is a comment, wherever it stands. */
const NOWHERE: ReadonlySet<string> = new Set(['#', '<>', '<#>']);
/** How an address begins or goes on; "[Weapons]: forbidden" is a rule to most people, though no renderer shows it. */
const ADDRESS = /^(?:<|[#/?]|\.{1,2}\/|[a-z][a-z\d+.-]{1,30}:|www\.|[\w-]{1,60}\.[a-z]{2,6}(?:[/#?]|$))/iu;
const TITLE_ENDS: Readonly<Record<string, string>> = { '(': ')', '"': '"', "'": "'" };
/** A title over more lines than this is none, so that lines are looked at a bounded number of times. */
const MAX_TITLE_LINES = 50;

/** How many lines a definition takes; 0 where there is none. */
function definitionLength(lines: readonly string[], first: number, inParagraph: boolean): number {
  const rest = DEFINITION.exec(lines[first] ?? '')?.[1]?.trimEnd();
  if (rest === undefined) return 0;
  const space = rest.search(/[ \t]/u);
  const destination = space < 0 ? rest : rest.slice(0, space);
  const comment = NOWHERE.has(destination);
  if (!comment && (inParagraph || !ADDRESS.test(destination))) return 0;
  const title = space < 0 ? '' : rest.slice(space).trim();
  if (title === '') return 1;
  const end = TITLE_ENDS[title.charAt(0)];
  if (end === undefined) return 0;
  if (title.length > 1 && title.endsWith(end)) return 1;
  for (let length = 2; length <= MAX_TITLE_LINES; length++) {
    const line = lines[first + length - 1]?.trim() ?? '';
    if (line === '') return 0;
    if (line.endsWith(end)) return length;
  }
  return 0;
}
