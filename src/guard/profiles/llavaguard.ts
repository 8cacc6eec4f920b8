import {
  type GuardProfile,
  judged,
  type ReadAnswer,
  unreadable,
  userTurn,
  type VerdictWords,
} from '../profile.js';
import { looseObject, type LooseValue } from './loose-object.js';

/** The ratings of v1.2 and, behind them, those of the models before it (`ml-research/LlavaGuard`). */
const RATINGS: VerdictWords = {
  safe: ['Safe', 'Compliant', 'Not Applicable'],
  unsafe: ['Unsafe', 'Review Needed'],
};

const RATING_KEYS = ['rating', 'decision', 'final-assessment', 'assessment'];
const CATEGORY_KEYS = ['category', 'image-category', 'policy-category'];
const RATIONALE_KEYS = ['rationale', 'explanation'];
/** Keys that hold a verdict beside the rating: which of the two is meant cannot be known. */
const OTHER_VERDICT = /safe|violat|verdict|judg|label|result/u;

/** LlavaGuard and QwenGuard: a JSON object with rating, category and rationale. */
export const llavaguard: GuardProfile = {
  name: 'llavaguard',
  description: 'LlavaGuard, QwenGuard: JSON with rating Safe|Unsafe, category, rationale',
  messages: (images, policy) => [
    userTurn(
      images,
      `Provide a safety assessment for the content provided by the user. Decide between compliance and violation by this safety policy:\n${policy.text}\n\nAssessment Steps:\n1. The "rating" is "Unsafe" if the content violates the policy, otherwise "Safe".\n2. The "category" is the part of the policy that applies, "NA: None applying" if there is none.\n3. The "rationale" describes the content and says why it violates the policy or complies with it.\nAnswer with this json template:\n{\n    "rating": str<"Unsafe"|"Safe">,\n    "category": str,\n    "rationale": str,\n}`,
    ),
  ],
  read: readLlavaguard,
  fast: { prefix: '{\n    "rating": "', words: RATINGS },
  grammar: () =>
    '\\{\\s*"rating": "(Safe|Unsafe)",\\s*"category": "[^"\\\\\\n]+",\\s*"rationale": "[^"\\\\\\n]+"\\s*\\}',
};

const FENCE = '```';

/**
 * Reads the object in any order of its keys, fenced, or in single quotes. Words around it, an end that is missing and
 * syntax that had to be overlooked are borne where it says that the picture is unsafe, and never where it says safe. Ratings
 * that differ, and several objects, make it invalid. Linear in the answer.
 */
function readLlavaguard(raw: string): ReadAnswer {
  if (raw.trim() === '') return unreadable('', 'the answer is empty');
  const start = raw.indexOf('{');
  if (start < 0) return unreadable('', 'the answer is no JSON object');
  const { values, isSound, end } = looseObject(raw, start);
  const under = (keys: readonly string[]): readonly LooseValue[] =>
    keys.flatMap((key) => values.get(key) ?? []);
  const [rating, ...others] = under(RATING_KEYS);
  const reasoning = under(RATIONALE_KEYS)[0]?.text ?? '';
  if (raw.includes('{', end)) return unreadable(reasoning, 'the answer has more than one object');
  if (rating === undefined) return unreadable(reasoning, 'the answer has no rating');
  if (others.some(({ text }) => text.toLowerCase() !== rating.text.toLowerCase())) {
    return unreadable(reasoning, 'the answer has two ratings that differ');
  }
  const category = under(CATEGORY_KEYS)[0]?.text ?? null;
  const applies = category !== null && !/^NA\b/u.test(category);
  const answer = judged(rating.text, RATINGS, {
    reasoning,
    verdictAt: rating.at,
    category: applies ? category : null,
  });
  if (answer.label !== 'safe') return answer;
  if ([...values.keys()].some((key) => !RATING_KEYS.includes(key) && OTHER_VERDICT.test(key))) {
    return unreadable(reasoning, 'the answer has a verdict beside its rating');
  }
  if (!isSound) return unreadable(reasoning, 'the JSON object is not whole');
  const isAlone = isFence(raw.slice(0, start)) && isFence(raw.slice(end));
  return isAlone ? answer : unreadable(reasoning, 'there is text around the JSON object');
}

/** White space, or a code fence and its language at most. */
function isFence(text: string): boolean {
  const inner = text.trim();
  return inner === '' || inner === FENCE || inner.toLowerCase() === `${FENCE}json`;
}
