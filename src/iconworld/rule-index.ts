/**
 * Two ways through a policy, in fixed words: from each statement's number to what it rules (the index), and from a category
 * to the number of the statement that decides about it (locating). Reading a policy needs the second.
 */
import { PLACE_NAMES } from './answer.js';
import { decidingIndex } from './label.js';
import type { Category, Rule, Setting, Statement } from './types.js';

/** What the user asks for after the numbered policy. */
export const INDEX_PROMPT = 'What does each statement rule?';

const places = (settings: readonly Setting[]): string =>
  settings.map((setting) => PLACE_NAMES[setting]).join(' or ');

type Describe = { readonly [Kind in Rule['kind']]: (rule: Extract<Rule, { kind: Kind }>) => string };

const DESCRIBE: Describe = {
  ban: ({ categories }) => `${categories.join(', ')}: banned`,
  allow: ({ categories }) => `${categories.join(', ')}: allowed`,
  onlyIn: ({ categories, settings }) => `${categories.join(', ')}: allowed only ${places(settings)}`,
  neverIn: ({ categories, settings }) => `${categories.join(', ')}: banned ${places(settings)}`,
  neverTogether: ({ categories }) => `${categories.join(' + ')}: banned together`,
  atMost: ({ category, count }) => `${category}: at most ${count}`,
  default: ({ banned }) => `others: ${banned ? 'banned' : 'allowed'}`,
  voice: () => 'nothing',
};

const describe = <Kind extends Rule['kind']>(kind: Kind, rule: Extract<Rule, { kind: Kind }>): string =>
  DESCRIBE[kind](rule);

/** `- [1] weapons: banned`, a line each. */
export function indexText(statements: readonly Statement[]): string {
  return statements.map(({ rule }, i) => `- [${i + 1}] ${describe(rule.kind, rule)}`).join('\n');
}

/** What the user asks for before the numbered policy. */
export const LOCATE_PROMPT = 'Which statement decides?';

/** `- weapons [2]`, a line each: almost every second token is a number, so that finding it is most of the loss. */
export function locateText(categories: readonly Category[], statements: readonly Statement[]): string {
  const rules = statements.map(({ rule }) => rule);
  return categories.map((category) => `- ${category} [${decidingIndex(category, rules) + 1}]`).join('\n');
}

/** What the user asks for before the numbered policy. */
export const FIND_WORDS_PROMPT = 'Which statement has each word?';

/** Lower case and behind a space: a word then has the same tokens in the policy and in the answer. */
const ASKABLE = /(?<= )[a-z]{3,}(?![\p{L}'’-])/gu;

/** The words that stand in one statement only, with its number from 1. */
export function ownWords(texts: readonly string[]): { readonly word: string; readonly number: number }[] {
  const holders = new Map<string, Set<number>>();
  for (const [index, text] of texts.entries()) {
    for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
      holders.set(word, (holders.get(word) ?? new Set()).add(index + 1));
    }
  }
  return texts.flatMap((text, index) =>
    [...new Set(text.match(ASKABLE))]
      .filter((word) => holders.get(word)?.size === 1)
      .map((word) => ({ word, number: index + 1 })),
  );
}
