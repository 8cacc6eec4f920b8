import type { Policy } from '../../policy/policy.js';
import type { GuardProfile, ReadAnswer } from '../profile.js';
import type { Problem, ViolatedRule } from '../verdict.js';
import { type IconworldAnswer, parseIconworldAnswer } from './iconworld-answer.js';
import { reasoningOf, YES_IS_SAFE } from './tagged-answer.js';

/** safeguard-vl-tiny: the image, then the numbered statements; answers name what is seen, cite and quote. */
export const iconworld: GuardProfile = {
  name: 'iconworld',
  description: 'safeguard-vl-tiny: things seen, cited statements, <answer>yes|no</answer>, yes = safe',
  verdictTokens: YES_IS_SAFE,
  messages: (image, policy) => [
    {
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text: policy.numbered },
      ],
    },
  ],
  read: readIconworld,
};

const PROBLEMS: Readonly<Record<IconworldAnswer['kind'], Problem | null>> = {
  judged: null,
  unknown: { kind: 'unknownPicture', message: 'the model does not know such pictures' },
  malformed: { kind: 'unreadable', message: "the answer does not follow the model's format" },
};

function readIconworld(raw: string, policy: Policy): ReadAnswer {
  const answer = parseIconworldAnswer(raw);
  const { anchor } = YES_IS_SAFE;
  return {
    label: answer.verdict,
    reasoning: reasoningOf(raw),
    ...decisionOf(answer, policy),
    verdictAt: answer.kind === 'judged' ? raw.lastIndexOf(anchor) + anchor.length : null,
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

function ruleOf(number: number, quote: string, policy: Policy): ViolatedRule {
  const statement = policy.statements[number - 1];
  return { number, text: statement ?? quote, quotedExactly: statement === quote };
}
