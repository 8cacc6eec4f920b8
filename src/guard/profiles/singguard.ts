import type { Policy } from '../../policy/policy.js';
import { citationFault } from '../citations.js';
import { type GuardProfile, judged, type ReadAnswer, ruleOf, unreadable, userTurn } from '../profile.js';
import { SAFE_UNSAFE } from './safe-unsafe.js';

/** SingGuard: the verdict on the first line, then reasons, then the title of the rule that is triggered, or Safe. */
export const singguard: GuardProfile = {
  name: 'singguard',
  description: 'SingGuard: safe or unsafe on line 1, reasoning, <answer>rule|Safe</answer>',
  messages: (images, policy) => [
    userTurn(
      images,
      `Judge the image by these rules:\n${policy.statements.map((text) => `- ${text}`).join('\n')}\n\nLine 1: safe or unsafe. Then your reasoning. Then <answer>the rule that is violated, word for word, or Safe</answer>.`,
    ),
  ],
  read: readSingguard,
  fast: { prefix: '', words: SAFE_UNSAFE },
  grammar: null,
};

const [ANSWER, ANSWER_END] = ['<answer>', '</answer>'];
const SHAPE = 'the answer has no verdict on its first line, or no <answer> at its end';

/** The rule must be one of the policy's: a title that the policy does not have is no citation. */
function readSingguard(raw: string, policy: Policy): ReadAnswer {
  const whole = raw.trim();
  if (whole === '') return unreadable('', 'the answer is empty');
  const lineEnd = whole.indexOf('\n');
  const word = whole.slice(0, Math.max(0, lineEnd)).trim();
  const at = whole.indexOf(ANSWER);
  const thought = whole.slice(Math.max(0, lineEnd), at < 0 ? whole.length : at).trim();
  const isShaped = (word === 'safe' || word === 'unsafe') && at >= 0 && whole.endsWith(ANSWER_END);
  if (!isShaped) return unreadable(thought, SHAPE);
  const rule = whole.slice(at + ANSWER.length, -ANSWER_END.length).trim();
  if (rule === '' || rule.includes('<') || rule.includes('>')) return unreadable(thought, SHAPE);
  const saysSafe = rule.toLowerCase() === 'safe';
  if (saysSafe !== (word === 'safe')) return unreadable(thought, 'the first line and the <answer> disagree');
  const fault = saysSafe ? null : citationFault([{ number: null, quote: rule }], policy.statements);
  if (fault !== null) return { ...unreadable(thought, fault), problem: { kind: 'miscited', message: fault } };
  const number = policy.statements.indexOf(rule) + 1;
  return judged(word, SAFE_UNSAFE, {
    reasoning: thought,
    verdictAt: raw.indexOf(word),
    violatedRule: saysSafe ? null : ruleOf(number, rule, policy),
  });
}
