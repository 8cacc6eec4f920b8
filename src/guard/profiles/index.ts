import { UserError } from '../../util/errors.js';
import type { GuardProfile } from '../profile.js';
import { iconworld } from './iconworld.js';
import { paper } from './paper.js';

/** Every family that is understood. Adding one is adding its file here, and its golden answers to the tests. */
const PROFILES: readonly GuardProfile[] = [paper, iconworld];

/** For folders that do not say which profile they want. */
export const DEFAULT_PROFILE = paper.name;

/** The profile of that name; a `UserError` lists those there are. */
export function profileNamed(name: string): GuardProfile {
  const profile = PROFILES.find((candidate) => candidate.name === name);
  if (profile) return profile;
  const known = PROFILES.map((candidate) => `${candidate.name} (${candidate.description})`).join('; ');
  throw new UserError(`there is no profile "${name}"; choose one of: ${known}`);
}
