/**
 * @module What stands before an item of a list: bullets, numbers, letters, in the ways in which people write them.
 * Everything is read at one place and within a fixed number of characters.
 */

import { isAscii, isAsciiDigit, isAsciiLetter } from './characters.js';

/** One way to read a label: the n-th of its series. `ii` is roman two, `i` is roman one and the ninth letter. */
interface Reading {
  readonly series: string;
  readonly value: number;
}

export interface Label {
  /** Characters from the place to the item's words. */
  readonly length: number;
  /** The label says something itself ("§ 5", "✗"), so it stays in the statement. */
  readonly kept: boolean;
  /** The bullet; null where it counts. */
  readonly bullet: string | null;
  /** A character that is nothing but a number: ①, 1️⃣. */
  readonly numberSign: boolean;
  /** None for bullets. */
  readonly readings: readonly Reading[];
  /** It begins an item by itself; another one only beside its neighbour in the series, since "A. Smith" is a name. */
  readonly certain: boolean;
}

/** The longest label that is looked for, with the spaces around it. */
const MAX_LABEL = 80;

/**
 * The label at a place of a line, which may have spaces before it; null where there is none. `named: false` passes over
 * those with a name ("Rule 1:").
 */
export function labelAt(
  line: string,
  at: number,
  { named = true }: { readonly named?: boolean } = {},
): Label | null {
  const text = line.slice(at, at + MAX_LABEL).trimStart();
  const found = foundIn(text, named);
  if (found === null) return null;
  const behind = text.slice(found.length);
  // Nothing but spaces behind it is no item.
  if (behind === '' || behind.trim() === '') return null;
  const box = !found.kept && behind.startsWith('[') ? (TASK_BOX.exec(behind)?.[0].length ?? 0) : 0;
  return { ...found, length: Math.min(MAX_LABEL, line.length - at) - text.length + found.length + box };
}

/** What the first character allows. */
function foundIn(text: string, named: boolean): Label | null {
  const code = text.charCodeAt(0);
  if (!isAscii(code)) return bulletOf(text) ?? numberOf(text) ?? namedOf(text);
  const keycap = text.charCodeAt(1) >= FIRST_MODIFIER;
  if (isAsciiDigit(code)) return (keycap ? enclosedOf(text) : null) ?? closedOf(text) ?? levelsOf(text);
  if (isAsciiLetter(code)) return closedOf(text) ?? (named ? namedOf(text) : null);
  return text.startsWith('(') || text.startsWith('[') ? bracketedOf(text) : bulletOf(text);
}

/** The keycap's frame and the mark before it are far beyond letters. */
const FIRST_MODIFIER = 0x2000;

/** The same few labels come again and again; what is remembered is bounded. */
function remembered<Value>(
  make: (counted: string, style: string) => Value,
): (counted: string, style: string) => Value {
  const known = new Map<string, Value>();
  return (counted, style) => {
    const key = `${counted} ${style}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    if (known.size >= MAX_REMEMBERED) known.clear();
    const value = make(counted, style);
    known.set(key, value);
    return value;
  };
}

const MAX_REMEMBERED = 2000;

const TASK_BOX = /^\[[ xX]\]\s+/u;

/** Dashes and the like need a space behind them: "-5 degrees". */
const SPACED_BULLET = /^([-*+–—])\s{1,40}/u;
/** No character of a sentence; the last three are what Word's symbol font leaves in pasted text. */
const BULLET = /^([•●▪‣·◦○■□◆◇▫◼◻▶►▸▹➢➤➔⁃∙⦁⦿◉❖★☆※・･\uF0B7\uF0A7\uF0D8])\uFE0F?(?!\1)\s{0,40}/u;
/** Marks that say allowed or banned. */
const SPEAKING_MARK = /^([✓✔☑✅✗✘✕✖☒❌❎⛔☐🚫⚠⭕])/u;

function bulletOf(text: string): Label | null {
  const bullet = SPACED_BULLET.exec(text) ?? BULLET.exec(text);
  if (bullet) return { ...ITEM, length: bullet[0].length, bullet: bullet[1] ?? '', certain: true };
  const mark = SPEAKING_MARK.exec(text);
  return mark ? { ...ITEM, length: 0, bullet: mark[1] ?? '', kept: true, certain: true } : null;
}

const ITEM = { kept: false, bullet: null, numberSign: false, readings: [], certain: false } as const;

/** What counts, between what closes it: the length of each part is bounded, and no two parts can match the same text. */
const DIGITS = String.raw`\p{Nd}{1,4}(?:[.．]\p{Nd}{1,3}){0,5}`;
const LETTERS = String.raw`[ivxIVX]{1,6}|\p{L}`;
const HAN = '[〇一二三四五六七八九十百]{1,5}';
const BRACKETED = new RegExp(
  String.raw`^([(（[［【〔])(${DIGITS}|${LETTERS}|${HAN})([)）\]］】〕])(\s{0,40})`,
  'u',
);
const CLOSED = new RegExp(String.raw`^(${DIGITS}|${LETTERS}|${HAN})([.．)）、:：]|\.\))(\s{0,40})`, 'u');
/** "1.1 No weapons": several levels need no closing mark. */
const LEVELS = /^(\p{Nd}{1,3}(?:\.\p{Nd}{1,3}){1,5})(\s{1,40})/u;
/** One character that holds a number, some with a dot or the keycap's frame behind it. */
const ENCLOSED = /^(?:(\d)\uFE0F?\u20E3|([①-⒵Ⓐ-ⓩ⓪-⓾❶-➓㈠-㈩㊀-㊉㉑-㉟㊱-㊿Ⅰ-Ⅻⅰ-ⅻ])[.．、)）]?)\s{0,40}/u;

function numberOf(text: string): Label | null {
  return enclosedOf(text) ?? bracketedOf(text) ?? closedOf(text) ?? levelsOf(text);
}

function enclosedOf(text: string): Label | null {
  const found = ENCLOSED.exec(text);
  if (!found) return null;
  const [all, key, character] = found;
  const reading =
    character === undefined ? { series: 'keycap', value: Number(key) } : readingOfEnclosed(character);
  return { ...ITEM, length: all.length, readings: [reading], numberSign: true, certain: true };
}

/** Where each run of numbered characters begins, and with which number. */
const ENCLOSED_RUNS: readonly (readonly [from: string, to: string, first: number])[] = [
  ['①', '⑳', 1],
  ['⑴', '⒇', 1],
  ['⒈', '⒛', 1],
  ['⒜', '⒵', 1],
  ['Ⓐ', 'Ⓩ', 1],
  ['ⓐ', 'ⓩ', 1],
  ['⓪', '⓪', 0],
  ['⓫', '⓴', 11],
  ['⓵', '⓾', 1],
  ['❶', '❿', 1],
  ['➀', '➉', 1],
  ['➊', '➓', 1],
  ['㈠', '㈩', 1],
  ['㊀', '㊉', 1],
  ['㉑', '㉟', 21],
  ['㊱', '㊿', 36],
  ['Ⅰ', 'Ⅻ', 1],
  ['ⅰ', 'ⅻ', 1],
];

/** ㉑ follows ⑳, though it stands elsewhere in Unicode. */
const SERIES_OF_RUN: Readonly<Record<string, string>> = { '㉑': '①', '㊱': '①', '⓫': '❶' };

function readingOfEnclosed(character: string): Reading {
  const [from, , first] = ENCLOSED_RUNS.find(([low, high]) => character >= low && character <= high) ?? [
    character,
    character,
    1,
  ];
  return { series: SERIES_OF_RUN[from] ?? from, value: first + character.charCodeAt(0) - from.charCodeAt(0) };
}

const FULL_WIDTH = /[（）［］【】〔〕．、：]/u;

function bracketedOf(text: string): Label | null {
  const found = BRACKETED.exec(text);
  if (!found) return null;
  const [all, open = '', counted = '', close = '', space = ''] = found;
  const spaced = space !== '' || FULL_WIDTH.test(open + close);
  const readings = readingsOf(counted, `${open}${close}`);
  if (readings.length === 0) return null;
  if (open === '[') {
    // "[a]" and "[1](address)" are Markdown's; our own numbered form is "[1] ".
    const number = readings.some(({ series }) => series.startsWith('digits'));
    return number && spaced ? { ...ITEM, length: all.length, readings, certain: counted.length <= 3 } : null;
  }
  return { ...ITEM, length: all.length, readings, certain: spaced && !/^\p{Nd}{4}/u.test(counted) };
}

/** A dot or bracket before a space makes a label of a number, and the bracket of a small letter too. */
function closedOf(text: string): Label | null {
  const found = CLOSED.exec(text);
  if (!found) return null;
  const [all, counted = '', close = '', space = ''] = found;
  const { readings, wide, certain } = closedLabel(counted, close);
  if (readings.length === 0) return null;
  const spaced = space !== '' || wide;
  // "1.No", but neither "3.5 litres", "３．５", "一、二楼" nor "U.S.".
  if (wide && /^[\p{Nd}一二三四五六七八九十]/u.test(text.slice(all.length))) return null;
  if (!spaced && !/^\p{L}(?!\.)/u.test(text.slice(all.length))) return null;
  return {
    length: all.length,
    kept: false,
    bullet: null,
    numberSign: false,
    readings,
    certain: certain === 'always' || (spaced && certain === 'spaced'),
  };
}

interface ClosedLabel {
  readonly readings: readonly Reading[];
  /** A full-width mark, which brings its own space. */
  readonly wide: boolean;
  /** Whether it begins an item without a neighbour: with a space behind it, or in any case. */
  readonly certain: 'always' | 'spaced' | 'never';
}

const closedLabel = remembered((counted: string, close: string): ClosedLabel => {
  const readings = readingsOf(counted, close);
  const wide = FULL_WIDTH.test(close);
  const plain = /^\p{Nd}{1,3}$/u.test(counted) && /^[.)．）]/u.test(close);
  // "1.1." begins a list, "24.12." may be a day.
  const levels = counted.includes('.') && readings[0]?.value === 1;
  const letter = /^[a-z]$/u.test(counted) && close === ')';
  if (close === '、' && /^(?:\p{Nd}|[〇一二三四五六七八九十百]|[ivx]{2})/iu.test(counted))
    return { readings, wide, certain: 'always' };
  return { readings, wide, certain: plain || levels || letter ? 'spaced' : 'never' };
});

function levelsOf(text: string): Label | null {
  const found = LEVELS.exec(text);
  if (!found) return null;
  const [all, counted = ''] = found;
  return { ...ITEM, length: all.length, readings: readingsOf(counted, '') };
}

/** "第一条", "§ 5", "Rule 1:": numbers with a name, which stays. */
const NAMED: readonly RegExp[] = [
  /^(第)([\p{Nd}一二三四五六七八九十]{1,5})[条條項项章款]/u,
  /^(§)\s?(\p{Nd}{1,3})[.:)]?\s/u,
  /^(\p{L}{2,20}\.?)\s(\p{Nd}{1,3})[.:：)]\s/u,
];

function namedOf(text: string): Label | null {
  for (const pattern of NAMED) {
    const [, name, counted] = pattern.exec(text) ?? [];
    if (name === undefined || counted === undefined) continue;
    return { ...ITEM, length: 0, readings: readingsOf(counted, `named ${name}`), kept: true };
  }
  return null;
}

/** All readings of what counts; the style tells "a)" from "a.". */
const readingsOf = remembered(newReadings);

function newReadings(counted: string, style: string): Reading[] {
  if (/^\p{Nd}/u.test(counted)) {
    const levels = counted.split(/[.．]/u).map(decimalOf);
    const value = levels.pop() ?? 0;
    return [{ series: `digits ${levels.map((level) => `${level}.`).join('')} ${style}`, value }];
  }
  const readings: Reading[] = [];
  const roman = romanOf(counted.toLowerCase());
  const upper = counted === counted.toUpperCase();
  const lower = counted === counted.toLowerCase();
  if (roman !== null && (upper || lower))
    readings.push({ series: `roman ${upper ? 'upper' : 'lower'} ${style}`, value: roman });
  const han = hanOf(counted);
  if (han !== null) readings.push({ series: `han ${style}`, value: han });
  if (/^\p{L}$/u.test(counted)) {
    for (const [series, letters] of ALPHABETS) {
      const index = letters.indexOf(counted);
      if (index >= 0) readings.push({ series: `${series} ${style}`, value: index + 1 });
    }
    if (/^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Hebrew}]$/u.test(counted))
      readings.push({ series: `letters ${style}`, value: counted.charCodeAt(0) });
  }
  return readings;
}

/** Where the ten digits of a script begin; all scripts have them in a row. */
const ZEROS = [
  0x30, 0x6_60, 0x6_f0, 0x9_66, 0x9_e6, 0xa_66, 0xa_e6, 0xb_66, 0xb_e6, 0xc_66, 0xc_e6, 0xd_66, 0xe_50,
  0xe_d0, 0xf_20, 0x10_40, 0x17_e0, 0x18_10, 0xff_10,
];

function decimalOf(digits: string): number {
  return Array.from(digits).reduce((value, digit) => {
    const code = digit.codePointAt(0) ?? 0;
    const zero = ZEROS.find((first) => code >= first && code < first + 10) ?? code;
    return value * 10 + code - zero;
  }, 0);
}

const ROMAN_TENS = ['', 'x', 'xx', 'xxx'];
const ROMAN_ONES = ['', 'i', 'ii', 'iii', 'iv', 'v', 'vi', 'vii', 'viii', 'ix'];
/** The first 39 numbers. Larger ones need letters that make words: "mix", "dim". */
const ROMANS: ReadonlyMap<string, number> = new Map(
  ROMAN_TENS.flatMap((tens, ten) =>
    ROMAN_ONES.map((ones, one) => [tens + ones, ten * 10 + one] as const),
  ).slice(1),
);

const romanOf = (text: string): number | null => ROMANS.get(text) ?? null;

const HAN_DIGITS = '〇一二三四五六七八九';

/** Numbers up to 99 as they are written before items: 三, 十二, 二十一. */
function hanOf(text: string): number | null {
  const parts = /^([一二三四五六七八九]?)十([一二三四五六七八九]?)$/u.exec(text);
  if (!parts) return /^[一二三四五六七八九]$/u.test(text) ? HAN_DIGITS.indexOf(text) : null;
  const [, tens = '', ones = ''] = parts;
  return (tens === '' ? 1 : HAN_DIGITS.indexOf(tens)) * 10 + (ones === '' ? 0 : HAN_DIGITS.indexOf(ones));
}

/** Orders of items that do not follow Unicode's. */
const ALPHABETS: readonly (readonly [string, string])[] = [
  ['hangul', '가나다라마바사아자차카타파하'],
  ['jamo', 'ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ'],
  ['stems', '甲乙丙丁戊己庚辛壬癸'],
  ['iroha', 'いろはにほへと'],
  ['kana', 'アイウエオカキクケコ'],
  ['abjad', 'أبجدهوزحطي'],
  ['thai', 'กขคงจฉชซ'],
];

/** Which labels a page has, so that doubtful ones can be believed where their neighbour is there too. */
export class Series {
  readonly #seen = new Set<string>();

  constructor(labels: Iterable<Label>) {
    for (const { readings } of labels) for (const one of readings) this.#seen.add(keyOf(one, 0));
  }

  believes(label: Label): boolean {
    return label.certain || label.readings.some((one) => this.#has(one, -1) || this.#has(one, 1));
  }

  /** The first of its series: a 1, or a letter without the one before it. */
  begins(label: Label): boolean {
    return label.readings.some((one) =>
      one.series.startsWith('letters') ? this.#has(one, 1) && !this.#has(one, -1) : one.value === 1,
    );
  }

  #has(reading: Reading, offset: number): boolean {
    return this.#seen.has(keyOf(reading, offset));
  }
}

const keyOf = ({ series, value }: Reading, offset: number): string => `${series} ${value + offset}`;

/** The readings by which the second label is the one behind the first; none where it is not. */
export const continued = (first: readonly Reading[], second: readonly Reading[]): Reading[] =>
  second.filter((one) => first.some(({ series, value }) => series === one.series && value + 1 === one.value));
