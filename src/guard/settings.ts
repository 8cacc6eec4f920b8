import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { messageOf, UserError } from '../util/errors.js';
import type { GuardProfile } from './profile.js';
import { profileNamed, recognisedProfile } from './profiles/index.js';
import { Vocabulary } from './vocabulary.js';

/** How a checkpoint folder says which profile its weights were trained with. */
const GUARD_FILE = 'guard.json';

/** A name in the folder itself, so that no checkpoint reads elsewhere. */
const fileName = z.string().regex(/^[\w-][\w.-]*$/u);
const Settings = z.strictObject({ profile: z.string(), vocabulary: fileName.optional() });
const Named = z.looseObject({ _name_or_path: z.string().optional() });

/**
 * The profile of a checkpoint folder: what its `guard.json` says, else that of the family whose name the folder, the
 * model's own name or its config tells; or the one that was chosen instead. Where `guard.json` names the words that the
 * model was trained on, the profile knows them. @throws UserError where `guard.json` is there and cannot be understood.
 */
export async function profileOfFolder(
  folder: string,
  name: string = folder,
  chosen?: GuardProfile,
): Promise<GuardProfile> {
  const path = join(folder, GUARD_FILE);
  const text = await readOptional(path);
  if (text !== null) {
    const settings = Settings.safeParse(parsed(text));
    if (!settings.success) {
      if (chosen !== undefined) return chosen;
      throw new UserError(`${path} is not understood; it should be like {"profile": "paper"}`, {
        code: 'invalid_checkpoint',
      });
    }
    const profile = chosen ?? profileNamed(settings.data.profile);
    const { vocabulary } = settings.data;
    if (vocabulary === undefined || profile.withVocabulary === undefined) return profile;
    return profile.withVocabulary(Vocabulary.load(join(folder, vocabulary)));
  }
  if (chosen !== undefined) return chosen;
  const config = Named.safeParse(parsed((await readOptional(join(folder, 'config.json'))) ?? ''));
  return recognisedProfile([name, basename(resolve(folder)), config.data?._name_or_path ?? '']);
}

async function readOptional(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return null;
    }
    throw new UserError(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/** The JSON value of a text, undefined where it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
