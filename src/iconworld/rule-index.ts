/** A policy read statement by statement: what each one rules, in fixed words. Teaches where a statement's number is. */
import { PLACE_NAMES } from './answer.js';
import type { Rule, Setting, Statement } from './types.js';

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

/** `[1] weapons: banned`, a line each. */
export function indexText(statements: readonly Statement[]): string {
  return statements.map(({ rule }, i) => `[${i + 1}] ${describe(rule.kind, rule)}`).join('\n');
}
