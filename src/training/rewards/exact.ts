/** @module Questions, whose answer is known word for word. */
import type { RewardInput } from './reward.js';

/** The same words but for space around them. */
export const isAnswer = (completion: string, answer: string): boolean => completion.trim() === answer.trim();

/** 1 for the known answer, 0 for any other; null where none is known. */
export function exactReward({
  completion,
  sample,
}: Pick<RewardInput, 'completion' | 'sample'>): number | null {
  return sample.answer === undefined ? null : Number(isAnswer(completion, sample.answer));
}
