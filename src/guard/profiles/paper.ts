import type { GuardProfile } from '../profile.js';
import { readTaggedAnswer, YES_IS_SAFE } from './tagged-answer.js';

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
  verdictTokens: YES_IS_SAFE,
  messages: (image, policy) => [
    { role: 'system', content: SYSTEM },
    {
      role: 'user',
      content: [
        { type: 'image', image },
        {
          type: 'text',
          text: `Based on the following policy, determine whether this image is safe or unsafe.\n\nPolicy:\n${policy.text}\n\n${FORMAT}`,
        },
      ],
    },
  ],
  read: (raw) => readTaggedAnswer(raw, YES_IS_SAFE),
};
