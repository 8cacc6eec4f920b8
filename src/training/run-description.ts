/** @module run.json: what a run does, written when it begins, for people and for what reads its folder later. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../checkpoint/files.js';
import { readJsonObject } from '../checkpoint/json.js';
import { UserError } from '../util/errors.js';

const RUN_FILE = 'run.json';

const extension = z.object({
  /** Steps done when the number of steps changed. */
  after: z.int().min(0),
  from: z.int().positive(),
  to: z.int().positive(),
});
/** Another number of steps for a run that goes on. */
export type Extension = Readonly<z.infer<typeof extension>>;

const runDescription = z.object({
  method: z.enum(['sft', 'grpo']),
  /** The checked configuration with its defaults and its preset filled in. */
  config: z.looseObject({ model: z.string(), steps: z.int().positive() }),
  /** How its number of steps changed while it went on; left out where it did not. */
  extended: z.array(extension).optional(),
});
export type RunDescription = z.infer<typeof runDescription>;

/** @throws UserError where the disk refuses. */
export function writeDescription(folder: string, description: RunDescription): void {
  const text = `${JSON.stringify(description, null, 2)}\n`;
  writeAtomically(join(folder, RUN_FILE), [new TextEncoder().encode(text)]);
}

/** Null for a run that began before there was such a file. @throws UserError where it is damaged. */
export function readDescription(folder: string): RunDescription | null {
  const path = join(folder, RUN_FILE);
  if (!existsSync(path)) return null;
  const parsed = runDescription.safeParse(readJsonObject(path));
  if (parsed.success) return parsed.data;
  const [{ path: place, message }] = parsed.error.issues;
  throw new UserError(
    `${path} does not describe a run (${place.join('.')}: ${message}): remove it, or start the training again, which writes it anew.`,
  );
}
