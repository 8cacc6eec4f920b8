import { UserError } from '../../util/errors.js';

/** Longer than any token that is written into templates; finding one takes at most so many steps a character. */
const MAX_LENGTH = 256;

/** One character further in a token: what may follow, and whether a token ends here. */
interface Step {
  readonly next: Map<number, Step>;
  ends: boolean;
}

const newStep = (): Step => ({ next: new Map(), ends: false });

/** Finds words in texts, from left to right and the longest at each place, however many words there are. */
export class TokenFinder {
  readonly #root = newStep();

  /** @throws UserError for a word of more than 256 characters. */
  constructor(words: Iterable<string>) {
    for (const word of words) {
      if (word.length > MAX_LENGTH) {
        throw new UserError(
          `the token ${JSON.stringify(word.slice(0, 20))}… has ${word.length} characters, more than the ${MAX_LENGTH} that are looked for`,
          { code: 'too_large' },
        );
      }
      let step = this.#root;
      for (let i = 0; i < word.length; i++) {
        const code = word.charCodeAt(i);
        const next = step.next.get(code) ?? newStep();
        step.next.set(code, next);
        step = next;
      }
      step.ends = word !== '';
    }
  }

  /** The text in pieces: what is between the words at even places, perhaps empty, and the words that were found at odd ones. */
  split(text: string): string[] {
    const pieces: string[] = [];
    let begin = 0;
    for (let at = 0; at < text.length; ) {
      const end = this.#longestAt(text, at);
      if (end > at) {
        pieces.push(text.slice(begin, at), text.slice(at, end));
        begin = end;
        at = end;
      } else at += 1;
    }
    pieces.push(text.slice(begin));
    return pieces;
  }

  /** Where the longest word that begins at `at` ends; `at` itself where none does. */
  #longestAt(text: string, at: number): number {
    let longest = at;
    let step = this.#root.next.get(text.charCodeAt(at));
    for (let i = at + 1; step !== undefined; i++) {
      if (step.ends) longest = i;
      step = i < text.length ? step.next.get(text.charCodeAt(i)) : undefined;
    }
    return longest;
  }
}
