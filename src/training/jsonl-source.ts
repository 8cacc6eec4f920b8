/** @module A file of samples as a training stream, shuffled anew each epoch. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import { messageOf, UserError } from '../util/errors.js';
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
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`Cannot read the training data ${file}: ${messageOf(error)}.`);
  }
  const rows = text.split('\n').flatMap((content, i) => {
    if (content.trim() === '') return [];
    const parsed = line.safeParse(parseJson(content, file, i + 1));
    if (parsed.success) return [{ ...parsed.data, number: i + 1 }];
    const [issue] = parsed.error.issues;
    const what =
      issue.code === 'unrecognized_keys'
        ? `there is no field '${issue.keys[0]}'`
        : `${issue.path.join('.') || 'the line'}: ${issue.message}`;
    throw new UserError(`${file}, line ${i + 1}: ${what}.`);
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

function parseJson(content: string, file: string, number: number): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new UserError(`${file}, line ${number} is not valid JSON: ${messageOf(error)}.`);
  }
}
