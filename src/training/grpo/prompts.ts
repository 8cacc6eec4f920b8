/** @module Prompts to answer: a picture, a policy, and what is known of the right answer. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { factsOf } from '../../iconworld/captions.js';
import { judgeScene } from '../../iconworld/label.js';
import { numberedText } from '../../iconworld/page.js';
import { boundaryPair } from '../../iconworld/policy.js';
import { loadIcons } from '../../iconworld/raster.js';
import { renderScene } from '../../iconworld/render.js';
import { judgementSample, questionSample } from '../../iconworld/samples.js';
import { sampleScene } from '../../iconworld/scene.js';
import { type Split, splitRandom } from '../../iconworld/splits.js';
import type { IconPolicy, SceneFacts } from '../../iconworld/types.js';
import type { GuardProfile } from '../../guard/profile.js';
import { profileFrom } from '../../guard/profiles/index.js';
import { decodeImage } from '../../images/decode.js';
import type { RgbImage } from '../../images/image.js';
import { Policy } from '../../policy/policy.js';
import { assert, UserError } from '../../util/errors.js';
import { readJsonLines } from '../../util/json-lines.js';
import { Random } from '../../util/random.js';
import { type PolicyPrompt, policyPrompt } from '../policy-prompt.js';
import type { RewardSample } from '../rewards/reward.js';
import type { GrpoConfig } from './config.js';

export interface GrpoPrompt {
  /** Its number in the stream. */
  readonly index: number;
  readonly images: readonly RgbImage[];
  /** What stands before the user's turn; the chat template's own words where it is left out. */
  readonly system?: string;
  /** The user's text, which follows the images. */
  readonly prompt: string;
  readonly sample: RewardSample;
  /** Which kind of policy this is, for accuracies by policy. */
  readonly kind: string;
}

/** Prompts by their number in an endless stream: the same number gives the same prompt. */
export interface PromptSource {
  prompt(index: number): Promise<GrpoPrompt>;
  /** Prompts that the stream never holds; fewer than asked for where there are no more. */
  heldOut(count: number): Promise<GrpoPrompt[]>;
}

/** Whose words and format lines of a file are in where the configuration names none. */
export const DEFAULT_PROFILE = 'paper';

/** The prompts that a configuration's `data` names. */
export async function openPrompts(config: GrpoConfig): Promise<PromptSource> {
  if (config.data.source === 'jsonl') {
    const profile = await profileFrom(config.profile ?? DEFAULT_PROFILE);
    return jsonlPrompts(config, config.data, profile);
  }
  await loadIcons();
  return iconworldPrompts(config.data, config.seed, config.steps * config.prompts_per_step);
}

type IconworldData = Extract<GrpoConfig['data'], { source: 'iconworld' }>;

function iconworldPrompts(
  { curriculum, pairs, max_voice: maxVoice, unrelated: unrelatedShare, questions = 0 }: IconworldData,
  seed: number,
  total: number,
): PromptSource {
  const maxRulesAt = (index: number): number =>
    curriculum.filter(([from]) => from <= index / total).at(-1)?.[1] ?? curriculum[0][1];
  const one = (index: number, random: Random, split: Split, maxRules: number): GrpoPrompt => {
    const unrelated = unrelatedShare > 0 && random.chance(unrelatedShare);
    const { image, meta } = judgementSample({ split, maxRules, maxVoice, unrelated }).next(random);
    assert(
      image !== null && meta.facts !== null && meta.policy !== null,
      'a judgement has a picture and a policy',
    );
    return iconworldPrompt(index, image, meta.facts, meta.policy, null);
  };
  return {
    prompt(index) {
      // Two neighbours share a seed, so that each can tell by itself whether they are a pair.
      const couple = Math.floor(index / 2);
      const place = pairs > 0 ? couple : index;
      if (questions > 0 && new Random(`${seed}/grpo/questions/${place}`).chance(questions))
        return Promise.resolve(questionPrompt(index, new Random(`${seed}/grpo/${index}`)));
      const random = new Random(`${seed}/grpo/couple/${couple}`);
      const maxRules = maxRulesAt(index);
      if (random.chance(pairs)) return Promise.resolve(pairMember(index, random, { maxRules, maxVoice }));
      return Promise.resolve(one(index, new Random(`${seed}/grpo/${index}`), 'train', maxRules));
    },
    heldOut(count) {
      const most = Math.max(...curriculum.map(([, maxRules]) => maxRules));
      return Promise.resolve(
        Array.from({ length: count }, (_, i) =>
          one(i, new Random(`${seed}/grpo-held-out/${i}`), 'validation', most),
        ),
      );
    },
  };
}

/** One picture under a policy that passes it and under one that differs in a statement and blocks it. */
function pairMember(
  index: number,
  random: Random,
  { maxRules, maxVoice }: { readonly maxRules: number; readonly maxVoice?: number },
): GrpoPrompt {
  let scene = sampleScene(splitRandom(random, 'scene', 'train'));
  // No policy makes harmless things unsafe.
  while (factsOf(scene).things.every(({ category }) => category === null)) {
    scene = sampleScene(splitRandom(random, 'scene', 'train'));
  }
  const facts = factsOf(scene);
  const options = {
    split: 'train',
    rules: [Math.min(1, maxRules), maxRules],
    ...(maxVoice !== undefined && { voice: [0, maxVoice] as const }),
  } as const;
  const policies = boundaryPair(splitRandom(random, 'pair', 'train'), facts, options);
  const couple = Math.floor(index / 2);
  return iconworldPrompt(index, renderScene(scene), facts, policies[index % 2], `couple-${couple}`);
}

/** A question about a picture, whose answer is known word for word. */
function questionPrompt(index: number, random: Random): GrpoPrompt {
  const { image, prompt, answer } = questionSample().next(random);
  assert(image !== null, 'a question has a picture');
  return {
    index,
    images: [image],
    prompt,
    sample: { label: null, answer, statements: [], decisive: [], categories: [], pair: null },
    kind: 'question',
  };
}

function iconworldPrompt(
  index: number,
  image: RgbImage,
  facts: SceneFacts,
  policy: IconPolicy,
  pair: string | null,
): GrpoPrompt {
  const { things, groups, label } = judgeScene(facts, policy);
  const banned = things.filter((thing) => thing.banned);
  const broken = groups.filter((group) => group.broken);
  const numbers = [...banned, ...broken].flatMap(({ number }) => number ?? []);
  const ruled = broken.map(({ rule }) =>
    rule.kind === 'neverTogether' ? rule.categories.join(' + ') : rule.category,
  );
  return {
    index,
    images: [image],
    prompt: numberedText(policy.statements),
    sample: {
      label,
      things: facts.things.map(({ name }) => name),
      statements: policy.statements.map(({ text }) => text),
      decisive: [...new Set(numbers)].sort((a, b) => a - b),
      categories: [...new Set([...banned.flatMap(({ icon }) => icon.category ?? []), ...ruled])],
      pair,
    },
    kind: `${policy.statements.length} statements`,
  };
}

const SOLUTIONS: Readonly<Record<string, 'safe' | 'unsafe'>> = {
  '<answer>safe</answer>': 'safe',
  '<answer>unsafe</answer>': 'unsafe',
  safe: 'safe',
  unsafe: 'unsafe',
};

const solution = z.string().refine((text) => Object.hasOwn(SOLUTIONS, text), {
  error: `must be one of ${Object.keys(SOLUTIONS).join(', ')}`,
});

const line = z
  .strictObject({
    /** The user's text as it is; where there is none, the profile's words for the policy. */
    prompt: z.string().min(1).optional(),
    system: z.string().min(1).optional(),
    /** The policy's text, read as Markdown: its sentences are the statements where none are given. */
    policy: z.string().min(1).optional(),
    images: z.array(z.string()).min(1, 'a guardrail judges pictures: name at least one'),
    /** As ms-swift's data has it, or the bare word. */
    solution: solution.optional(),
    /** The same under another name. */
    label: solution.optional(),
    /** In their place, where the prompt asks no verdict: the answer, word for word. */
    answer: z.string().min(1).optional(),
    statements: z.array(z.string().min(1)).default([]),
    decisive: z.array(z.int().min(1)).default([]),
    categories: z.array(z.string()).default([]),
    things: z.array(z.string()).optional(),
    pair: z.string().nullable().default(null),
    kind: z.string().default('jsonl'),
  })
  .refine(({ prompt, policy }) => prompt !== undefined || policy !== undefined, {
    path: ['prompt'],
    error: 'give a prompt, or a policy for the profile to ask about',
  })
  .refine((given) => [given.solution, given.label, given.answer].filter(Boolean).length === 1, {
    path: ['solution'],
    error: `give a solution or a label, one of ${Object.keys(SOLUTIONS).join(', ')}, or the answer to a question`,
  })
  .refine(({ answer, prompt }) => answer === undefined || prompt !== undefined, {
    path: ['prompt'],
    error: 'an answer goes with a prompt that asks for it',
  });

type Line = z.infer<typeof line>;

/** A line with what follows from it. */
type Row = Omit<Line, 'prompt' | 'system'> & PolicyPrompt & { readonly number: number };

type JsonlData = Extract<GrpoConfig['data'], { source: 'jsonl' }>;

/** Every line is checked before the first prompt is asked for, its pictures' existence too. */
function jsonlPrompts(
  { seed, rewards }: Pick<GrpoConfig, 'seed' | 'rewards'>,
  { file, held_out: heldOut }: JsonlData,
  profile: GuardProfile,
): PromptSource {
  const folder = dirname(file);
  const rows = readRows(file, profile);
  const question = rows.find(({ answer }) => answer !== undefined);
  if (question !== undefined && !Object.hasOwn(rewards, 'exact'))
    throw new UserError(
      `${file}, line ${question.number} asks for an answer, and no reward is for it: give the reward exact a weight.`,
    );
  for (const { number, images } of rows) {
    const missing = images.find((path) => !existsSync(resolve(folder, path)));
    if (missing !== undefined)
      throw new UserError(
        `${file}, line ${number}: there is no picture ${missing}; paths are relative to the file.`,
      );
  }
  const split = rows.length - heldOut;
  if (split < 1) {
    throw new UserError(
      `${file} has ${rows.length} prompts, of which data.held_out keeps ${heldOut} back: none are left to train on.`,
    );
  }
  const made = async (row: Row, index: number): Promise<GrpoPrompt> => ({
    index,
    images: await Promise.all(row.images.map((path) => picture(resolve(folder, path), file, row.number))),
    ...(row.system !== undefined && { system: row.system }),
    prompt: row.prompt,
    sample: {
      label: row.answer === undefined ? SOLUTIONS[row.solution ?? row.label ?? ''] : null,
      ...(row.answer !== undefined && { answer: row.answer }),
      ...(row.things !== undefined && { things: row.things }),
      statements: row.statements,
      decisive: row.decisive,
      categories: row.categories,
      pair: row.pair,
    },
    kind: row.kind,
  });
  let epoch = -1;
  let order: number[] = [];
  return {
    prompt(index) {
      const wanted = Math.floor(index / split);
      if (wanted !== epoch) {
        epoch = wanted;
        order = new Random(`${seed}/epoch/${epoch}`).shuffle([...Array(split).keys()]);
      }
      return made(rows[order[index % split]], index);
    },
    heldOut: (count) => Promise.all(rows.slice(split, split + count).map(made)),
  };
}

function readRows(file: string, profile: GuardProfile): Row[] {
  // Data sets repeat few policies in many lines.
  const policies = new Map<string, Policy>();
  const rows = readJsonLines(file, 'the prompts').flatMap(({ line: number, value }) => {
    const parsed = line.safeParse(value);
    if (parsed.success) return [rowOf(parsed.data, { file, number }, profile, policies)];
    const [{ path, message }] = parsed.error.issues;
    throw new UserError(`${file}, line ${number}: ${path.join('.') || 'the line'}: ${message}.`);
  });
  if (rows.length === 0) throw new UserError(`${file} holds no prompts: give one JSON object a line.`);
  return rows;
}

function rowOf(
  { prompt, system, ...rest }: Line,
  { file, number }: { readonly file: string; readonly number: number },
  profile: GuardProfile,
  policies: Map<string, Policy>,
): Row {
  const before = system === undefined ? {} : { system };
  if (rest.policy === undefined) return { ...rest, ...before, prompt: prompt ?? '', number };
  const source = `${file}, line ${number}: the policy`;
  const policy = policies.get(rest.policy) ?? Policy.fromMarkdown(rest.policy, { source });
  policies.set(rest.policy, policy);
  const statements = rest.statements.length > 0 ? rest.statements : [...policy.statements];
  const asked = prompt === undefined ? policyPrompt(profile, policy) : { prompt };
  return { ...rest, ...asked, ...before, statements, number };
}

async function picture(path: string, file: string, number: number): Promise<RgbImage> {
  try {
    return await decodeImage(path);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${file}, line ${number}: ${error.message}`);
    throw error;
  }
}
