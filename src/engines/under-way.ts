/** Counts what is under way, for one who waits for its end. */
export class UnderWay {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  /** Gives the function that says that it has ended; saying so twice counts once. */
  begin(): () => void {
    this.#count++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#count--;
      if (this.#count === 0) for (const wake of this.#waiting.splice(0)) wake();
    };
  }

  /** Ends when nothing is under way. */
  idle(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
