/** @module A run of recaptions: pictures in, a data set for `train sft` out, at any moment able to stop and go on. */
import { mkdirSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { writeAtomically, writeFailure } from '../checkpoint/files.js';
import { UserError } from '../util/errors.js';
import { lockFolder } from '../util/folder-lock.js';
import { type OnDownload, openEngines, type RecaptionEngines } from './engines.js';
import { Journal } from './journal.js';
import { jsonLines } from '../util/json-lines.js';
import { notADescription } from './no-description.js';
import { listPictures, type Picture } from './pictures.js';
import { recaptionOf, STEPS, type RecaptionStep } from './recaption-one.js';
import { type RecaptionConfig, recaptionIdentity } from './recaption-config.js';
import { type ItemEnd, type WorkOptions, workThrough } from './work.js';

const image = z.string();
const lost = {
  at: z.enum(STEPS),
  reason: z.string(),
  caption: z.string().optional(),
  recaption: z.string().optional(),
};
const entry = z.discriminatedUnion('outcome', [
  z.object({
    image,
    outcome: z.literal('kept'),
    prompt: z.string(),
    answer: z.string(),
    caption: z.string(),
  }),
  z.object({ image, outcome: z.literal('rejected'), ...lost }),
  z.object({ image, outcome: z.literal('failed'), ...lost }),
]);
type Entry = Readonly<z.infer<typeof entry>>;

/** The files of a run's folder. */
const RECAPTION_FILES = {
  journal: 'journal.jsonl',
  /** Lines that `train sft` reads. */
  data: 'recaptions.jsonl',
  /** Every picture that has none, at which step it was lost, and why. */
  rejected: 'rejected.jsonl',
} as const;

export interface RecaptionSummary {
  /** Those that are done, by this start or an earlier one, and those that this one was to do. */
  readonly pictures: number;
  readonly kept: number;
  readonly rejected: Readonly<Record<RecaptionStep, number>>;
  readonly failed: number;
  /** Pictures that were not come to. */
  readonly left: number;
  /** Pictures that were done before and that the input no longer has: their lines are left out of the data. */
  readonly gone: number;
  readonly finished: boolean;
}

export interface RecaptionHooks extends Pick<WorkOptions, 'signal' | 'onProgress'> {
  /** Opens the models; they are not needed where all pictures are done. */
  readonly engines?: (config: RecaptionConfig, onDownload?: OnDownload) => Promise<RecaptionEngines>;
  readonly onDownload?: OnDownload;
}

/**
 * Recaptions the pictures of `input` into the folder `out`; goes on where an earlier run stopped. The files hold the
 * pictures in the input's order, whatever order they were done in.
 * @throws UserError for input that cannot be used, after too many failures in a row, and where nothing is kept at the end.
 */
export async function recaption(
  input: string,
  out: string,
  config: RecaptionConfig,
  { signal, onProgress, onDownload, engines: open = openEngines }: RecaptionHooks = {},
): Promise<RecaptionSummary> {
  const pictures = listPictures(input);
  const asked = pictures.slice(0, config.limit);
  if (config.judge === 'facts') needFacts(asked, input);
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw writeFailure(out, error);
  }
  const lock = lockFolder(out, 'data recaption');
  try {
    return await recaptionInto(
      out,
      { pictures, asked, input, config },
      { signal, onProgress, onDownload, engines: open },
    );
  } finally {
    lock.release();
  }
}

interface Task {
  /** All of the input: what earlier starts have done of them stays, whatever this one is asked for. */
  readonly pictures: readonly Picture[];
  /** Those that this start is to do. */
  readonly asked: readonly Picture[];
  readonly input: string;
  readonly config: RecaptionConfig;
}

async function recaptionInto(
  out: string,
  { pictures, asked, input, config }: Task,
  { signal, onProgress, onDownload, engines: open = openEngines }: RecaptionHooks,
): Promise<RecaptionSummary> {
  const header = { recaption: 1, images: resolve(input), ...recaptionIdentity(config) };
  const journal = Journal.open(join(out, RECAPTION_FILES.journal), header, entry);
  const done = new Map<string, Entry>(journal.entries.map((one) => [one.image, stillKept(one)]));
  const waiting = asked.filter(({ name }) => (done.get(name)?.outcome ?? 'failed') === 'failed');
  try {
    const finished = waiting.length === 0 || (await work());
    const summary = summaryOf(pictures, asked, done, finished);
    if (finished && summary.kept === 0) {
      throw new UserError(
        `no picture has a recaption that was kept: ${join(out, RECAPTION_FILES.rejected)} says why; look at the texts there, and change the prompts or the models`,
      );
    }
    return summary;
  } finally {
    journal.close();
    writeFiles(out, pictures, done);
  }

  async function work(): Promise<boolean> {
    const engines = await open(config, onDownload);
    const recorded = async (picture: Picture, stop: AbortSignal): Promise<ItemEnd> => {
      const made = { image: picture.name, ...(await recaptionOf(picture, config, engines, stop)) };
      journal.append(made);
      done.set(made.image, made);
      return made.outcome === 'failed' ? { failed: true, reason: made.reason } : { failed: false };
    };
    const { concurrency, max_failures: maxFailuresInARow } = config;
    try {
      return await workThrough(waiting, recorded, { concurrency, maxFailuresInARow, signal, onProgress });
    } finally {
      await engines.close();
    }
  }
}

/** What an earlier version kept although it describes nothing is rejected now. */
function stillKept(one: Entry): Entry {
  if (one.outcome !== 'kept') return one;
  const { image: name, answer, caption } = one;
  const reason = notADescription(answer);
  if (reason === null) return one;
  return {
    image: name,
    outcome: 'rejected',
    at: 'rewrite',
    reason: `the text does not describe the picture: ${reason}`,
    caption,
    recaption: answer,
  };
}

function needFacts(pictures: readonly Picture[], input: string): void {
  const without = pictures.find(({ facts }) => facts === null);
  if (without === undefined) return;
  throw new UserError(
    `judge: facts needs to know what each scene holds, and ${input} does not say it of ${without.name}; make pictures with "safeguard data iconworld", or let a model judge`,
  );
}

function writeFiles(out: string, pictures: readonly Picture[], done: ReadonlyMap<string, Entry>): void {
  const all = pictures.flatMap((picture) => {
    const found = done.get(picture.name);
    return found === undefined ? [] : [{ picture, found }];
  });
  const kept = all.flatMap(({ picture, found }) =>
    found.outcome === 'kept'
      ? [
          {
            prompt: found.prompt,
            answer: found.answer,
            images: [relativeTo(out, picture.path)],
            task: 'recaption',
          },
        ]
      : [],
  );
  const lost = all.flatMap(({ found }) => (found.outcome === 'kept' ? [] : [found]));
  writeAtomically(join(out, RECAPTION_FILES.data), [new TextEncoder().encode(jsonLines(kept))]);
  writeAtomically(join(out, RECAPTION_FILES.rejected), [new TextEncoder().encode(jsonLines(lost))]);
}

/** As a data set's line names its picture: relative to its file, with `/`. */
const relativeTo = (folder: string, path: string): string =>
  relative(resolve(folder), resolve(path)).replaceAll(sep, '/');

function summaryOf(
  pictures: readonly Picture[],
  asked: readonly Picture[],
  done: ReadonlyMap<string, Entry>,
  finished: boolean,
): RecaptionSummary {
  const entries = pictures.flatMap(({ name }) => done.get(name) ?? []);
  const names = new Set(pictures.map(({ name }) => name));
  const left = asked.filter(({ name }) => !done.has(name)).length;
  const rejected = { picture: 0, caption: 0, rewrite: 0, judge: 0 };
  for (const one of entries) if (one.outcome === 'rejected') rejected[one.at] += 1;
  const count = (outcome: Entry['outcome']): number =>
    entries.filter((one) => one.outcome === outcome).length;
  return {
    pictures: entries.length + left,
    kept: count('kept'),
    rejected,
    failed: count('failed'),
    left,
    gone: [...done.keys()].filter((name) => !names.has(name)).length,
    finished,
  };
}
