/**
 * @module Verdicts in free text. A verdict is read where an explicit judgment line says nothing else; all other text
 * leaves it open, and the model is asked ({@link GuardProfile.closing}). Nothing is looked for inside sentences: "is
 * safe" stands in "cannot be considered safe" too.
 */
import { judged, type ReadAnswer, undecided, unreadable, type VerdictWords } from '../profile.js';

/** What may announce a judgment, in small letters. */
const NOUNS =
  'judgment judgement verdict answer conclusion decision assessment rating classification determination result';
const LABELS: readonly string[] = NOUNS.split(' ').flatMap((noun) =>
  ['', 'final ', 'overall ', 'safety ', 'final safety '].map((kind) => kind + noun),
);
/** The same in the language of the family's makers. */
const CHINESE_LABELS: readonly string[] = ['最终判断', '最终判定', '最终结论', '判断', '判定', '结论'];
const ARTICLES: readonly string[] = ['the ', 'my ', 'our '];
/** The question's own choice, repeated. */
const CHOICE = '(safe/unsafe)';
/** What stands between the announcement and the verdict. */
const SEPARATORS: readonly string[] = [':', '：', '—', '–', '-', '=', ' is:', ' is'];
/** Emphasis, quotation and heading marks, which a judgment line may carry around its words. */
const MARKS = new Set('*_`#>"“”„\'‘’「」『』');
/** Marks that do not turn a line into a quotation of something. */
const EMPHASIS = new Set('*_`#>');
/** What may end a verdict without changing it. */
const STOPS = new Set('.!。！');
/** A line that says nothing but a judgment is shorter, in UTF-16 units. */
const LONGEST_LINE = 200;
const THOUGHT_END = '</think>';
const THOUGHT = '<think>';

interface Judgment {
  readonly word: string;
  /** Where the word begins in the answer. */
  readonly at: number;
  readonly isSafe: boolean;
  /** Where the line ends. */
  readonly end: number;
}

/**
 * Reads the judgment lines of a free answer: `Final judgment: Unsafe`, with emphasis, as a heading with the word below
 * it, or the word as the whole answer. The last one counts. A safe one counts only where nothing is written behind it
 * and no unsafe one before it. Whatever is not read so is undecided. Linear in the answer.
 */
export function readFreeText(raw: string, words: VerdictWords, closing: string): ReadAnswer {
  const reasoning = raw.trim();
  if (reasoning === '') return unreadable('', 'the answer is empty');
  const thoughtEnd = raw.lastIndexOf(THOUGHT_END);
  if (thoughtEnd < 0 && raw.includes(THOUGHT)) {
    return undecided(reasoning, 'the answer ends inside its thought');
  }
  const start = thoughtEnd < 0 ? 0 : thoughtEnd + THOUGHT_END.length;
  const judgments = judgmentLines(raw, start, words, closing);
  const last = judgments.at(-1);
  if (last === undefined) return undecided(reasoning, 'the answer has no line that is its judgment alone');
  if (last.isSafe && judgments.some(({ isSafe }) => !isSafe)) {
    return undecided(reasoning, 'the answer judges unsafe first and safe then');
  }
  if (last.isSafe && hasWords(raw, last.end)) {
    return undecided(reasoning, 'the answer goes on behind its judgment');
  }
  return judged(last.word, words, { reasoning, verdictAt: last.at });
}

function judgmentLines(raw: string, start: number, words: VerdictWords, closing: string): Judgment[] {
  const announcements = announcementsOf(closing);
  const found: Judgment[] = [];
  let isBelowHeading = false;
  const isAlone = !raw.slice(start).trim().includes('\n');
  for (let at = start; at <= raw.length; ) {
    const newline = raw.indexOf('\n', at);
    const end = newline < 0 ? raw.length : newline;
    const line = end - at > LONGEST_LINE ? null : lineOf(raw, at, end);
    if (line === null) isBelowHeading = false;
    else if (line.text !== '') {
      const rest = behindAnnouncement(line.text, announcements);
      const judgment = verdictIn(line, rest ?? 0, words, end);
      const isBare = rest === null && !line.isQuoted;
      // A lone "Safe" may be a caption or an option; a lone "Unsafe" is worth a person's look in any case.
      const counts = rest !== null || (isBare && (isAlone || isBelowHeading || judgment?.isSafe === false));
      if (judgment !== null && counts) found.push(judgment);
      isBelowHeading = rest !== null && rest >= line.text.length;
    }
    at = end + 1;
  }
  return found;
}

interface Line {
  /** In small letters, without marks, white space as single spaces. */
  readonly text: string;
  /** The place of each of its characters in the answer. */
  readonly places: readonly number[];
  readonly isQuoted: boolean;
}

function lineOf(raw: string, start: number, end: number): Line {
  let text = '';
  const places: number[] = [];
  let isQuoted = false;
  for (let at = start; at < end; at++) {
    const character = raw[at];
    if (MARKS.has(character)) {
      isQuoted ||= !EMPHASIS.has(character);
      continue;
    }
    const isSpace = character.trim() === '';
    if (isSpace && (text === '' || text.endsWith(' '))) continue;
    // Letters whose small form is longer do not occur in judgments: one stands for one.
    const small = character.toLowerCase();
    text += isSpace ? ' ' : small.length === 1 ? small : character;
    places.push(at);
  }
  return { text: text.trimEnd(), places, isQuoted };
}

/** Longest first, so that "judgment" does not take the place of "judgment is". */
function announcementsOf(closing: string): readonly string[] {
  const own = closing
    .trim()
    .toLowerCase()
    .replaceAll(/[:：]$/gu, '')
    .trim();
  const labels = [...LABELS, ...CHINESE_LABELS, ...(own === '' ? [] : [own])];
  return [...new Set(labels)].toSorted((a, b) => b.length - a.length);
}

/** Where the text behind the announcement begins; the text's length where it is nothing else; null without one. */
function behindAnnouncement(text: string, announcements: readonly string[]): number | null {
  let at = ARTICLES.find((article) => text.startsWith(article))?.length ?? 0;
  const label = announcements.find((one) => text.startsWith(one, at));
  if (label === undefined) return null;
  at += label.length;
  if (text.startsWith(CHOICE, text[at] === ' ' ? at + 1 : at)) {
    at = text.indexOf(CHOICE, at) + CHOICE.length;
  }
  if (at === text.length) return at;
  if (text[at] === ' ' && !text.startsWith(' is', at)) at += 1;
  const separator = SEPARATORS.filter((one) => text.startsWith(one, at)).toSorted(
    (a, b) => b.length - a.length,
  )[0];
  return separator === undefined ? null : at + separator.length;
}

/** The verdict word, if the line from `from` on is that and nothing else. */
function verdictIn({ text, places }: Line, from: number, words: VerdictWords, end: number): Judgment | null {
  let [first, behind] = [from, text.length];
  while (first < behind && text[first] === ' ') first += 1;
  while (behind > first && (STOPS.has(text[behind - 1]) || text[behind - 1] === ' ')) behind -= 1;
  const word = text.slice(first, behind);
  const isOneOf = (list: readonly string[]): boolean => list.some((one) => one.toLowerCase() === word);
  const isSafe = isOneOf(words.safe);
  if (!isSafe && !isOneOf(words.unsafe)) return null;
  return { word, at: places[first], isSafe, end };
}

/** Whether anything but marks and stops is written from there on. */
function hasWords(raw: string, from: number): boolean {
  for (let at = from; at < raw.length; at++) {
    const character = raw[at];
    if (character.trim() !== '' && !EMPHASIS.has(character)) return true;
  }
  return false;
}
