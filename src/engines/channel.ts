/** Pieces of text from one who writes when they come to one who reads when they can. */
export class TextChannel implements AsyncIterable<string> {
  readonly #pieces: string[] = [];
  #ended = false;
  #wake: () => void = () => {};

  push(piece: string): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    for (;;) {
      for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) yield piece;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
