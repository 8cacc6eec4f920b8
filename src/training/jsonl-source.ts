/** @module A file of samples as a training stream, shuffled anew each epoch. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import { UserError } from '../util/errors.js';
import { readJsonLines } from '../util/json-lines.js';
import { Random } from '../util/random.js';
import type { SampleSource } from './examples.js';

const line = z.strictObject({
  system: z.string().min(1).optional(),
  prompt: z.string().min(1),
  answer: z.string().min(1),
  images: z.array(z.string()).default([]),
  task: z.string().default('jsonl'),
});

/** Lines of `{"prompt", "answer", "images": [paths], "task", "system"?}`; image paths are relative to the file. */
export function jsonlSource(file: string, seed: number): SampleSource {
  const rows = readJsonLines(file, 'the training data').flatMap(({ line: number, value }) => {
    const parsed = line.safeParse(value);
    if (parsed.success) return [{ ...parsed.data, number }];
    const [issue] = parsed.error.issues;
    const what =
      issue.code === 'unrecognized_keys'
        ? `there is no field '${issue.keys[0]}'`
        : `${issue.path.join('.') || 'the line'}: ${issue.message}`;
    throw new UserError(`${file}, line ${number}: ${what}.`);
  });
  if (rows.length === 0) throw new UserError(`${file} holds no samples: give one JSON object a line.`);
  let epoch = -1;
  let order: number[] = [];
  return {
    async sample(index) {
      const wanted = Math.floor(index / rows.length);
      if (wanted !== epoch) {
        epoch = wanted;
        order = new Random(`${seed}/epoch/${epoch}`).shuffle([...rows.keys()]);
      }
      const { system, prompt, answer, images, task, number } = rows[order[index % rows.length]];
      const decode = async (path: string): Promise<RgbImage> => {
        try {
          return await decodeImage(resolve(dirname(file), path));
        } catch (error) {
          if (error instanceof UserError) throw new UserError(`${file}, line ${number}: ${error.message}`);
          throw error;
        }
      };
      const before = system === undefined ? {} : { system };
      return { images: await Promise.all(images.map(decode)), ...before, prompt, answer, task };
    },
  };
}
