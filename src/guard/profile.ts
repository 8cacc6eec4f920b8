import type { EngineImage, EngineMessage } from '../engines/engine.js';
import type { Policy } from '../policy/policy.js';
import type { Label, Problem, ViolatedRule } from './verdict.js';
import type { Vocabulary } from './vocabulary.js';

/** Which word of an answer means which label: a family's polarity, in one place. Capitals do not count. */
export interface VerdictWords {
  readonly safe: readonly string[];
  readonly unsafe: readonly string[];
}

/** What a completion says, as far as it can be read. */
export interface ReadAnswer {
  readonly label: Label;
  readonly reasoning: string;
  readonly category: string | null;
  readonly violatedRule: ViolatedRule | null;
  /** Where the verdict word begins in the completion, in UTF-16 units; null where there is none. */
  readonly verdictAt: number | null;
  /** The words among which the verdict word was chosen; null where there is none. */
  readonly words: VerdictWords | null;
  /** Set exactly where the label is `invalid`. */
  readonly problem: Problem | null;
}

/** How a family of guardrails wants the question and how its answer is read. */
export interface GuardProfile {
  readonly name: string;
  readonly description: string;
  /** The images come first, in their order, as one thing to judge. */
  messages(images: readonly EngineImage[], policy: Policy): EngineMessage[];
  /** Never guesses: what is not exactly the family's format is `invalid`, free text without a judgment `undecided`. */
  read(raw: string, policy: Policy): ReadAnswer;
  /**
   * What an answer says, before what it cites is checked: for training, whose rewards have a part for that of their own.
   * Absent where {@link read} checks no more.
   */
  claim?(raw: string, policy: Policy): ReadAnswer;
  /** Whether the family's format has the thought in `<think>` tags: where a server took it out, it is read with the answer. */
  readonly thinks?: boolean;
  /**
   * The words with which the family closes free reasoning. Where an answer leaves the verdict open the model goes on from
   * it with these, and the verdict words are weighed there. Absent for families with a format: what cannot be read there
   * stays `invalid`.
   */
  readonly closing?: ClosingWords;
  /** How a verdict is had in one forward pass; null for a family that always reasons. */
  readonly fast: FastVerdict | null;
  /** A regular expression that a well-formed answer matches as a whole (see `grammar/regex.ts`); null where none is known. */
  readonly grammar: ((policy: Policy) => string) | null;
  /** The words that the checkpoint was trained to read policies in; null or absent where it does not tell. */
  readonly vocabulary?: Vocabulary | null;
  /** The profile of a checkpoint that tells them; absent where reading an answer has no use for them. */
  withVocabulary?(vocabulary: Vocabulary): GuardProfile;
}

/** The answer is made to begin with `prefix`; the next word decides. */
export interface FastVerdict {
  readonly prefix: string;
  /** A mark before the word that tokens may join with it (`>no`), so that it must not stand in the prefix. */
  readonly lead?: string;
  readonly words: VerdictWords;
}

/** What is put behind free reasoning, with the line breaks before it, and between which words the model then decides. */
export type ClosingWords = Pick<FastVerdict, 'prefix' | 'words'>;

/** An answer that cannot be read, with one sentence that says why. */
export function unreadable(reasoning: string, message: string): ReadAnswer {
  return without(reasoning, { kind: 'unreadable', message });
}

/** Free text that leaves the verdict open: the model is asked for it, with the profile's {@link ClosingWords}. */
export function undecided(reasoning: string, message: string): ReadAnswer {
  return without(reasoning, { kind: 'undecided', message });
}

function without(reasoning: string, problem: Problem): ReadAnswer {
  return {
    label: 'invalid',
    reasoning,
    category: null,
    violatedRule: null,
    verdictAt: null,
    words: null,
    problem,
  };
}

/** An answer whose verdict word stands at `verdictAt`. */
export function judged(
  word: string,
  words: VerdictWords,
  rest: Pick<ReadAnswer, 'reasoning' | 'verdictAt'> & Partial<Pick<ReadAnswer, 'category' | 'violatedRule'>>,
): ReadAnswer {
  const lower = word.toLowerCase();
  const has = (list: readonly string[]): boolean => list.some((known) => known.toLowerCase() === lower);
  const label = has(words.safe) ? 'safe' : has(words.unsafe) ? 'unsafe' : null;
  if (label === null) {
    return unreadable(
      rest.reasoning,
      `the answer is neither ${[...words.safe, ...words.unsafe].join(' nor ')}`,
    );
  }
  return {
    label,
    category: rest.category ?? null,
    violatedRule: rest.violatedRule ?? null,
    reasoning: rest.reasoning,
    verdictAt: rest.verdictAt,
    words,
    problem: null,
  };
}

/** A user's turn: the images, then the words. */
export function userTurn(images: readonly EngineImage[], text: string): EngineMessage {
  return {
    role: 'user',
    content: [...images.map((image) => ({ type: 'image' as const, image })), { type: 'text', text }],
  };
}

/** The statement of that number as a verdict cites it; what the model quotes stands in where there is no such number. */
export function ruleOf(number: number, quote: string | null, policy: Policy): ViolatedRule {
  const statement = policy.statements[number - 1];
  return { number, text: statement ?? quote ?? '', quotedExactly: quote !== null && statement === quote };
}
