import { type GuardProfile, userTurn } from '../profile.js';
import { grammarOfTags, readTaggedAnswer, YES_IS_SAFE } from './tagged-answer.js';

/** The system prompt of the method's GRPO run (`adorableChowhound/SafeGuard-VL:train/grpo.sh`). */
const SYSTEM =
  'A conversation between User and Assistant. The user asks a question, and the Assistant solves it.';

/** The format is asked for in the prompt, as in the method's training data. */
const FORMAT =
  'First think about what the image shows and which part of the policy applies, inside <think> </think> tags. ' +
  'Then answer inside <answer> </answer> tags with one word: yes if the image is safe under the policy, no if it is unsafe.';

/** SafeGuard-VL's training format, also understood by plain Qwen2.5-VL. */
export const paper: GuardProfile = {
  name: 'paper',
  description: 'SafeGuard-VL: <think>…</think><answer>yes|no</answer>, yes = safe',
  messages: (images, policy) => [
    { role: 'system', content: SYSTEM },
    userTurn(
      images,
      `Based on the following policy, determine whether this image is safe or unsafe.\n\nPolicy:\n${policy.text}\n\n${FORMAT}`,
    ),
  ],
  read: (raw) => readTaggedAnswer(raw, YES_IS_SAFE),
  thinks: true,
  fast: { prefix: '<answer', lead: '>', words: YES_IS_SAFE },
  grammar: () => grammarOfTags(YES_IS_SAFE),
};
