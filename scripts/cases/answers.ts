import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { profileNamed } from '../../src/guard/profiles/index.js';
import { Policy } from '../../src/policy/policy.js';
import type { CheckedCase } from './checked-case.js';

const cases = z.array(
  z.object({ profile: z.string(), text: z.string(), means: z.enum(['safe', 'unsafe', 'invalid']) }),
);
/** The policy that the cases are written for. */
const POLICY = 'No weapons.\nNo nudity.\nAlcohol is allowed.';

export interface CheckedAnswer extends CheckedCase {
  /** Read as what it means, without asking. */
  readonly isRight: boolean;
}

/** An answer is ok where it is read as what it means, or `invalid`: free text that leaves it open would be asked. */
export async function checkAnswers(path: string): Promise<CheckedAnswer[]> {
  const policy = Policy.fromMarkdown(POLICY);
  return cases.parse(JSON.parse(await readFile(path, 'utf8'))).map(({ profile, text, means }, i) => {
    const { label, problem } = profileNamed(profile).read(text, policy);
    const isRight = label === means;
    const read = isRight ? '' : `: read as ${label}${problem === null ? '' : ` (${problem.message})`}`;
    return {
      name: `answers.json#${i + 1} ${profile}, means ${means}`,
      isOk: isRight || label === 'invalid',
      isRight,
      detail: read,
    };
  });
}
