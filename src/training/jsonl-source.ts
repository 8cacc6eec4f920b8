/** @module A file of samples as a training stream, shuffled anew each epoch. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { decodeImage } from '../images/decode.js';
import { messageOf, UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import type { SampleSource } from './examples.js';

const line = z.object({
  prompt: z.string().min(1),
  answer: z.string().min(1),
  images: z.array(z.string()).default([]),
  task: z.string().default('jsonl'),
});

/** Lines of `{"prompt", "answer", "images": [paths], "task"}`; image paths are relative to the file. */
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
    if (parsed.success) return [parsed.data];
    const [issue] = parsed.error.issues;
    throw new UserError(`${file}, line ${i + 1}: ${issue.path.join('.') || 'the line'}: ${issue.message}.`);
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
      const { prompt, answer, images, task } = rows[order[index % rows.length]];
      const decoded = await Promise.all(images.map((path) => decodeImage(resolve(dirname(file), path))));
      return { images: decoded, prompt, answer, task };
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
