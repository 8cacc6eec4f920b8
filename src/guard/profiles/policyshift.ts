import type { Policy } from '../../policy/policy.js';
import {
  type GuardProfile,
  judged,
  type ReadAnswer,
  ruleOf,
  unreadable,
  userTurn,
  type VerdictWords,
} from '../profile.js';

const TRUE_IS_UNSAFE: VerdictWords = { safe: ['false'], unsafe: ['true'] };

/** PolicyShiftGuard (`ssmisya/PolicyShiftGuard`): statements under two-digit ids; `true | 03 | reason`, `false | reason`. */
export const policyshift: GuardProfile = {
  name: 'policyshift',
  description: 'PolicyShiftGuard: true | NN | reason, or false | reason; true = the policy is violated',
  messages: (images, policy) => [
    userTurn(
      images,
      `${policies(policy)}\n\nBased on these policies, determine if the image violates any policy.\n\nUse exactly one of these two forms and nothing else.\nA violation: true | <two-digit Risk Category ID> | a short reason\nNo violation: false | a short reason`,
    ),
  ],
  read: readPolicyshift,
  thinks: true,
  fast: { prefix: '', words: TRUE_IS_UNSAFE },
  grammar: ({ statements }) => {
    const ids = statements.map((_, i) => twoDigits(i + 1)).join('|') || '00';
    return `(true \\| (${ids})|false) \\| [A-Za-z][^|\\n]*`;
  },
};

const twoDigits = (number: number): string => String(number).padStart(2, '0');

const policies = ({ statements }: Policy): string =>
  statements.map((text, i) => `Risk Category ${twoDigits(i + 1)}: ${text}`).join('\n');

/** All three forms that the family is trained in: with a reason behind, with a thought before, with neither. */
const WHOLE =
  /^\s*(?:<think>(?<thought>(?:(?!<\/?think>)[\s\S])*)<\/think>\s*)?(?<word>true|false)(?: \| (?<id>\d{2}))?(?: \| (?<reason>[^\n]*\S))?\s*$/u;

function readPolicyshift(raw: string, policy: Policy): ReadAnswer {
  if (raw.trim() === '') return unreadable('', 'the answer is empty');
  const groups = WHOLE.exec(raw)?.groups;
  const { thought, word, id, reason } = groups ?? {};
  const reasoning = (thought ?? reason ?? '').trim();
  const twice = thought !== undefined && reason !== undefined;
  const shaped = word === 'true' ? id !== undefined : id === undefined;
  if (word === undefined || twice || !shaped) {
    return unreadable(reasoning, 'the answer is neither "true | NN | reason" nor "false | reason"');
  }
  const number = id === undefined ? null : Number(id);
  return judged(word, TRUE_IS_UNSAFE, {
    reasoning,
    verdictAt: raw.search(/(?:true|false)(?: \| [^\n]*)?\s*$/u),
    category: id ?? null,
    violatedRule: number === null ? null : ruleOf(number, null, policy),
  });
}
