import type { RgbImage } from '../images/image.js';
import type { Message } from '../models/qwen2_5_vl/chat.js';
import type { Policy } from '../policy/policy.js';
import type { Label, Problem, ViolatedRule } from './verdict.js';

/** Which word of an answer means which label: a family's polarity, in one place. */
export interface VerdictTokens {
  readonly safe: readonly string[];
  readonly unsafe: readonly string[];
  /** The text right before the verdict word; tokens may join across it. */
  readonly anchor: string;
}

/** What a completion says, as far as it can be read. */
export interface ReadAnswer {
  readonly label: Label;
  readonly reasoning: string;
  readonly category: string | null;
  readonly violatedRule: ViolatedRule | null;
  /** Where the verdict word begins in the completion, in UTF-16 units; null where there is none. */
  readonly verdictAt: number | null;
  /** Set exactly where the label is `invalid`. */
  readonly problem: Problem | null;
}

/** How a family of guardrails wants the question and how its answer is read. */
export interface GuardProfile {
  readonly name: string;
  readonly description: string;
  readonly verdictTokens: VerdictTokens;
  messages(image: RgbImage, policy: Policy): Message[];
  /** Never guesses: what is not exactly the family's format is `invalid`. */
  read(raw: string, policy: Policy): ReadAnswer;
}
