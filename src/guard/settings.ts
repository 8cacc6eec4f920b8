import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, UserError } from '../util/errors.js';
import { DEFAULT_PROFILE } from './profiles/index.js';

/** How a checkpoint folder says which profile its weights were trained with. */
const GUARD_FILE = 'guard.json';

const Settings = z.strictObject({ profile: z.string() });

/** What `guard.json` in a checkpoint folder holds; folders without one, as all others' are, take the default. */
export type GuardSettings = Readonly<z.infer<typeof Settings>>;

/** Reads `guard.json` of a checkpoint folder. @throws UserError where it is there and cannot be understood. */
export async function readGuardSettings(folder: string): Promise<GuardSettings> {
  const path = join(folder, GUARD_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { profile: DEFAULT_PROFILE };
    throw new UserError(`cannot read ${path}: ${messageOf(error)}`);
  }
  const settings = Settings.safeParse(parsed(text));
  if (settings.success) return settings.data;
  throw new UserError(`${path} is not understood; it should be like {"profile": "${DEFAULT_PROFILE}"}`);
}

/** The JSON value of a text, undefined where it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
