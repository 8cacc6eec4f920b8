/** @module What a guardrail of each family should answer to a labelled picture, for SFT. */
import type { GuardProfile } from '../guard/profile.js';
import { profileNamed } from '../guard/profiles/index.js';
import { Policy } from '../policy/policy.js';
import { assert, UserError } from '../util/errors.js';
import type { LabelledRow } from './llavaguard-rows.js';

type Answer = Pick<LabelledRow, 'label' | 'category' | 'rationale'>;

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Profile → its answer; the reasons stand in it where the data set gives them. */
const ANSWERS: Readonly<Record<string, (answer: Answer) => string>> = {
  paper: ({ label, rationale }) =>
    `${rationale === null ? '' : `<think>${rationale}</think>`}<answer>${label === 'safe' ? 'yes' : 'no'}</answer>`,
  card: ({ label, rationale }) =>
    `${rationale === null ? '' : `${rationale}\n\n`}Final judgment: ${upper(label)}`,
  'safe-unsafe': ({ label }) => label,
  'yes-no': ({ label }) => (label === 'safe' ? 'No' : 'Yes'),
  llavaguard: ({ label, category, rationale }) =>
    JSON.stringify(
      {
        rating: upper(label),
        category: category ?? 'NA: None applying',
        ...(rationale !== null && { rationale }),
      },
      null,
      4,
    ),
};

/** Profiles that data sets can be written for. */
export const ANSWERED_PROFILES = Object.keys(ANSWERS);

/** @throws UserError for a profile whose answers need more than label, category and reasons. */
export function answeredProfile(name: string): GuardProfile {
  if (Object.hasOwn(ANSWERS, name)) return profileNamed(name);
  throw new UserError(
    `a data set cannot be written for the profile "${name}"; choose one of ${ANSWERED_PROFILES.join(', ')}`,
  );
}

/** The answer as the family's own reader reads it: reasons that would make it unreadable are left out. */
export function answerFor(profile: GuardProfile, row: Answer, policy: Policy): string {
  const candidates = [row, { ...row, rationale: null }].map((one) => ANSWERS[profile.name](one));
  const answer = candidates.find((text) => profile.read(text, policy).label === row.label);
  assert(answer !== undefined, `the profile ${profile.name} does not read its own answer ${candidates[1]}`);
  return answer;
}
