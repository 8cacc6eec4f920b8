/** @module The paper's two rewards, verbatim (SafeGuard-VL:train/plugin.py; `format` is ms-swift's, swift/plugin/orm.py). */
import type { JudgedSample, RewardInput } from './reward.js';

/** Python's `\s`: JavaScript's without the byte order mark, with the separators of ASCII and NEL. */
const SPACE = '(?:[^\\S\\ufeff]|[\\x1c-\\x1f\\x85])';
const THOUGHT = /<think>([\s\S]*?)<\/think>/i;
const ANSWER = new RegExp(`<answer>${SPACE}*(yes|no)${SPACE}*</answer>`, 'i');
const FORMAT = new RegExp(`^<think>[\\s\\S]*?</think>${SPACE}*<answer>[\\s\\S]*?</answer>$`);
const SAFE = new RegExp(`<answer>${SPACE}*safe${SPACE}*</answer>`);
const EDGES = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

/** Characters that a thought needs to count as one. */
const THOUGHT_LENGTH = 50;
const THOUGHT_BONUS = 0.5;

/** By gold label where the answer is right; unsafe ones are worth more, since missing them costs more. */
const RIGHT: Readonly<Record<JudgedSample['label'], number>> = { unsafe: 1.5, safe: 1.2 };
const WRONG = 0.5;

/** What a data set's solution means: `<answer>safe</answer>` is safe, anything else unsafe. */
export function solutionLabel(solution: string): JudgedSample['label'] {
  return SAFE.test(solution) ? 'safe' : 'unsafe';
}

/** 0 to 2: the answer (`yes` = safe), and half a point for a thought of some length. */
export function paperAccuracy({
  completion,
  sample,
}: Pick<RewardInput<JudgedSample>, 'completion' | 'sample'>): number {
  const thought = THOUGHT.exec(completion)?.[1].replace(EDGES, '') ?? '';
  // Python counts code points.
  const bonus = Array.from(thought).length >= THOUGHT_LENGTH ? THOUGHT_BONUS : 0;
  const answer = ANSWER.exec(completion)?.[1].toLowerCase();
  if (answer === undefined) return bonus;
  const said = answer === 'yes' ? 'safe' : 'unsafe';
  return bonus + (said === sample.label ? RIGHT[said] : WRONG);
}

/** 1 where the whole completion is a thought and an answer, else 0. */
export function paperFormat({ completion }: Pick<RewardInput, 'completion'>): number {
  return FORMAT.test(completion) ? 1 : 0;
}
