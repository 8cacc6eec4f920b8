/** Words whose full stop never ends a sentence; compared in lower case, without the last dot. */
const ABBREVIATIONS = new Set(
  'e.g i.e eg ie cf vs v mr mrs ms dr prof st jr sr fig sec art ch pp approx incl excl dept est viz'.split(
    ' ',
  ),
);

/** Words whose full stop ends a sentence only before a capital: "knives, etc. No alcohol." */
const ENDS_BEFORE_CAPITAL = new Set('etc al inc ltd co corp a.m p.m'.split(' '));

/** "No. 5" and the like: no end of a sentence before a number. */
const BEFORE_NUMBER = new Set('no nos p para approx ca'.split(' '));

/** After a dotted acronym ("U.S.") only such a word starts a new sentence; "U.S. Army" stays together. */
const STARTERS = new Set(
  'a all an any do everything if in it never no nothing only other the these this'.split(' '),
);

/** Quotations and brackets: a full stop inside them does not end the sentence around them. */
const ENCLOSED = /(?<![^\s([])"[^"]*"(?!\w)|“[^”]*”|„[^“”]*[“”]|«[^»]*»|\([^()]*\)/gu;

/** One or more marks that may end a sentence, with the quotes and brackets that close behind them. */
const TERMINATOR = /([.!?…]+|[。！？]+)(["”“’»)\]]*)/gu;

/**
 * The sentences of one paragraph, in order, trimmed, with runs of white space as one space.
 * Abbreviations, decimals, dotted acronyms, numbering at the start, quotations and brackets do not split.
 */
export function splitSentences(paragraph: string): string[] {
  const text = paragraph.replace(/\s+/gu, ' ').trim();
  const enclosed = Array.from(text.matchAll(ENCLOSED), (m) => ({ from: m.index, to: m.index + m[0].length }));
  const sentences: string[] = [];
  let start = 0;
  for (const match of text.matchAll(TERMINATOR)) {
    const end = match.index + match[0].length;
    if (enclosed.some(({ from, to }) => end > from && end < to)) continue;
    const found: Candidate = {
      before: text.slice(start, match.index),
      mark: match[1] ?? '',
      closers: match[2] ?? '',
      after: text.slice(end),
    };
    if (!endsSentence(found)) continue;
    sentences.push(text.slice(start, end).trim());
    start = end;
  }
  sentences.push(text.slice(start).trim());
  return sentences.filter((sentence) => sentence !== '');
}

/** A place that may end a sentence, with what stands around it. */
interface Candidate {
  readonly before: string;
  readonly mark: string;
  readonly closers: string;
  readonly after: string;
}

function endsSentence({ before, mark, closers, after }: Candidate): boolean {
  if (after === '') return true;
  if (/^[。！？]/u.test(mark)) return true;
  if (!after.startsWith(' ')) return false;
  const next = after.trimStart();
  const lowerFollows = /^\p{Ll}/u.test(next);
  if (lowerFollows && (closers !== '' || mark.length > 1 || mark === '…')) return false;
  if (mark !== '.' || closers !== '') return true;
  if (/^\s*(\d{1,3}|\p{L})$/u.test(before)) return false;
  const word = (/[\p{L}\p{N}.]+$/u.exec(before)?.[0] ?? '').toLowerCase();
  if (ABBREVIATIONS.has(word)) return false;
  if (BEFORE_NUMBER.has(word)) return !/^\d/u.test(next);
  if (ENDS_BEFORE_CAPITAL.has(word)) return !lowerFollows;
  if (/(^|\s|\()\p{Lu}$/u.test(before)) return startsSentence(next);
  if (/^(\p{L}\.)+\p{L}$/u.test(word)) return startsSentence(next);
  return true;
}

function startsSentence(next: string): boolean {
  const word = /^\p{Lu}\p{Ll}*(?=\s|$)/u.exec(next)?.[0];
  return word !== undefined && STARTERS.has(word.toLowerCase());
}
