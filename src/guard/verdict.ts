import type { EngineIdentity } from '../engines/engine.js';
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

/**
 * Why a verdict is invalid. `unknownPicture`: the model says that it does not know such pictures. `miscited`: it rests on
 * words that the policy does not have, or that the model cannot read. `contradictory`: the answer contradicts itself.
 * `undecided`: free text leaves the verdict open, and the model did not say it when it was asked.
 */
type ProblemKind = 'unknownPicture' | 'unreadable' | 'truncated' | 'miscited' | 'contradictory' | 'undecided';

export interface Problem {
  readonly kind: ProblemKind;
  /** One sentence without a full stop. */
  readonly message: string;
}

/** Milliseconds of the clock on the wall. A verdict of a batch carries the `generate` time of its whole batch. */
interface Timings {
  /** Fetching, reading, decoding and resizing the pictures; next to nothing where they were at hand. */
  readonly image: number;
  /** From the question to the whole answer. */
  readonly generate: number;
  /** All from the pictures' beginning to the verdict, the waiting for others of a batch included. */
  readonly total: number;
}

/** A picture that was judged. */
export interface SeenImage {
  /** SHA-256 of its file as 64 hexadecimal digits; null where pixels were given. */
  readonly sha256: string | null;
  /** Its own size in pixels, after its orientation is applied. */
  readonly width: number;
  readonly height: number;
  /** The size at which the model saw it; null where that is a server's matter. */
  readonly shown: { readonly width: number; readonly height: number } | null;
}

/** How a verdict is had: by reasoning and then answering, or at once from one forward pass. */
export type UsedRegime = 'reason' | 'fast';

/** The answer to "may this picture be shown under this policy?", with all that is needed to check and repeat it. */
export interface Verdict {
  readonly label: Label;
  /** P(unsafe) from the log-probabilities at the verdict token, 0 to 1; null where none was found or reported. */
  readonly probability: number | null;
  /** The sensitive category that decides, where the model names one. */
  readonly category: string | null;
  readonly violatedRule: ViolatedRule | null;
  readonly reasoning: string;
  /** The completion exactly as the model wrote it. */
  readonly raw: string;
  /** Set exactly where the label is `invalid`. */
  readonly problem: Problem | null;
  /** Null where a server does not tell. */
  readonly tokens: { readonly prompt: number | null; readonly completion: number | null };
  readonly timings: Timings;
  /** Which weights judged, or which server's model. */
  readonly model: EngineIdentity;
  readonly policy: PolicyIdentity;
  /** Words of the policy that the model was never trained on; none where it does not tell. */
  readonly unknownWords: readonly string[];
  /** The name of the `GuardProfile` that asked and read. */
  readonly profile: string;
  readonly regime: UsedRegime;
  /**
   * Whether the verdict was asked for: the model's free text left it open, so the model was made to go on with its
   * family's closing words, and the verdict words were weighed there. `raw` is the free text alone.
   */
  readonly asked: boolean;
  /** The pictures of the item, in order. */
  readonly images: readonly SeenImage[];
  /** The limit of pixels that some image was cut down to, below what the model itself takes; else null. */
  readonly maxPixels: number | null;
  readonly finishReason: 'stop' | 'length';
}
