/**
 * The nouns of the grammar: how a policy names a category, a place, a count and "everything else".
 * `fresh` words occur in no training sentence; only the `newWords` split speaks them.
 */
import type { Category, Setting } from './types.js';

/** A noun phrase and whether its verb is plural. */
export interface Noun {
  readonly text: string;
  readonly plural: boolean;
}

/** Singular and plural of something that can be counted. */
export type CountNoun = readonly [singular: string, plural: string];

interface CategoryWords {
  readonly known: readonly Noun[];
  readonly fresh: readonly Noun[];
  readonly counted: readonly CountNoun[];
  readonly freshCounted: readonly CountNoun[];
}

const many = (text: string): Noun => ({ text, plural: true });
const mass = (text: string): Noun => ({ text, plural: false });

/** Each category's plain name first, then its synonyms. */
export const CATEGORY_WORDS: Readonly<Record<Category, CategoryWords>> = {
  weapons: {
    known: [many('weapons'), many('arms'), mass('weaponry'), many('dangerous weapons')],
    fresh: [many('firearms'), many('armaments')],
    counted: [
      ['weapon', 'weapons'],
      ['dangerous weapon', 'dangerous weapons'],
    ],
    freshCounted: [['firearm', 'firearms']],
  },
  alcohol: {
    known: [mass('alcohol'), many('alcoholic drinks'), mass('liquor'), many('strong drinks')],
    fresh: [mass('booze'), many('intoxicating beverages')],
    counted: [
      ['alcoholic drink', 'alcoholic drinks'],
      ['strong drink', 'strong drinks'],
    ],
    freshCounted: [['intoxicating beverage', 'intoxicating beverages']],
  },
  drugs: {
    known: [many('drugs'), many('narcotics'), many('illegal drugs'), mass('drug use')],
    fresh: [mass('dope'), many('controlled substances')],
    counted: [
      ['drug', 'drugs'],
      ['illegal drug', 'illegal drugs'],
    ],
    freshCounted: [['controlled substance', 'controlled substances']],
  },
  gambling: {
    known: [mass('gambling'), mass('betting'), many('games of chance'), many('gambling games')],
    fresh: [mass('wagering'), mass('casino play')],
    counted: [
      ['gambling game', 'gambling games'],
      ['game of chance', 'games of chance'],
    ],
    freshCounted: [['casino wager', 'casino wagers']],
  },
  monsters: {
    known: [many('monsters'), many('scary creatures'), many('scary monsters'), mass('horror')],
    fresh: [many('fiends'), many('ghastly beasts')],
    counted: [
      ['monster', 'monsters'],
      ['scary creature', 'scary creatures'],
    ],
    freshCounted: [['fiend', 'fiends']],
  },
  gore: {
    known: [mass('gore'), many('gory things'), mass('blood'), many('bloody things')],
    fresh: [mass('carnage'), many('gruesome sights')],
    counted: [
      ['gory thing', 'gory things'],
      ['bloody thing', 'bloody things'],
    ],
    freshCounted: [['gruesome sight', 'gruesome sights']],
  },
  religion: {
    known: [mass('religion'), many('religious symbols'), mass('faith'), many('religious signs')],
    fresh: [mass('worship'), many('sacred emblems')],
    counted: [
      ['religious symbol', 'religious symbols'],
      ['religious sign', 'religious signs'],
    ],
    freshCounted: [['sacred emblem', 'sacred emblems']],
  },
  politics: {
    known: [mass('politics'), many('political symbols'), many('political signs'), many('political things')],
    fresh: [mass('electioneering'), many('partisan emblems')],
    counted: [
      ['political symbol', 'political symbols'],
      ['political sign', 'political signs'],
    ],
    freshCounted: [['partisan emblem', 'partisan emblems']],
  },
  money: {
    known: [mass('money'), mass('cash'), many('riches'), many('money symbols')],
    fresh: [mass('currency'), mass('wealth')],
    counted: [
      ['money symbol', 'money symbols'],
      ['money sign', 'money signs'],
    ],
    freshCounted: [['currency item', 'currency items']],
  },
  romance: {
    known: [mass('romance'), mass('love'), many('romantic signs'), many('love symbols')],
    fresh: [mass('affection'), mass('courtship')],
    counted: [
      ['romantic sign', 'romantic signs'],
      ['love symbol', 'love symbols'],
    ],
    freshCounted: [['amorous token', 'amorous tokens']],
  },
  disaster: {
    known: [many('disasters'), mass('disaster'), many('catastrophes'), many('disaster scenes')],
    fresh: [many('calamities'), mass('devastation')],
    counted: [
      ['disaster', 'disasters'],
      ['catastrophe', 'catastrophes'],
    ],
    freshCounted: [['calamity', 'calamities']],
  },
  insects: {
    known: [many('insects'), many('bugs'), many('crawling insects'), many('crawling bugs')],
    fresh: [many('pests'), mass('vermin')],
    counted: [
      ['insect', 'insects'],
      ['bug', 'bugs'],
    ],
    freshCounted: [['pest', 'pests']],
  },
};

/** What may stand around a category's noun where a whole noun phrase fits; `#` is the noun, null keeps its number. */
export const MODIFIERS: readonly (readonly [pattern: string, plural: boolean | null, weight: number])[] = [
  ['#', null, 8],
  ['any #', null, 1],
  ['# of any kind', null, 1],
  ['# in any form', null, 1],
  ['any kind of #', false, 1],
  ['anything about #', false, 1],
  ['pictures of #', true, 1],
  ['pictures with #', true, 1],
  ['images of #', true, 1],
  ['anything with #', false, 1],
];

/** The same where the phrase opens the sentence: nothing before it can negate "all". */
export const OPENING_MODIFIERS: typeof MODIFIERS = [...MODIFIERS, ['all #', null, 2]];

/** The same after "no" and other places where "all" or "any" would be wrong. */
export const BARE_MODIFIERS: readonly (readonly [pattern: string, plural: boolean | null, weight: number])[] =
  [
    ['#', null, 6],
    ['pictures of #', true, 1],
    ['images of #', true, 1],
    ['# of any kind', null, 1],
  ];

/** Every sensitive category that no statement names. */
export const OTHERS: readonly Noun[] = [
  mass('any other sensitive subject'),
  many('other sensitive subjects'),
  many('the other sensitive subjects'),
  mass('any sensitive subject not named here'),
  many('sensitive subjects not named here'),
  many('sensitive things not listed here'),
  mass('anything else that is sensitive'),
  mass('any other sensitive thing'),
];

/** {@link OTHERS} and what only opens a sentence. */
export const OPENING_OTHERS: readonly Noun[] = [
  ...OTHERS,
  mass('every other sensitive subject'),
  many('all other sensitive subjects'),
  mass('everything else that is sensitive'),
  mass('whatever else is sensitive'),
];

/** Those of {@link OTHERS} that may follow "no". */
export const BARE_OTHERS: readonly Noun[] = [
  many('other sensitive subjects'),
  many('sensitive subjects not named here'),
  many('sensitive things not listed here'),
];

export const FRESH_OTHERS: readonly Noun[] = [
  mass('any remaining delicate topic'),
  many('unmentioned delicate topics'),
  many('remaining touchy themes'),
];

interface PlaceWords {
  readonly one: string;
  readonly many: string;
  readonly preposition: 'in' | 'on';
  /** Further ways to say "in a …". */
  readonly more: readonly string[];
}

export const PLACE_WORDS: Readonly<Record<Setting, PlaceWords>> = {
  hospital: {
    one: 'a hospital',
    many: 'hospitals',
    preposition: 'in',
    more: ['inside a hospital', 'inside hospitals'],
  },
  school: {
    one: 'a school',
    many: 'schools',
    preposition: 'in',
    more: ['at school', 'inside a school', 'at schools'],
  },
  museum: { one: 'a museum', many: 'museums', preposition: 'in', more: ['inside a museum', 'at museums'] },
  home: { one: 'a home', many: 'homes', preposition: 'in', more: ['at home', 'inside homes'] },
  stadium: {
    one: 'a stadium',
    many: 'stadiums',
    preposition: 'in',
    more: ['at a stadium', 'inside stadiums'],
  },
  church: { one: 'a church', many: 'churches', preposition: 'in', more: ['at church', 'inside a church'] },
  beach: { one: 'a beach', many: 'beaches', preposition: 'on', more: ['at the beach', 'at beaches'] },
  office: {
    one: 'an office',
    many: 'offices',
    preposition: 'in',
    more: ['at the office', 'inside an office'],
  },
};

/** Ways to say "in these places". */
export function insidePhrases(settings: readonly Setting[]): string[] {
  const [a, b] = settings.map((setting) => PLACE_WORDS[setting]);
  if (!b) {
    const bare = a.one.replace(/^an? /, '');
    return [
      `${a.preposition} ${a.one}`,
      `${a.preposition} ${a.many}`,
      `${a.preposition} any ${bare}`,
      ...a.more,
    ];
  }
  const second = a.preposition === b.preposition ? '' : `${b.preposition} `;
  return [
    `${a.preposition} ${a.many} or ${second}${b.many}`,
    `${a.preposition} ${a.one} or ${second}${b.one}`,
    `${a.preposition} ${a.many} and ${second}${b.many}`,
  ];
}

/** Ways to say "outside these places". */
export function outsidePhrases(settings: readonly Setting[]): string[] {
  const [a, b] = settings.map((setting) => PLACE_WORDS[setting]);
  if (!b) return [`outside ${a.one}`, `outside ${a.many}`, `outside of ${a.many}`];
  return [
    `outside ${a.many} and ${b.many}`,
    `outside ${a.one} or ${b.one}`,
    `outside of ${a.many} or ${b.many}`,
  ];
}

/** The places as a plural noun phrase. */
export function placePhrases(settings: readonly Setting[]): string[] {
  const [a, b] = settings.map((setting) => PLACE_WORDS[setting]);
  if (!b) return [a.many, `all ${a.many}`];
  return [`${a.many} and ${b.many}`, `${a.many} or ${b.many}`];
}

/** Numbers as words and digits; index = the number. */
export const NUMBERS: readonly (readonly string[])[] = [
  ['zero', '0'],
  ['one', '1'],
  ['two', '2'],
  ['three', '3'],
];
