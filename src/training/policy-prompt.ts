/** @module The words in which a family of guardrails is asked about a policy, as a data set holds them. */
import type { GuardProfile } from '../guard/profile.js';
import type { Policy } from '../policy/policy.js';
import { assert } from '../util/errors.js';

export interface PolicyPrompt {
  /** What stands before the user's turn, where the family wants anything there. */
  readonly system?: string;
  /** The user's text, which follows the images. */
  readonly prompt: string;
}

/** The profile's own words for judging under the policy. */
export function policyPrompt(profile: GuardProfile, policy: Policy): PolicyPrompt {
  const turns = profile.messages([], policy);
  const textOf = (role: 'system' | 'user'): string | undefined => {
    const content = turns.find((turn) => turn.role === role)?.content;
    if (content === undefined || typeof content === 'string') return content;
    return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  };
  const [system, prompt] = [textOf('system'), textOf('user')];
  assert(prompt !== undefined, `the profile ${profile.name} asks nothing`);
  return system === undefined ? { prompt } : { system, prompt };
}
