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
/** Opening and closing tags, also escaped as entities: what stands in one that is open is a thought or a quotation. */
const TAG = /(?:<|&lt;)(?<close>\/?)(?<name>[a-z]{1,20})(?:>|&gt;)/giu;
/** Tags that have no end. */
const VOID_TAGS = new Set(['br', 'hr', 'p', 'li', 'img']);
const FENCE = '```';
/** A line with one of these at its end announces what stands below it: a quotation, an example, a condition. */
const LEADS_ON = new Set(':：,，;；(（…');

interface Judgment {
  readonly word: string;
  /** Where the word begins in the answer. */
  readonly at: number;
  readonly isSafe: boolean;
  /** Where the line ends. */
  readonly end: number;
  /** Whether the line may be somebody's words that the answer repeats. */
  readonly mayBeQuoted: boolean;
}

interface Judgments {
  readonly lines: readonly Judgment[];
  /** Whether a judgment says unsafe, also one that says more, such as the rule. */
  readonly saysUnsafe: boolean;
}

/**
 * Reads the judgment lines of a free answer: `Final judgment: Unsafe`, with emphasis, as a heading with the word below
 * it, or the word as the whole answer. The last one counts. A safe one counts only where nothing is written behind it
 * and no unsafe one before it, and where it cannot be a quotation. Whatever is not read so is undecided. Linear in the answer.
 */
export function readFreeText(raw: string, words: VerdictWords, closing: string): ReadAnswer {
  const reasoning = raw.trim();
  if (reasoning === '') return unreadable('', 'the answer is empty');
  const thoughtEnd = raw.lastIndexOf(THOUGHT_END);
  const start = thoughtEnd < 0 ? 0 : thoughtEnd + THOUGHT_END.length;
  if (hasOpenTag(raw.slice(start))) return undecided(reasoning, 'the answer ends inside its thought');
  const { lines, saysUnsafe } = judgmentLines(raw, start, words, closing);
  const last = lines.at(-1);
  if (last === undefined) return undecided(reasoning, 'the answer has no line that is its judgment alone');
  if (last.isSafe && saysUnsafe) {
    return undecided(reasoning, 'the answer judges unsafe first and safe then');
  }
  const above = raw.slice(start, Math.max(start, raw.lastIndexOf('\n', last.at)));
  if (last.isSafe && (last.mayBeQuoted || isInsideQuotes(above))) {
    return undecided(reasoning, 'the judgment may be a quotation');
  }
  if (last.isSafe && hasWords(raw, last.end)) {
    return undecided(reasoning, 'the answer goes on behind its judgment');
  }
  return judged(last.word, words, { reasoning, verdictAt: last.at });
}

function judgmentLines(raw: string, start: number, words: VerdictWords, closing: string): Judgments {
  const announcements = announcementsOf(closing);
  const lines: Judgment[] = [];
  let saysUnsafe = false;
  let isBelowHeading = false;
  // What stands above a line decides whether the line may be a quotation.
  let [hasTextAbove, leadsOn, isFenced, isFenceLed] = [false, false, false, false];
  const isAlone = !raw.slice(start).trim().includes('\n');
  for (let at = start; at <= raw.length; ) {
    const newline = raw.indexOf('\n', at);
    const end = newline < 0 ? raw.length : newline;
    const isLong = end - at > LONGEST_LINE;
    const line = lineOf(raw, at, Math.min(end, at + LONGEST_LINE));
    if (raw.startsWith(FENCE, at)) {
      isFenced = !isFenced;
      isFenceLed = hasTextAbove;
    } else if (line.text !== '') {
      const rest = behindAnnouncement(line.text, announcements);
      const judgment = isLong ? null : verdictIn(line, rest ?? 0, words);
      const isBare = rest === null && !line.isQuoted;
      // A lone "Safe" may be a caption or an option; a lone "Unsafe" is worth a person's look in any case.
      const counts = rest !== null || (isBare && (isAlone || isBelowHeading || judgment?.isSafe === false));
      if (judgment !== null && counts) {
        const mayBeQuoted = line.isBlockQuote || line.opensInQuotes || leadsOn || (isFenced && isFenceLed);
        lines.push({ ...judgment, end, mayBeQuoted });
        saysUnsafe ||= !judgment.isSafe;
      } else if (rest !== null)
        saysUnsafe ||= words.unsafe.some((one) => line.text.includes(one.toLowerCase(), rest));
      const isHeading = !isLong && rest !== null && rest >= line.text.length;
      leadsOn = isHeading
        ? line.isBlockQuote || line.opensInQuotes || leadsOn
        : LEADS_ON.has(
            raw
              .slice(at, end)
              .trimEnd()
              .replace(/[*_"”]{1,4}$/u, '')
              .at(-1) ?? '',
          );
      isBelowHeading = isHeading;
      hasTextAbove = true;
    } else if (isLong) isBelowHeading = false;
    at = end + 1;
  }
  return { lines, saysUnsafe };
}

/** What begins and what ends a quotation or a comment; a straight mark does both. */
const PAIRS = [
  ['“', '”'],
  ['「', '」'],
  ['『', '』'],
  ['<!--', '-->'],
] as const;

/** Whether a quotation or a comment was begun above and not ended. */
function isInsideQuotes(above: string): boolean {
  const count = (mark: string): number => above.split(mark).length - 1;
  return count('"') % 2 === 1 || PAIRS.some(([open, close]) => count(open) > count(close));
}

/** Whether a tag was opened and not closed. */
function hasOpenTag(text: string): boolean {
  const open = new Map<string, number>();
  for (const { groups } of text.matchAll(TAG)) {
    const name = groups?.['name'].toLowerCase() ?? '';
    open.set(name, Math.max(0, (open.get(name) ?? 0) + (groups?.['close'] === '/' ? -1 : 1)));
  }
  return [...open].some(([name, count]) => count > 0 && !VOID_TAGS.has(name));
}

interface Line {
  /** In small letters, without marks, white space as single spaces. */
  readonly text: string;
  /** The place of each of its characters in the answer. */
  readonly places: readonly number[];
  readonly isQuoted: boolean;
  readonly isBlockQuote: boolean;
  /** Whether a quotation begins before the first word, or ends on the line without having begun there. */
  readonly opensInQuotes: boolean;
}

function lineOf(raw: string, start: number, end: number): Line {
  let text = '';
  const places: number[] = [];
  let [quotes, isBlockQuote, opensInQuotes] = [0, false, false];
  for (let at = start; at < end; at++) {
    const character = raw[at];
    if (MARKS.has(character)) {
      isBlockQuote ||= character === '>' && text === '';
      if (!EMPHASIS.has(character)) {
        opensInQuotes ||= text === '';
        quotes += 1;
      }
      continue;
    }
    const isSpace = character.trim() === '';
    if (isSpace && (text === '' || text.endsWith(' '))) continue;
    // Letters whose small form is longer do not occur in judgments: one stands for one.
    const small = character.toLowerCase();
    text += isSpace ? ' ' : small.length === 1 ? small : character;
    places.push(at);
  }
  return {
    text: text.trimEnd(),
    places,
    isQuoted: quotes > 0,
    isBlockQuote,
    opensInQuotes: opensInQuotes || quotes % 2 === 1,
  };
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

/** The verdict word and its place, if the line from `from` on is that and nothing else. */
function verdictIn(
  { text, places }: Line,
  from: number,
  words: VerdictWords,
): Pick<Judgment, 'word' | 'at' | 'isSafe'> | null {
  let [first, behind] = [from, text.length];
  while (first < behind && text[first] === ' ') first += 1;
  while (behind > first && (STOPS.has(text[behind - 1]) || text[behind - 1] === ' ')) behind -= 1;
  const word = text.slice(first, behind);
  const isOneOf = (list: readonly string[]): boolean => list.some((one) => one.toLowerCase() === word);
  const isSafe = isOneOf(words.safe);
  if (!isSafe && !isOneOf(words.unsafe)) return null;
  return { word, at: places[first], isSafe };
}

/** Whether anything but marks and stops is written from there on. */
function hasWords(raw: string, from: number): boolean {
  for (let at = from; at < raw.length; at++) {
    const character = raw[at];
    if (character.trim() !== '' && !EMPHASIS.has(character)) return true;
  }
  return false;
}
