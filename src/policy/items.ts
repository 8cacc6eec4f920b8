/** @module Lists that run on within a paragraph: "1. No weapons. 2. No alcohol.", "● No weapons ● No alcohol". */
import { isAscii, isAsciiLetter, isSpaceAt } from './characters.js';
import { continued, type Label, labelAt } from './labels.js';

export interface Item {
  /** What stood before the text, already cut off; null where nothing did. */
  readonly label: Label | null;
  readonly text: string;
}

/** An item that may begin within the text. */
interface Start {
  readonly at: number;
  readonly label: Label;
  /** What stands before it, spaces apart. */
  readonly before: string;
}

/** "At most 2. No more" may be one rule: so many in a row are a list even where no sentence ends before them. */
const SURE_MEMBERS = 3;
const ENDS_CLAUSE = /[.!?…:;,。．！？：；，、।۔።؟)）」』”"]/u;
/** Behind these a list may begin; behind a comma it only goes on. */
const BEFORE_FIRST = /[.!?…:;。！？：；।۔።؟]/u;

/** The items of a paragraph, without their labels; the paragraph itself where it holds no list. */
export function splitItems({ label, text }: Item): string[] {
  const starts = label?.bullet ? bulletsIn(text, label.bullet) : numbersIn(text, label);
  if (starts.length === 0) return [text];
  const items = [text.slice(0, starts[0]?.at)];
  for (const [i, { at, label: found }] of starts.entries())
    items.push(text.slice(at + found.length, starts[i + 1]?.at));
  return items.map((item) => item.trim());
}

/** The same bullet again, or another speaking mark. Dashes within a text are dashes. */
function bulletsIn(text: string, bullet: string): Start[] {
  if (/[-*+–—]/u.test(bullet)) return [];
  return candidatesIn(text).filter(
    ({ label }) => label.bullet === bullet || (label.kept && label.bullet !== null),
  );
}

function numbersIn(text: string, own: Label | null): Start[] {
  let open = own?.readings ?? [];
  let members = open.length > 0 ? 1 : 0;
  const found: Start[] = [];
  for (const start of candidatesIn(text)) {
    const { label, before } = start;
    if (label.bullet !== null || label.kept) continue;
    const next = continued(open, label.readings);
    if (next.length > 0) open = next;
    else if (members === 0 && isFirst(label) && (before === '' || BEFORE_FIRST.test(before)))
      open = label.readings;
    else continue;
    members++;
    found.push(start);
  }
  if (members >= SURE_MEMBERS) return found;
  const clear = ({ label, before }: Start): boolean =>
    before === '' || ENDS_CLAUSE.test(before) || label.numberSign;
  return members === 2 && found.every(clear) ? found : [];
}

const isFirst = ({ readings }: Label): boolean =>
  readings.some(({ series, value }) =>
    series.startsWith('letters') ? FIRST_LETTERS.has(String.fromCharCode(value)) : value === 1,
  );
const FIRST_LETTERS: ReadonlySet<string> = new Set(['a', 'A', 'а', 'А', 'α', 'Α', 'א']);

/** All labels behind a space or a clause that ends without one, in order. */
function candidatesIn(text: string): Start[] {
  const starts: Start[] = [];
  let before = '';
  let spaced = false;
  for (let at = 0; at < text.length; at++) {
    if (isSpaceAt(text, at)) {
      spaced = true;
      continue;
    }
    const character = text.charAt(at);
    if ((before === '' || spaced || endsUnspaced(before)) && !isWord(text, at)) {
      const label = labelAt(text, at, { named: false });
      if (label !== null) starts.push({ at, label, before });
    }
    before = character;
    spaced = false;
  }
  return starts;
}

/** Scripts without spaces. */
const endsUnspaced = (character: string): boolean =>
  isAscii(character.charCodeAt(0))
    ? /[;!?]/u.test(character)
    : /[。．！？：；，、।۔።）」』]/u.test(character);

/** Nearly every place, told without looking further: two letters that are no roman number. */
function isWord(text: string, at: number): boolean {
  const [first, second] = [text.charCodeAt(at), text.charCodeAt(at + 1)];
  return isAsciiLetter(first) && isAsciiLetter(second) && !(isRomanDigit(first) && isRomanDigit(second));
}

/** i, v, x: bit 5 is the case. */
const isRomanDigit = (code: number): boolean => [0x69, 0x76, 0x78].includes(code | 0x20);
