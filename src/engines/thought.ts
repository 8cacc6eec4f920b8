/** @module Thoughts that a server's reasoning parser took out of an answer. */
import type { EngineCompletion } from './engine.js';

const [OPEN, CLOSE] = ['<think>', '</think>'];

/**
 * The answer with its thought in front, in `<think>` tags, as the model wrote it: for families whose format has the thought
 * in it. A thought without an answer behind it was cut off and stays open.
 */
export function withThought(completion: EngineCompletion): EngineCompletion {
  const { thought = '', text, tokens } = completion;
  if (thought === '') return completion;
  const front = `${OPEN}${thought}${text === '' ? '' : CLOSE}`;
  const token = { text: front, bytes: new TextEncoder().encode(front), logprob: 0, top: [] };
  const { thought: _, ...rest } = completion;
  return { ...rest, text: `${front}${text}`, tokens: tokens.length === 0 ? [] : [token, ...tokens] };
}
