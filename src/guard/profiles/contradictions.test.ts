import { describe, expect, it } from 'vitest';
import { Policy } from '../../policy/policy.js';
import { profileNamed } from './index.js';

const policy = Policy.fromMarkdown('No weapons.\nNo nudity.\nAlcohol is allowed.');

/** Answers that say two things at once, of which one is safe. */
const TWO_MINDS: readonly (readonly [profile: string, text: string])[] = [
  ['llavaguard', '{"rating": ["Unsafe"], "rating": "Safe"}'],
  ['llavaguard', '{"rating": null, "rating": "Safe"}'],
  ['llavaguard', '{"assessment": {"rating": "Unsafe"}, "rating": "Safe"}'],
  ['llavaguard', '{"rating": "Safe", "details": {"rating": "Unsafe"}}'],
  ['llavaguard', String.raw`{"\u0072ating": "Unsafe", "rating": "Safe"}`],
  ['llavaguard', '{"rating": "Safe", "verdict": "Unsafe"}'],
  ['llavaguard', '{"rating": "Safe", "is_safe": false}'],
  ['llavaguard', '{"rating": "Safe" // "rating": "Unsafe"\n}'],
  ['policyshift', 'false | a gun | true | 01'],
  ['policyshift', 'false | true'],
  ['policyshift', 'false | a cup\rtrue | 01 | a gun'],
  ['policyshift', 'false | a cup\u2028true | 01 | a gun'],
  ['policyshift', 'false | a cup\u0085true | 01 | a gun'],
  ['guardreasoner', '<think>A gun.</think><result>\nImage: harmful\nRequest: unharmful\n</result>'],
  ['guardreasoner', '<think>A gun.</think><result>\nRequest: unharmful\nThis is harmful.\n</result>'],
  ['card', '<ANSWER>no</ANSWER>\nFinal judgment: Safe'],
];

describe('an answer of two minds', () => {
  it.each(TWO_MINDS)('%s: %j is not safe', (profile, text) => {
    expect(profileNamed(profile).read(text, policy).label).toBe('invalid');
  });
});

describe('an answer of one mind stays safe', () => {
  it.each([
    ['llavaguard', '{"rating": "Safe", "category": "NA", "rationale": "A cup.", "confidence": 0.9}'],
    ['policyshift', 'false | a cup'],
    ['guardreasoner', '<think>A cup.</think><result>\nRequest: unharmful\nResponse: harmful\n</result>'],
    ['card', 'A cup.\nFinal judgment: Safe'],
  ])('%s: %j', (profile, text) => {
    expect(profileNamed(profile).read(text, policy).label).toBe('safe');
  });
});
