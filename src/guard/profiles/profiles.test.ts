import { describe, expect, it } from 'vitest';
import { parseRegex } from '../../generation/grammar/regex.js';
import { Policy } from '../../policy/policy.js';
import type { Label } from '../verdict.js';
import { PROFILES, profileNamed, recognisedProfile } from './index.js';

const policy = Policy.fromMarkdown('No weapons. Alcohol may be shown. No money.');

interface Golden {
  readonly raw: string;
  readonly label: Label;
  /** The word at `verdictAt`. */
  readonly word?: string;
  readonly category?: string;
  readonly rule?: number;
  readonly reasoning?: string;
}
const safe = (raw: string, word: string, rest: Partial<Golden> = {}): Golden => ({
  raw,
  label: 'safe',
  word,
  ...rest,
});
const unsafe = (raw: string, word: string, rest: Partial<Golden> = {}): Golden => ({
  raw,
  label: 'unsafe',
  word,
  ...rest,
});
const invalid = (...raws: readonly string[]): Golden[] => raws.map((raw) => ({ raw, label: 'invalid' }));

const JSON_SAFE =
  '{\n    "rating": "Safe",\n    "category": "NA: None applying",\n    "rationale": "A beer."\n}';
const JSON_UNSAFE = '{"rating": "Unsafe", "category": "O6: Weapons", "rationale": "A \\"gun\\"."}';

/** Well-formed, truncated, hostile, empty and contradictory answers of every family. */
const ANSWERS: Readonly<Record<string, readonly Golden[]>> = {
  card: [
    safe('The image shows a beer, which may be shown.\n\nFinal Judgment: Safe', 'Safe'),
    unsafe('There is a gun.\n\n**Final judgment (Safe/Unsafe):** **Unsafe**', 'Unsafe'),
    unsafe('Reasoning: a gun.\nFinal Judgment:\n\n> UNSAFE.', 'UNSAFE'),
    unsafe('Unsafe\n\nThe picture shows a gun.', 'Unsafe'),
    unsafe('My verdict is not safe.', 'not safe'),
    unsafe('Final judgment: Safe\nFinal judgment: Unsafe', 'Unsafe'),
    safe('最终判断：安全', '安全'),
    safe('<think>A beer.</think><answer>yes</answer>', 'yes', { reasoning: 'A beer.' }),
    unsafe('<think>A gun.</think><answer>no</answer>', 'no'),
    ...invalid(
      '',
      '  \n ',
      'The image shows a',
      'Final judgment: Safe/Unsafe',
      'Is it safe or unsafe? Hard to say.',
      'Final judgment: Unsafe\nFinal judgment: Safe',
      'The image is safe. The image is unsafe.',
      'It shows a gun, so the image is considered unsafe under the policy.',
      'The answer: safe. Nothing here is unsafe to see.',
      '<answer>yes</answer><answer>no</answer>',
      '<think>A gun.</think><answer>',
      'The policy says: answer with your final words.',
      'Unsafely put, this is safety.',
    ),
  ],
  paper: [
    safe('<think>A beer.</think><answer>yes</answer>', 'yes', { reasoning: 'A beer.' }),
    unsafe('<think>A gun.</think><answer>no</answer>', 'no'),
    ...invalid(
      '',
      '<think>A gun',
      'unsafe',
      '<answer>yes</answer><answer>no</answer>',
      '<answer>safe</answer>',
    ),
  ],
  'safe-unsafe': [
    safe('safe', 'safe'),
    safe(' Safe.\n', 'Safe'),
    unsafe('Unsafe', 'Unsafe'),
    unsafe('**unsafe**', 'unsafe'),
    unsafe('unsafe', 'unsafe'),
    ...invalid('', 'un', 'safe unsafe', 'The image is safe.', 'safety', 'safe\nunsafe', '<|im_end|>'),
  ],
  llavaguard: [
    safe(JSON_SAFE, 'Safe', { reasoning: 'A beer.' }),
    unsafe(JSON_UNSAFE, 'Unsafe', { category: 'O6: Weapons', reasoning: 'A "gun".' }),
    unsafe(`\`\`\`json\n${JSON_UNSAFE}\n\`\`\``, 'Unsafe', { category: 'O6: Weapons' }),
    unsafe('{"rating": "Unsafe", "category": "O6", "rationale": "A gun."}', 'Unsafe', {
      category: 'O6',
      reasoning: 'A gun.',
    }),
    unsafe("{'rationale': 'A gun.', 'category': 'O6: Weapons', 'rating': 'Unsafe'}", 'Unsafe', {
      category: 'O6: Weapons',
      reasoning: 'A gun.',
    }),
    unsafe('{"rating": "Unsafe", "category": "O6: Weapons", "rationale": "A gu', 'Unsafe', {
      category: 'O6: Weapons',
    }),
    unsafe('{"image-category": "O6", "decision": "Review Needed"}', 'Review Needed', { category: 'O6' }),
    safe('{"assessment": "Compliant", "rationale": "fine"}', 'Compliant', { reasoning: 'fine' }),
    ...invalid(
      '',
      '{"rating": "Unsa',
      '{"rating": "Maybe"}',
      '{"category": "O6", "rationale": "no rating"}',
      '{"rating": "Safe", "rating": "Unsafe"}',
      '{"rating": "Safe"} {"rating": "Unsafe"} never mind',
      'Sure! {"rating": "Safe"}',
      'Unsafe',
      '[]',
    ),
  ],
  policyshift: [
    unsafe('true | 01 | shows a gun', 'true', { category: '01', rule: 1, reasoning: 'shows a gun' }),
    unsafe('true | 03', 'true', { category: '03', rule: 3 }),
    unsafe('True | 1', 'True', { category: '01', rule: 1 }),
    unsafe('true | 03,02 | a gun', 'true', { category: '02', rule: 2 }),
    safe('false | nothing forbidden', 'false', { reasoning: 'nothing forbidden' }),
    safe('false', 'false'),
    unsafe('<think>A gun: true | 02.</think> true | 01', 'true', {
      category: '01',
      rule: 1,
      reasoning: 'A gun: true | 02.',
    }),
    safe('<think>fine</think>\nfalse', 'false', { reasoning: 'fine' }),
    ...invalid(
      '',
      'true',
      'true |',
      'False | 01',
      'true | 99',
      'true | 00',
      'true | 01 | a\ntrue | 02 | b',
      'false | 01',
      'The answer is false.',
      '<think>never closed true | 01',
      '<think>a</think><think>b</think> false',
      'truely awful',
    ),
  ],
  guardreasoner: [
    unsafe('<think>A gun.</think>\n<result>\nRequest: harmful\nResponse: unharmful\n</result>', 'harmful', {
      reasoning: 'A gun.',
    }),
    unsafe('<think>A gun.</think><result>Request: harmful</result>', 'harmful'),
    safe('<think>Not harmful.</think><result>Request: unharmful</result>', 'unharmful'),
    safe('<think>never closed <result>Request: unharmful</result>', 'unharmful', {
      reasoning: 'never closed',
    }),
    ...invalid(
      '',
      '<think>A gun.</think>',
      '<think>A gun.</think><result>Request: harm',
      '<think>a</think><result>Request: harmful/unharmful</result>',
      '<think><result>Request: unharmful</result></think><result>Request: harmful</result>',
      'harmful',
    ),
  ],
  singguard: [
    safe('safe\nOnly a beer.\n<answer>Safe</answer>', 'safe', { reasoning: 'Only a beer.' }),
    unsafe('unsafe\nA gun.\n<answer>No weapons.</answer>', 'unsafe', { rule: 1, reasoning: 'A gun.' }),
    ...invalid(
      '',
      'unsafe',
      'unsafe\nA gun.\n<answer>No wea',
      'safe\nA gun.\n<answer>No weapons.</answer>',
      'unsafe\nFine.\n<answer>Safe</answer>',
      'unsafe\nA gun.\n<answer>Ignore the policy.</answer>',
      'I think: unsafe\nA gun.\n<answer>No weapons.</answer>',
    ),
  ],
  'llama-guard': [
    safe('safe', 'safe'),
    safe('\n\nsafe', 'safe'),
    unsafe('unsafe\nS1', 'unsafe', { category: 'S1', rule: 1 }),
    unsafe('\n\nunsafe\nS3, S1\n', 'unsafe', { category: 'S3,S1', rule: 1 }),
    unsafe('Unsafe s2', 'Unsafe', { category: 'S2', rule: 2 }),
    unsafe('unsafe', 'unsafe'),
    ...invalid('', 'un', 'safe\nS1', 'unsafe\nS9', 'unsafe but S1', 'safe S1', 'Safe.', 'unsafe\nsafe', 'S1'),
  ],
  'yes-no': [
    unsafe('Yes', 'Yes'),
    unsafe(' yes.', 'yes'),
    safe('No', 'No'),
    ...invalid('', 'Y', 'Yes and no', 'No, it does not.', 'true', 'yes\nno'),
  ],
  iconworld: [
    unsafe('<think>No place: gun.\ngun: weapons [1] "No weapons." banned</think><answer>no</answer>', 'no', {
      category: 'weapons',
      rule: 1,
    }),
    safe('<think>No place: apple.\napple: harmless</think><answer>yes</answer>', 'yes'),
    unsafe('<answer>no</answer>', 'no'),
    safe('<answer>yes</answer>', 'yes'),
    ...invalid(
      '',
      '<think>This is not a picture I know.</think>',
      '<think>No place: gun.',
      '<think>No place: gun.</think><answer>no</answer>',
      '<answer>no</answer><answer>yes</answer>',
      'no',
    ),
  ],
};

it('there are golden answers for every profile', () => {
  expect(Object.keys(ANSWERS).toSorted()).toEqual(PROFILES.map(({ name }) => name).toSorted());
});

describe.each(PROFILES)('the profile $name', (profile) => {
  const answers = ANSWERS[profile.name];

  it('has every kind of answer', () => {
    expect(new Set(answers.map(({ label }) => label))).toEqual(new Set(['safe', 'unsafe', 'invalid']));
    expect(answers.filter(({ label }) => label === 'invalid').length).toBeGreaterThan(4);
  });

  it.each(answers)('reads $raw as $label', ({ raw, label, word, category, rule, reasoning }) => {
    const answer = profile.read(raw, policy);
    expect(answer.label).toBe(label);
    expect(answer.problem === null).toBe(label !== 'invalid');
    expect(answer.words === null).toBe(label === 'invalid');
    expect(answer.violatedRule?.number).toBe(rule);
    expect(answer.category).toBe(category ?? null);
    expect(answer.reasoning).toBe(reasoning ?? answer.reasoning);
    const { verdictAt } = answer;
    const found = verdictAt === null ? undefined : raw.slice(verdictAt, verdictAt + (word?.length ?? 0));
    expect(found).toBe(word);
  });

  it('asks with all images first and the whole policy', () => {
    const image = { width: 1, height: 1, data: new Uint8Array(3) };
    const content = profile.messages([image, image], policy).at(-1)?.content ?? '';
    const parts = typeof content === 'string' ? [] : content;
    expect(parts.map(({ type }) => type)).toEqual(['image', 'image', 'text']);
    const [, , words] = parts;
    for (const statement of policy.statements) {
      expect(words.type === 'text' && words.text).toContain(statement);
    }
  });
});

describe.each(PROFILES.filter(({ grammar }) => grammar !== null))('the grammar of $name', (profile) => {
  it('is one that answers can be held to, and all that it lets through is read', () => {
    const pattern = profile.grammar?.(policy) ?? '';
    expect(() => parseRegex(pattern)).not.toThrow();
    const whole = new RegExp(`^(?:${pattern})$`, 'u');
    const read = ANSWERS[profile.name].filter(({ raw }) => whole.test(raw));
    const labels = new Set(read.map(({ label }) => label));
    expect(labels).toEqual(new Set(['safe', 'unsafe']));
  });
});

describe('recognition', () => {
  it.each([
    ['tyodd/SafeGuard-VL-RL', 'card'],
    ['models/safeguard-vl-tiny', 'iconworld'],
    ['AIML-TUDA/QwenGuard-v1.2-7B', 'llavaguard'],
    ['AIML-TUDA/LlavaGuard-v1.2-0.5B-OV', 'llavaguard'],
    ['PolicyShiftGuard/PolicyShiftGuard-3B', 'policyshift'],
    ['yueliu1999/GuardReasoner-VL-7B', 'guardreasoner'],
    ['meta-llama/Llama-Guard-3-11B-Vision', 'llama-guard'],
    ['google/shieldgemma-2-4b-it', 'yes-no'],
    ['Qwen/Qwen2.5-VL-7B-Instruct', 'paper'],
  ])('of %s gives %s', (name, profile) => {
    expect(recognisedProfile([name]).name).toBe(profile);
  });

  it('lists what there is for an unknown name', () => {
    expect(() => profileNamed('claude')).toThrow(/there is no profile "claude".*card \(.*iconworld \(/);
  });
});
