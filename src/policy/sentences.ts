/** @module Where sentences end. The text is walked once; around each mark a fixed number of characters is looked at. */
import { Abbreviations } from './abbreviations.js';
import { isWordAt } from './characters.js';
import { insideEnclosures } from './enclosures.js';

/** Marks of scripts that write no space behind a sentence, or use the mark for nothing else. */
const STRONG = '。｡．！？‼⁇⁈⁉।॥۔؟።፧፨។៕။։᠃⸮';
/** One or more marks that may end a sentence, with the quotes and brackets that close behind them. */
const TERMINATOR = new RegExp(String.raw`([.!?…${STRONG}]+)(["”“’»›)\]」』）】》〉］〕]*)`, 'gu');
const STRONG_MARK = new RegExp(`[${STRONG}]`, 'u');
const OPENER = /[「『（【《〈［〔“„«‹("[]/u;
const IDEOGRAPH = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Characters before a mark in which an abbreviation stands, and behind it in which a word begins. */
const WINDOW = 40;

/**
 * The sentences of one paragraph, in order, trimmed, with runs of white space as one space.
 * Abbreviations, decimals, dotted acronyms, numbering at the start, quotations and brackets do not split.
 */
export function splitSentences(paragraph: string): string[] {
  const text = paragraph.replace(/\s+/gu, ' ').trim();
  const enclosed = insideEnclosures(text);
  const sentences: string[] = [];
  let start = 0;
  for (const match of text.matchAll(TERMINATOR)) {
    const [all, mark = '', closers = ''] = match;
    const end = match.index + all.length;
    if (enclosed.within(end) || !endsSentence({ text, start, at: match.index, mark, closers, end, enclosed }))
      continue;
    sentences.push(text.slice(start, end).trim());
    start = end;
  }
  sentences.push(text.slice(start).trim());
  return sentences.filter((sentence) => sentence !== '');
}

/** Whether a line of text ends as sentences do, so that a break behind it says nothing new. */
export function endsLikeSentence(line: string): boolean {
  const last = line
    .slice(-WINDOW)
    .replace(/["”“’»›)\]」』）】》〉］〕*_`]{1,40}$/u, '')
    .slice(-1);
  return last !== '' && (/[.!?…]/u.test(last) || STRONG_MARK.test(last));
}

/** A place that may end a sentence. */
interface Candidate {
  readonly text: string;
  /** Where the sentence begins, its mark stands, and what follows begins. */
  readonly start: number;
  readonly at: number;
  readonly end: number;
  readonly mark: string;
  readonly closers: string;
  readonly enclosed: ReturnType<typeof insideEnclosures>;
}

function endsSentence(found: Candidate): boolean {
  const { text, end, mark, closers } = found;
  if (end === text.length) return true;
  if (STRONG_MARK.test(mark)) return endsStrongly(found);
  if (text[end] !== ' ') return betweenIdeographs(found);
  const next = text.slice(end + 1, end + 1 + WINDOW);
  const lowerFollows = /^\p{Ll}/u.test(next);
  if (lowerFollows && (closers !== '' || mark.length > 1 || mark === '…')) return false;
  if (mark !== '.' || closers !== '') return true;
  return fullStopEnds(text.slice(found.start, found.at), next, lowerFollows);
}

/** 「武器はだめ。」と書いた: what is quoted does not end what quotes it, unless another quotation or a space follows. */
function endsStrongly({ text, start, at, mark, closers, end, enclosed }: Candidate): boolean {
  const next = text[end] ?? '';
  // A decimal in full-width figures, and more marks behind a bracket.
  if (mark === '．' && /\p{Nd}/u.test(next) && /\p{Nd}/u.test(text[at - 1] ?? '')) return false;
  if (closers === '' || next === ' ' || OPENER.test(next)) return true;
  // （…。） as a sentence of its own.
  return /[)）]$/u.test(closers) && enclosed.opening(end) <= start + (text[start] === ' ' ? 1 : 0);
}

/** Chinese and Japanese with Latin marks: "禁止武器.允许酒." */
const betweenIdeographs = ({ text, at, end, closers }: Candidate): boolean =>
  closers === '' && IDEOGRAPH.test(text[at - 1] ?? '') && IDEOGRAPH.test(text[end] ?? '');

function fullStopEnds(sentence: string, next: string, lowerFollows: boolean): boolean {
  if (sentence.length <= MAX_NUMBERING && NUMBERING.test(sentence)) return false;
  const before = sentence.slice(-WINDOW);
  const word = lastWord(before);
  if (word.length <= MAX_ORDINAL && /^\p{Nd}+$/u.test(word))
    return !isOrdinal(before.slice(0, -word.length), next);
  const { NEVER, BEFORE_CAPITAL, BEFORE_LOWER, BEFORE_NAME, BEFORE_NUMBER } = Abbreviations;
  const apart = writtenApart(before, word);
  if (NEVER.has(word) || NEVER.has(apart)) return false;
  if (BEFORE_CAPITAL.has(word) || BEFORE_CAPITAL.has(apart)) return !lowerFollows;
  if (goesOn(word, next) || goesOn(apart, next)) return false;
  if (BEFORE_LOWER.has(word) && lowerFollows) return false;
  if (BEFORE_NUMBER.has(word)) return !/^(?:\p{Nd}|[IVXLC]{1,6}\b)/u.test(next);
  const initial = word.length === 1 && /(?:^|[\s(])\p{Lu}$/u.test(before.slice(-2));
  return initial || BEFORE_NAME.has(word) || isAcronym(word) ? startsSentence(next) : true;
}

/** "1", "2.3", "iv" and "A" at the beginning of a sentence number it. */
const NUMBERING = /^\s?(?:\p{Nd}{1,3}(?:\.\p{Nd}{1,3}){0,5}|[ivx]{1,6}|[IVX]{1,6}|\p{L})$/u;
const MAX_NUMBERING = 30;
/** Digits of an ordinal: days, floors, centuries. */
const MAX_ORDINAL = 3;

/** "z." before "B. Messer": the parts of an abbreviation that is written apart. */
function goesOn(word: string, next: string): boolean {
  if (!Abbreviations.PARTS.has(word)) return false;
  const part = /^(\p{L}{1,4})\./u.exec(next)?.[1]?.toLowerCase();
  return part !== undefined && isAbbreviated(`${word}.${part}`);
}

const isAbbreviated = (word: string): boolean =>
  Abbreviations.NEVER.has(word) || Abbreviations.BEFORE_CAPITAL.has(word) || Abbreviations.PARTS.has(word);

/** The word before the mark, with its own dots, in lower case. */
function lastWord(before: string): string {
  let from = before.length;
  while (from > 0 && isWordAt(before, from - 1)) from--;
  while (before[from] === '-') from++;
  return before.slice(from).toLowerCase();
}

/** "z.b" of "z. B", "bl.a" of "bl. a": one or two letters with a dot, taken to the word behind them. */
function writtenApart(before: string, word: string): string {
  let joined = word;
  let from = before.length - word.length;
  while (before[from - 1] === ' ' && before[from - 2] === '.') {
    const part = lastWord(before.slice(Math.max(0, from - 1 - MAX_PART), from - 1));
    if (part.length < 2 || part.length >= MAX_PART) break;
    joined = part + joined;
    from -= part.length + 1;
  }
  return joined;
}

/** Characters of such a part with its dot, and one before it. */
const MAX_PART = 5;

const isAcronym = (word: string): boolean =>
  word.includes('.') && word.split('.').every((part) => /^\p{L}$/u.test(part));

/** German and its neighbours write ordinals with a dot: "am 3. Oktober", "im 2. Stock". */
function isOrdinal(before: string, next: string): boolean {
  const follower = /^\p{L}{1,20}/u.exec(next)?.[0]?.toLowerCase() ?? '';
  if (Abbreviations.MONTHS.has(follower)) return true;
  return Abbreviations.BEFORE_ORDINAL.has(lastWord(before.trimEnd())) && !startsSentence(next);
}

function startsSentence(next: string): boolean {
  const word = /^\p{Lu}\p{Ll}{0,20}(?=\s|$)/u.exec(next)?.[0];
  return word !== undefined && Abbreviations.STARTERS.has(word.toLowerCase());
}
