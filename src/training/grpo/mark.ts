/** @module A kept completion against the right answer, for those who show it. */
import { isAnswer } from '../rewards/exact.js';
import type { CompletionRecord } from './records.js';

/** What came of a completion. */
export function markOf({
  label,
  answer,
  read,
  completion,
}: Pick<CompletionRecord, 'label' | 'answer' | 'read' | 'completion'>): 'right' | 'wrong' | 'invalid' {
  if (label === null) return answer !== undefined && isAnswer(completion, answer) ? 'right' : 'wrong';
  if (read === 'invalid') return 'invalid';
  return read === label ? 'right' : 'wrong';
}

/** The right answer in words. */
export const goldOf = ({ label, answer }: Pick<CompletionRecord, 'label' | 'answer'>): string =>
  label ?? answer ?? 'not known';
