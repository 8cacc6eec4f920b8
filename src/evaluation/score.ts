/** @module One answer held against the facts and the policy: what is named, cited, concluded. */
import type { AnsweredGroup, AnsweredThing } from '../guard/profiles/iconworld-answer.js';
import { groundsProblem } from '../guard/profiles/iconworld-grounds.js';
import { Vocabulary } from '../guard/vocabulary.js';
import { parseAnswer, seenLine } from '../iconworld/answer.js';
import { type GroupJudgement, judgeScene } from '../iconworld/label.js';
import type { IconPolicy, SceneFacts } from '../iconworld/types.js';
import { trainingVocabulary } from '../iconworld/vocabulary.js';
import { overlapOf } from '../util/overlap.js';
import type { Tally } from './metrics.js';

/** What the first line of an answer says it sees. */
export interface SeenScore {
  /** Things named right, as a multiset: a name said twice needs two such things. */
  readonly named: Tally;
  readonly setting: boolean;
}

export interface AnswerScore extends SeenScore {
  readonly label: 'safe' | 'unsafe';
  readonly verdict: 'safe' | 'unsafe' | 'invalid';
  /** A broken answer counts as the opposite of the label, so as wrong. */
  readonly saidUnsafe: boolean;
  /** Things whose name and status (banned, allowed, harmless) are both right. */
  readonly status: Tally;
  /** Sensitive things whose cited number and quotation are both right. */
  readonly quoted: Tally;
  /** Never-together and at-most lines that are right in everything, of those that should be there. */
  readonly together: Tally;
  readonly atMost: Tally;
  /** Lines of either kind that should not be there. */
  readonly spurious: number;
  /** Whether the profile, which checks what a verdict rests on, reads this verdict as invalid. */
  readonly refused: boolean;
}

/** What the models of IconWorld were trained to read. */
const VOCABULARY = new Vocabulary(trainingVocabulary());

const SEEN_LINE = /^(?:<think>)?([^:]+): (.+)\.$/;

/** Scores a first line (`In a school: pistol, apple.`), with or without the answer that follows it. */
export function scoreSeen(answer: string, facts: SceneFacts): SeenScore {
  const [, place, list] = SEEN_LINE.exec(firstLine(answer)) ?? [];
  const names = facts.things.map(({ name }) => name);
  return {
    named: { right: list === undefined ? 0 : overlapOf(names, list.split(', ')), of: names.length },
    setting: place !== undefined && seenLine(facts).startsWith(`${place}: `),
  };
}

const firstLine = (answer: string): string => answer.trim().split(/\n|<\/think>/)[0];

/** Scores a whole answer to a scene under a policy. */
export function scoreAnswer(
  answer: string,
  facts: SceneFacts,
  { statements }: Pick<IconPolicy, 'statements'>,
): AnswerScore {
  const gold = judgeScene(facts, { statements });
  const read = parseAnswer(answer);
  const textOf = (number: number): string => statements[number - 1].text;
  const texts = statements.map(({ text }) => text);
  const lines = gold.things.map(({ icon, number, banned }) => ({
    status: `${icon.name}: ${number === null ? 'harmless' : banned ? 'banned' : 'allowed'}`,
    citation: number === null ? null : `${icon.name} [${number}] ${textOf(number)}`,
  }));
  const citations = lines.flatMap(({ citation }) => citation ?? []);
  const groups = gold.groups.map((group) => ({ kind: group.rule.kind, text: goldGroup(group, textOf) }));
  const said = read.groups.map(answeredGroup);
  const tally = (wanted: readonly string[], given: readonly string[]): Tally => ({
    right: overlapOf(wanted, given),
    of: wanted.length,
  });
  const groupTally = (kind: GroupJudgement['rule']['kind']): Tally =>
    tally(
      groups.filter((group) => group.kind === kind).map(({ text }) => text),
      said,
    );
  return {
    ...scoreSeen(answer, facts),
    label: gold.label,
    verdict: read.verdict,
    saidUnsafe: read.verdict === 'invalid' ? gold.label === 'safe' : read.verdict === 'unsafe',
    status: tally(
      lines.map(({ status }) => status),
      read.things.map(answeredStatus),
    ),
    quoted: tally(citations, read.things.flatMap(answeredCitation)),
    together: groupTally('neverTogether'),
    atMost: groupTally('atMost'),
    spurious: read.groups.filter(
      ({ citation }) => !gold.groups.some(({ number }) => number === citation.number),
    ).length,
    refused: read.kind === 'judged' && groundsProblem(read, texts, VOCABULARY) !== null,
  };
}

const answeredStatus = ({ name, citation }: AnsweredThing): string =>
  `${name}: ${citation?.status ?? 'harmless'}`;

const answeredCitation = ({ name, citation }: AnsweredThing): string[] =>
  citation === null ? [] : [`${name} [${citation.number}] ${citation.quote}`];

function goldGroup(
  { number, rule, count, broken }: GroupJudgement,
  textOf: (number: number) => string,
): string {
  const what = rule.kind === 'neverTogether' ? rule.categories.join(' + ') : `${rule.category}: ${count}`;
  return `${what} [${number}] ${textOf(number)} ${broken ? 'broken' : 'kept'}`;
}

function answeredGroup({ categories, count, citation: { number, quote, status } }: AnsweredGroup): string {
  const what = count === null ? categories.join(' + ') : `${categories[0]}: ${count}`;
  return `${what} [${number}] ${quote} ${status}`;
}
