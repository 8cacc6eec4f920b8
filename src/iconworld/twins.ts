/** Twins: a scene and its edit whose labels differ under some policy, with every policy's label for both. */
import { assert } from '../util/errors.js';
import { Random } from '../util/random.js';
import { factsOf } from './captions.js';
import { editScene } from './edit.js';
import { type Judgement, judgeScene } from './label.js';
import { LEVELS } from './levels.js';
import { samplePolicy } from './policy.js';
import { sampleScene } from './scene.js';
import { type Split, splitSeed } from './splits.js';
import type { IconPolicy, Scene, Style } from './types.js';

export const POLICY_CHOICES = ['levels', 'free', 'both'] as const;
export type PolicyChoice = (typeof POLICY_CHOICES)[number];

export interface TwinOptions {
  readonly split: Split;
  readonly style: Style;
  readonly policies: PolicyChoice;
}

/** One policy over the scene (unsafe or safe) and its edit. */
export interface TwinJudgements {
  /** 0–4 for L1–L5; 5 for a free policy. */
  readonly level: number;
  readonly policy: IconPolicy;
  readonly original: Judgement;
  readonly edited: Judgement;
}

export interface Twin {
  readonly original: Scene;
  readonly edited: Scene;
  /** Under at least one of them the labels differ: the original is unsafe, its edit safe. */
  readonly judgements: readonly TwinJudgements[];
}

/** The level number of a free policy. */
export const FREE_LEVEL = LEVELS.length;

const SCENE_TRIES = 500;
const POLICY_TRIES = 40;

const judge = (level: number, policy: IconPolicy, original: Scene, edited: Scene): TwinJudgements => ({
  level,
  policy,
  original: judgeScene(factsOf(original), policy),
  edited: judgeScene(factsOf(edited), policy),
});

const differs = ({ original, edited }: TwinJudgements): boolean => original.label !== edited.label;

/** The `index`-th twin of a split: the same number and options, the same twin. */
export function sampleTwin(index: number, { split, style, policies }: TwinOptions): Twin {
  const random = new Random(splitSeed('pair', split, index));
  for (let i = 0; i < SCENE_TRIES; i++) {
    const original = sampleScene(random, { style });
    const edits = original.things.map((_, at) => editScene(original, at, random));
    const judged = edits.map((edited) => ({
      edited,
      levels:
        policies === 'free' ? [] : LEVELS.map((level, number) => judge(number, level, original, edited)),
    }));
    const most = Math.max(...judged.map(({ levels }) => levels.filter(differs).length));
    if (policies !== 'free' && most === 0) continue;
    const { edited, levels } = random.pick(
      judged.filter((one) => one.levels.filter(differs).length === most),
    );
    if (policies === 'levels') return { original, edited, judgements: levels };
    const free = freePolicy(random, original, edited, split);
    if (free) return { original, edited, judgements: [...levels, free] };
  }
  assert(false, 'no twin whose labels differ');
}

function freePolicy(random: Random, original: Scene, edited: Scene, split: Split): TwinJudgements | null {
  const facts = factsOf(original);
  if (!facts.things.some(({ category }) => category !== null)) return null;
  for (let i = 0; i < POLICY_TRIES; i++) {
    const judged = judge(
      FREE_LEVEL,
      samplePolicy(random, { split, facts, want: 'unsafe' }),
      original,
      edited,
    );
    if (differs(judged)) return judged;
  }
  return null;
}
