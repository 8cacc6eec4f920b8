/** @module What is asked and what came of it, on the way from an engine's completion to a verdict. */
import type { EngineChat, EngineCompletion } from '../engines/engine.js';
import type { Policy } from '../policy/policy.js';
import type { ReadAnswer } from './profile.js';
import type { UsedRegime } from './verdict.js';

/** One image (or several) under one policy, ready to be asked. */
export interface Asked {
  readonly chat: EngineChat;
  readonly policy: Policy;
}

/** An answer as it was given and as it was read. */
export interface Answered {
  readonly regime: UsedRegime;
  readonly completion: EngineCompletion;
  readonly answer: ReadAnswer;
  readonly probability: number | null;
  /** Whether the verdict was asked for, behind free text that left it open. */
  readonly asked: boolean;
  /** Tokens of the answer and of the asking. */
  readonly usage: EngineCompletion['usage'];
}
