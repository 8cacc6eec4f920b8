/** @module The paper's two rewards, verbatim (SafeGuard-VL:train/plugin.py; `format` is ms-swift's, swift/plugin/orm.py). */
import type { JudgedSample, RewardInput } from './reward.js';

/** Python's `\s`: JavaScript's without the byte order mark, with the separators of ASCII and NEL. */
const SPACE = '(?:[^\\S\\ufeff]|[\\x1c-\\x1f\\x85])';
const ANSWER = new RegExp(`<answer>${SPACE}*(yes|no)${SPACE}*</answer>`, 'i');
const BETWEEN = new RegExp(`</think>${SPACE}*<answer>`, 'g');
const [THOUGHT, ANSWER_END] = ['<think>', '</answer>'];
const SAFE = new RegExp(`<answer>${SPACE}*safe${SPACE}*</answer>`);
const ONE_SPACE = new RegExp(`^${SPACE}$`);

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
  const thought = trimmed(thoughtIn(completion));
  // Python counts code points.
  const bonus = Array.from(thought).length >= THOUGHT_LENGTH ? THOUGHT_BONUS : 0;
  const answer = ANSWER.exec(completion)?.[1].toLowerCase();
  if (answer === undefined) return bonus;
  const said = answer === 'yes' ? 'safe' : 'unsafe';
  return bonus + (said === sample.label ? RIGHT[said] : WRONG);
}

/** The words of the first thought that was ended, in any capitals; empty without one. Linear. */
function thoughtIn(completion: string): string {
  const start = /<think>/i.exec(completion);
  if (start === null) return '';
  const rest = completion.slice(start.index + THOUGHT.length);
  return rest.slice(0, Math.max(0, rest.search(/<\/think>/i)));
}

/** Without Python's white space at both ends. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && ONE_SPACE.test(text[start])) start += 1;
  while (end > start && ONE_SPACE.test(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

/** 1 where the whole completion is a thought and an answer, else 0. Linear. */
export function paperFormat({ completion }: Pick<RewardInput, 'completion'>): number {
  if (!completion.startsWith(THOUGHT) || !completion.endsWith(ANSWER_END)) return 0;
  const behindStart = completion.slice(THOUGHT.length);
  const between = behindStart.matchAll(BETWEEN).next().value;
  if (between === undefined) return 0;
  return between.index + between[0].length + ANSWER_END.length <= behindStart.length ? 1 : 0;
}
