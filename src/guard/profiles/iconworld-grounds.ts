/**
 * @module Whether a verdict of an IconWorld model stands on its own lines: they agree with each other and with the verdict,
 * cite what the policy says, and rest on wording that the model was trained to read. In doubt there is no verdict.
 */
import { type CitedStatement, citationFault, shortened } from '../citations.js';
import type { Problem } from '../verdict.js';
import type { KnownStatement, Vocabulary } from '../vocabulary.js';
import type { IconworldAnswer } from './iconworld-answer.js';

/**
 * Training strews at most two words that rule nothing into a sentence: with more strange words than that, a sentence that
 * names the category is none that the model was trained to read.
 */
const MAX_STRANGE = 2;
/** Strange words that an explanation names. */
const SHOWN_WORDS = 4;

/** What every explanation of this kind ends with. */
const REMEDY = 'this model cannot read that wording, and a Qwen2.5-VL guardrail given with --model can';

/** One line with a citation: the categories it is about and what it says of them. */
interface Line extends CitedStatement {
  readonly number: number;
  readonly categories: readonly string[];
}

/** Why a judged answer is no verdict; null where it stands. */
export function groundsProblem(
  answer: IconworldAnswer,
  statements: readonly string[],
  vocabulary: Vocabulary | null,
): Problem | null {
  const contradiction = contradictionIn(answer);
  if (contradiction !== null) return { kind: 'contradictory', message: contradiction };
  const lines = linesOf(answer);
  const fault =
    citationFault(lines, statements, { slips: true }) ??
    (vocabulary === null ? null : wordingFault(lines, vocabulary.statements(statements)));
  return fault === null ? null : { kind: 'miscited', message: `${fault}: ${REMEDY}` };
}

function linesOf({ things, groups }: IconworldAnswer): Line[] {
  return [
    ...things.flatMap(({ category, citation }) =>
      citation === null || category === null ? [] : [{ ...citation, categories: [category] }],
    ),
    ...groups.map(({ categories, citation }) => ({ ...citation, categories })),
  ];
}

/** What the answer says twice and differently. */
function contradictionIn({ verdict, violatedRule, things, groups }: IconworldAnswer): string | null {
  if (verdict === 'safe' && violatedRule !== null) {
    return `the answer says that statement ${violatedRule} is broken, and ends with yes`;
  }
  if (verdict === 'unsafe' && violatedRule === null) {
    return 'the answer ends with no, and says of no statement that it is broken';
  }
  const statuses = new Map<string, string>();
  for (const { category, citation } of things) {
    if (citation === null) continue;
    const key = `${category} [${citation.number}]`;
    if ((statuses.get(key) ?? citation.status) !== citation.status) {
      return `the answer says that statement ${citation.number} both bans and allows ${category}`;
    }
    statuses.set(key, citation.status);
  }
  const countOf = (category: string): number => things.filter((thing) => thing.category === category).length;
  for (const { categories, count, citation } of groups) {
    const agrees =
      count === null
        ? categories.every((category) => countOf(category) > 0)
        : countOf(categories[0]) === count;
    if (!agrees) return `what the answer counts for statement ${citation.number} is not what it sees`;
  }
  return null;
}

/** The first line that rests on wording outside of the model's training; `known` is of the policy's statements. */
function wordingFault(lines: readonly Line[], known: readonly KnownStatement[]): string | null {
  const restsOnRest = (number: number): boolean => known[number - 1].subjects.size === 0;
  for (const { number, categories } of lines) {
    const { subjects, unknown } = known[number - 1];
    if (subjects.size > 0 && !categories.every((category) => subjects.has(category))) {
      return `the answer judges ${categories.join(' and ')} by statement ${number}, which is about ${[...subjects].join(' and ')}`;
    }
    if (unknown.length > (subjects.size > 0 ? MAX_STRANGE : 0)) return strange(number, unknown);
  }
  // A statement on everything else holds only where all that rule something are understood.
  const rest = lines.find(({ number }) => restsOnRest(number));
  if (rest === undefined) return null;
  const riddle = known.findIndex(({ rules, unknown }) => rules && unknown.length > 0);
  return riddle < 0
    ? null
    : `the answer takes statement ${rest.number} for everything else, and ${strange(riddle + 1, known[riddle].unknown)}`;
}

function strange(number: number, words: readonly string[]): string {
  const named = words.slice(0, SHOWN_WORDS).map(shortened).join(', ');
  return `statement ${number} has words that the model was never trained on (${named}${words.length > SHOWN_WORDS ? ', …' : ''})`;
}
