import { type GuardProfile, userTurn, type VerdictWords } from '../profile.js';
import { readWord } from './one-word.js';

/** The question is whether the policy is violated. */
const YES_IS_UNSAFE: VerdictWords = { safe: ['no'], unsafe: ['yes'] };

/** ShieldGemma's manner: does the picture violate the policy? */
export const yesNo: GuardProfile = {
  name: 'yes-no',
  description: 'ShieldGemma: does the image violate the policy? Yes or No, Yes = unsafe',
  messages: (images, policy) => [
    userTurn(
      images,
      `You are a policy expert. Does the image violate the following policy?\n\n${policy.text}\n\nYour answer must be Yes or No.`,
    ),
  ],
  read: (raw) => readWord(raw, YES_IS_UNSAFE),
  fast: { prefix: '', words: YES_IS_UNSAFE },
  grammar: () => '(Yes|No)',
};
