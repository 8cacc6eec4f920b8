import type { PolicyIdentity } from '../policy/policy.js';

/** What cannot be read is `invalid`: neither safe nor unsafe, and never counted as either. */
export type Label = 'safe' | 'unsafe' | 'invalid';

/** The statement that an unsafe verdict rests on, as the model cited it. */
export interface ViolatedRule {
  /** The statement's number in the policy, from 1. */
  readonly number: number;
  /** The policy's statement; where the policy has no such number, the model's quotation. */
  readonly text: string;
  /** Whether the model quoted that statement word for word; if not, the citation deserves a second look. */
  readonly quotedExactly: boolean;
}

/** Why a verdict is invalid. `unknownPicture`: the model says that it does not know such pictures. */
type ProblemKind = 'unknownPicture' | 'unreadable' | 'truncated';

export interface Problem {
  readonly kind: ProblemKind;
  /** One sentence without a full stop. */
  readonly message: string;
}

/** Which weights judged. */
export interface ModelIdentity {
  readonly name: string;
  /** The checkpoint folder. */
  readonly path: string;
  /** SHA-256 of the weights, where they are one file of at most 100 MB. */
  readonly hash?: string;
}

/** Milliseconds. A verdict of a batch carries the `generate` time of its whole batch. */
interface Timings {
  /** Reading and decoding the picture; 0 where pixels were given. */
  readonly image: number;
  /** Template, tokens and pixel values. */
  readonly prompt: number;
  readonly generate: number;
  readonly total: number;
}

/** The answer to "may this picture be shown under this policy?", with all that is needed to check and repeat it. */
export interface Verdict {
  readonly label: Label;
  /** P(unsafe) from the logits at the verdict token, 0 to 1; null where no verdict token was found. */
  readonly probability: number | null;
  /** The sensitive category that decides, where the model names one. */
  readonly category: string | null;
  readonly violatedRule: ViolatedRule | null;
  readonly reasoning: string;
  /** The completion exactly as the model wrote it. */
  readonly raw: string;
  /** Set exactly where the label is `invalid`. */
  readonly problem: Problem | null;
  readonly tokens: { readonly prompt: number; readonly completion: number };
  readonly timings: Timings;
  readonly model: ModelIdentity;
  readonly policy: PolicyIdentity;
  /** The name of the `GuardProfile` that asked and read. */
  readonly profile: string;
  readonly finishReason: 'stop' | 'length';
}
