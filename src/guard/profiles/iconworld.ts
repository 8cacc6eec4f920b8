import type { Policy } from '../../policy/policy.js';
import { type GuardProfile, type ReadAnswer, ruleOf, unreadable, userTurn } from '../profile.js';
import type { Problem } from '../verdict.js';
import type { Vocabulary } from '../vocabulary.js';
import { citableStatements } from './iconworld-prompt.js';
import { type IconworldAnswer, parseIconworldAnswer } from './iconworld-answer.js';
import { groundsProblem } from './iconworld-grounds.js';
import { readTaggedAnswer, reasoningOf, YES_IS_SAFE } from './tagged-answer.js';

/** safeguard-vl-tiny: the image, then the numbered statements; answers name what is seen, cite and quote. */
export const iconworld: GuardProfile = knowing(null);

function knowing(vocabulary: Vocabulary | null): GuardProfile {
  return {
    name: 'iconworld',
    description: 'safeguard-vl-tiny: things seen, cited statements, <answer>yes|no</answer>, yes = safe',
    messages: (images, policy) => [userTurn(images, citableStatements(policy.statements))],
    read: (raw, policy) => readIconworld(raw, policy, vocabulary),
    claim: claimed,
    thinks: true,
    fast: { prefix: '<answer', lead: '>', words: YES_IS_SAFE },
    grammar: null,
    vocabulary,
    withVocabulary: knowing,
  };
}

const PROBLEMS: Readonly<Record<IconworldAnswer['kind'], Problem | null>> = {
  judged: null,
  unknown: { kind: 'unknownPicture', message: 'the model does not know such pictures' },
  malformed: { kind: 'unreadable', message: "the answer does not follow the model's format" },
};

const ANCHOR = '<answer>';
/** An answer at once, as the model is also trained to give. */
const BARE = /^\s*<answer>(?:yes|no)<\/answer>\s*$/u;

function readIconworld(raw: string, policy: Policy, vocabulary: Vocabulary | null): ReadAnswer {
  const answer = parseIconworldAnswer(raw);
  const problem = answer.kind === 'judged' ? groundsProblem(answer, policy.statements, vocabulary) : null;
  return problem === null
    ? claimed(raw, policy)
    : { ...unreadable(reasoningOf(raw), problem.message), problem };
}

function claimed(raw: string, policy: Policy): ReadAnswer {
  if (BARE.test(raw)) return readTaggedAnswer(raw, YES_IS_SAFE);
  const answer = parseIconworldAnswer(raw);
  const isJudged = answer.kind === 'judged';
  return {
    label: answer.verdict,
    reasoning: reasoningOf(raw),
    ...decisionOf(answer, policy),
    verdictAt: isJudged ? raw.lastIndexOf(ANCHOR) + ANCHOR.length : null,
    words: isJudged ? YES_IS_SAFE : null,
    problem: PROBLEMS[answer.kind],
  };
}

/** The lowest-numbered statement said to be broken, and the category it is about; none for a safe picture. */
function decisionOf(answer: IconworldAnswer, policy: Policy): Pick<ReadAnswer, 'category' | 'violatedRule'> {
  const number = answer.verdict === 'unsafe' ? answer.violatedRule : null;
  const cited = [
    ...answer.things.map(({ category, citation }) => ({ category, citation })),
    ...answer.groups.map(({ categories, citation }) => ({ category: categories.join(' + '), citation })),
  ].find(({ citation }) => citation?.number === number && ['banned', 'broken'].includes(citation.status));
  if (number === null || !cited?.citation) return { category: null, violatedRule: null };
  return { category: cited.category, violatedRule: ruleOf(number, cited.citation.quote, policy) };
}
