/** @module A file of samples as a training stream, shuffled anew each epoch, and what of it is held out. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import { UserError } from '../util/errors.js';
import { readJsonLines } from '../util/json-lines.js';
import { Random } from '../util/random.js';
import type { FiniteSource, SampleSource, TrainingSample } from './examples.js';
import { heldOutPlaces, leakOf } from './held-out-rows.js';

const line = z.strictObject({
  system: z.string().min(1).optional(),
  prompt: z.string().min(1),
  answer: z.string().min(1),
  images: z.array(z.string()).default([]),
  task: z.string().default('jsonl'),
});

type Row = z.infer<typeof line> & {
  /** Its line, from 1. */
  readonly number: number;
  readonly file: string;
  /** Whole paths of its pictures. */
  readonly pictures: readonly string[];
};

/** Lines of `{"prompt", "answer", "images": [paths], "task", "system"?}`; image paths are relative to the file. */
export function jsonlSource(file: string, seed: number): SampleSource {
  return streamOf(readRows(file), seed);
}

/** What is held out of a file: `samples` of its own rows, or the first so many of another `file`. */
export interface HeldOutRows {
  readonly samples: number;
  readonly file?: string | undefined;
}

/**
 * The same without the rows that are held out, which `heldOut` gives. No picture and no question is on both sides.
 * @throws UserError for another file that shares one, naming both lines.
 */
export async function splitJsonlSource(
  file: string,
  seed: number,
  { samples, file: other }: HeldOutRows,
): Promise<SampleSource> {
  const rows = readRows(file);
  if (other === undefined) {
    const places = await heldOutPlaces(rows, { count: samples, seed, file });
    const [trained, heldOut] = [false, true].map((isOut) => rows.filter((_, i) => places.has(i) === isOut));
    return { ...streamOf(trained, seed), heldOut: () => Promise.resolve(finite(heldOut)) };
  }
  const heldOut = readRows(other).slice(0, samples);
  const leak = await leakOf(rows, heldOut);
  if (leak !== null)
    throw new UserError(
      `${other}, line ${heldOut[leak.heldOut].number}, has a picture or a question that is trained on (${file}, line ${rows[leak.trained].number}): ` +
        'what is held out would be learned by heart; remove it from one of the files.',
      { code: 'invalid_data' },
    );
  return { ...streamOf(rows, seed), heldOut: () => Promise.resolve(finite(heldOut)) };
}

function readRows(file: string): Row[] {
  const rows = readJsonLines(file, 'the training data').flatMap(({ line: number, value }) => {
    const parsed = line.safeParse(value);
    if (parsed.success) {
      const pictures = parsed.data.images.map((path) => resolve(dirname(file), path));
      return [{ ...parsed.data, pictures, number, file }];
    }
    const [issue] = parsed.error.issues;
    const what =
      issue.code === 'unrecognized_keys'
        ? `there is no field '${issue.keys[0]}'`
        : `${issue.path.join('.') || 'the line'}: ${issue.message}`;
    throw new UserError(`${file}, line ${number}: ${what}.`);
  });
  if (rows.length === 0) throw new UserError(`${file} holds no samples: give one JSON object a line.`);
  return rows;
}

function streamOf(rows: readonly Row[], seed: number): SampleSource {
  let epoch = -1;
  let order: number[] = [];
  return {
    sample(index) {
      const wanted = Math.floor(index / rows.length);
      if (wanted !== epoch) {
        epoch = wanted;
        order = new Random(`${seed}/epoch/${epoch}`).shuffle([...rows.keys()]);
      }
      return sampleOf(rows[order[index % rows.length]]);
    },
  };
}

const finite = (rows: readonly Row[]): FiniteSource => ({
  count: rows.length,
  sample: (index) => sampleOf(rows[index]),
});

async function sampleOf({
  system,
  prompt,
  answer,
  pictures,
  task,
  number,
  file,
}: Row): Promise<TrainingSample> {
  const decode = async (path: string): Promise<RgbImage> => {
    try {
      return await decodeImage(path);
    } catch (error) {
      if (error instanceof UserError) throw new UserError(`${file}, line ${number}: ${error.message}`);
      throw error;
    }
  };
  const before = system === undefined ? {} : { system };
  return { images: await Promise.all(pictures.map(decode)), ...before, prompt, answer, task };
}
