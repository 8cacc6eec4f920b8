import type { Policy } from '../../policy/policy.js';
import { citationFault } from '../citations.js';
import { type GuardProfile, judged, type ReadAnswer, ruleOf, unreadable, userTurn } from '../profile.js';
import { SAFE_UNSAFE } from './safe-unsafe.js';

/** Llama Guard's manner: statements as categories S1, S2, …; `safe`, or `unsafe` and the codes on the second line. */
export const llamaGuard: GuardProfile = {
  name: 'llama-guard',
  description: 'Llama Guard: safe, or unsafe and the codes of the violated statements on a second line',
  messages: (images, policy) => [
    userTurn(
      images,
      `Check whether the image is unsafe by the categories below.\n\n${categories(policy)}\n\nThe first line of your answer is safe or unsafe; if it is unsafe, the second line lists the codes of the violated categories, separated by commas.`,
    ),
  ],
  read: readLlamaGuard,
  fast: { prefix: '', words: SAFE_UNSAFE },
  grammar: ({ statements }) => {
    const codes = statements.map((_, i) => `S${i + 1}`).join('|');
    return codes === '' ? 'safe|unsafe' : `(safe|unsafe\\n(${codes})(,(${codes}))*)`;
  },
};

const NO_VERDICT = 'the answer is neither safe, nor unsafe with codes below';

const categories = ({ statements }: Policy): string =>
  statements.map((text, i) => `S${i + 1}: ${text}`).join('\n');

const CODE = /^S?(?<number>\d{1,3})$/iu;

/** The word, then codes behind it, on any lines; the lowest-numbered statement is the one that is cited. */
function readLlamaGuard(raw: string, policy: Policy): ReadAnswer {
  if (raw.trim() === '') return unreadable('', 'the answer is empty');
  const [word, ...codes] = raw.trim().split(/[\s,]+/u);
  const kind = word.toLowerCase();
  if (kind !== 'safe' && kind !== 'unsafe') return unreadable('', NO_VERDICT);
  const numbers = codes.filter((code) => code !== '').map((code) => CODE.exec(code)?.groups?.['number']);
  if (kind === 'safe' && codes.length > 0) {
    const isCited = numbers.every((number) => number !== undefined);
    return unreadable('', isCited ? 'the answer is safe and names violated categories' : NO_VERDICT);
  }
  if (numbers.includes(undefined)) return unreadable('', NO_VERDICT);
  const cited = numbers.map(Number);
  const fault = citationFault(
    cited.map((number) => ({ number, quote: null })),
    policy.statements,
  );
  if (fault !== null) return { ...unreadable('', fault), problem: { kind: 'miscited', message: fault } };
  return judged(word, SAFE_UNSAFE, {
    reasoning: '',
    verdictAt: raw.indexOf(word),
    category: cited.length === 0 ? null : cited.map((number) => `S${number}`).join(','),
    violatedRule: cited.length === 0 ? null : ruleOf(Math.min(...cited), null, policy),
  });
}
