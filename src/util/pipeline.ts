/** @module Work on a stream of things, several at once, whose results come in the stream's order. */

export interface PipelineOptions {
  /** How many are at work or wait for their turn to be given on. */
  readonly ahead: number;
}

/**
 * What `work` makes of each thing, in order. No more than `ahead` are taken from the source before the oldest result is
 * given on; a result is given on as soon as it is there, also while the source is waited for. The first failure, of the
 * source or of the work, ends it after the results before it.
 */
export async function* pipeline<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  work: (thing: T) => Promise<R>,
  { ahead }: PipelineOptions,
): AsyncGenerator<R, void> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const atWork: Promise<R>[] = [];
  let pull: Promise<IteratorResult<T> | undefined> | undefined;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  try {
    while (!ended || atWork.length > 0) {
      if (!ended && atWork.length < ahead) {
        pull ??= Promise.resolve(iterator.next()).catch((error: unknown) => {
          failure = { error };
          return undefined;
        });
      }
      const oldest = atWork.at(0);
      const turn = await Promise.race([
        ...(pull === undefined ? [] : [pull.then((next) => ({ next }))]),
        ...(oldest === undefined ? [] : [oldest.then((result) => ({ result }))]),
      ]);
      if ('result' in turn) {
        void atWork.shift();
        yield turn.result;
        continue;
      }
      pull = undefined;
      const { next } = turn;
      if (next === undefined || next.done === true) {
        ended = true;
        continue;
      }
      const result = work(next.value);
      // It may fail while an older one is waited for; it is told in its turn.
      result.catch(() => undefined);
      atWork.push(result);
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    // A source that is left in the middle may hold a file open; one that is silent is not waited for.
    if (!ended) {
      const closed = Promise.resolve(iterator.return?.()).catch(() => undefined);
      if (pull === undefined) await closed;
    }
  }
}

/** A stream's things in groups of at most `size`; `joins` says whether one may stand with the group's last. */
export async function* grouped<T>(
  source: AsyncIterable<T> | Iterable<T>,
  size: number,
  joins: (last: T, next: T) => boolean = () => true,
): AsyncGenerator<T[], void> {
  let group: T[] = [];
  for await (const thing of source) {
    const last = group.at(-1);
    if (last !== undefined && (group.length >= size || !joins(last, thing))) {
      yield group;
      group = [];
    }
    group.push(thing);
    if (group.length >= size) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}
