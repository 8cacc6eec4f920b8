import type { Policy } from '../../policy/policy.js';
import { citationFault } from '../citations.js';
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

const [THOUGHT, THOUGHT_END] = ['<think>', '</think>'];
const SHAPE = 'the answer is neither "true | NN | reason" nor "false | reason"';
/** Every end of a line, also those of Unicode: a second line may say the opposite. */
const LINE_END = /[\n\v\f\r\u0085\u2028\u2029]/u;
/** A reason that begins with the other verdict. */
const SAYS_TRUE = /^true\b/iu;
const IDS = /^\d{1,2}(?:\s?,\s?\d{1,2})*$/u;

/**
 * All three forms that the family is trained in: with a reason behind, with a thought before, with neither. Several ids and
 * ids of one digit are read, since they can only mean a violation; what says `false` must say it in the form itself.
 */
function readPolicyshift(raw: string, policy: Policy): ReadAnswer {
  if (raw.trim() === '') return unreadable('', 'the answer is empty');
  const { thought, verdictAt } = partsOf(raw);
  const line = raw.slice(verdictAt).trimEnd();
  const [word, ...parts] = line.split(' | ');
  const isViolated = word.toLowerCase() === 'true';
  const ids = isViolated ? (parts.shift() ?? '') : '';
  const reason = parts.length === 0 ? null : parts.join(' | ').trim();
  const reasoning = (thought ?? reason ?? '').trim();
  const isShaped =
    !LINE_END.test(line) &&
    !(thought !== null && (reason !== null || thought.includes(THOUGHT))) &&
    reason !== '' &&
    (isViolated
      ? IDS.test(ids)
      : word === 'false' && parts.length < 2 && !SAYS_TRUE.test(reason ?? '') && !IDS.test(reason ?? ''));
  if (!isShaped) return unreadable(reasoning, SHAPE);
  const cited = isViolated ? ids.split(',').map(Number) : [];
  const fault = citationFault(
    cited.map((number) => ({ number, quote: null })),
    policy.statements,
  );
  if (fault !== null)
    return { ...unreadable(reasoning, fault), problem: { kind: 'miscited', message: fault } };
  const lowest = cited.length === 0 ? null : Math.min(...cited);
  return judged(word, TRUE_IS_UNSAFE, {
    reasoning,
    verdictAt,
    category: lowest === null ? null : twoDigits(lowest),
    violatedRule: lowest === null ? null : ruleOf(lowest, null, policy),
  });
}

/** A thought that was ended, and where the verdict begins behind it. */
function partsOf(raw: string): { readonly thought: string | null; readonly verdictAt: number } {
  const start = raw.length - raw.trimStart().length;
  const end = raw.startsWith(THOUGHT, start) ? raw.indexOf(THOUGHT_END) : -1;
  if (end < 0) return { thought: null, verdictAt: start };
  const behind = end + THOUGHT_END.length;
  const verdictAt = raw.length - raw.slice(behind).trimStart().length;
  return { thought: raw.slice(start + THOUGHT.length, end), verdictAt };
}
