/** @module The judgements of `tiny:eval`, drawn from a seed: free ones, levels, another style, new words. */
import { answerText } from '../iconworld/answer.js';
import { factsOf } from '../iconworld/captions.js';
import { LEVELS } from '../iconworld/levels.js';
import { judgeScene } from '../iconworld/label.js';
import { numberedText } from '../iconworld/page.js';
import { samplePolicy } from '../iconworld/policy.js';
import { renderScene } from '../iconworld/render.js';
import { sampleScene } from '../iconworld/scene.js';
import { type Split, splitRandom } from '../iconworld/splits.js';
import type { IconPolicy, Scene, SceneFacts, Style } from '../iconworld/types.js';
import { Random } from '../util/random.js';
import type { AnswerItem } from './answerer.js';

/** In the order of the evaluation. The first two are the N judgements, the others come on top. */
export const PARTS = ['free', 'levels', 'unseenStyle', 'newWords'] as const;
export type Part = (typeof PARTS)[number];

/** One scene under one policy, with the gold answer. */
export interface EvalItem extends AnswerItem {
  readonly part: Part;
  /** Equal for judgements of one picture. */
  readonly scene: string;
  /** 1 … 5 for L1 … L5; null for a free policy. */
  readonly level: number | null;
  readonly facts: SceneFacts;
  readonly policy: IconPolicy;
  readonly label: 'safe' | 'unsafe';
  /** The gold answer. */
  readonly answer: string;
}

export type PartSizes = Readonly<Record<Part, number>>;

/** Judgements of each part for a limit of N (≥ 10): N/2 free and N/10 scenes × 5 levels, what is left over goes to the free ones. */
export function partSizes(limit: number): PartSizes {
  const levels = LEVELS.length * Math.floor(limit / (2 * LEVELS.length));
  const half = Math.floor(limit / 2);
  return { free: limit - levels, levels, unseenStyle: half, newWords: half };
}

interface FreeChoice {
  readonly split: Split;
  readonly style: Style;
}

const FREE_CHOICES: Readonly<Record<Exclude<Part, 'levels'>, FreeChoice>> = {
  free: { split: 'test', style: 'fluent' },
  unseenStyle: { split: 'test', style: 'noto' },
  newWords: { split: 'newWords', style: 'fluent' },
};

/** The judgements of one part. The k-th scene depends on seed, part and k alone; `loadIcons()` must have finished. */
export function drawPart(part: Part, seed: number | string, sizes: PartSizes): EvalItem[] {
  const randomOf = (k: number): Random => new Random(`tiny-eval/${seed}/${part}/${k}`);
  if (part === 'levels') {
    return Array.from({ length: sizes.levels / LEVELS.length }, (_, k) => levelItems(randomOf(k))).flat();
  }
  return Array.from({ length: sizes[part] }, (_, k) =>
    freeItem(part, randomOf(k), k % 2 === 0 ? 'safe' : 'unsafe'),
  );
}

/** One scene of the test's seeds under L1 … L5. */
function levelItems(random: Random): EvalItem[] {
  const scene = sampleScene(splitRandom(random, 'scene', 'test'), { style: 'fluent' });
  const image = renderScene(scene);
  return LEVELS.map((policy, index) => ({ ...itemOf('levels', scene, policy), image, level: index + 1 }));
}

/** One scene under a policy of 1–9 ruling statements that gives it this label. */
function freeItem(part: Exclude<Part, 'levels'>, random: Random, want: 'safe' | 'unsafe'): EvalItem {
  const { split, style } = FREE_CHOICES[part];
  let scene: Scene;
  let facts: SceneFacts;
  do {
    scene = sampleScene(splitRandom(random, 'scene', split), { style });
    facts = factsOf(scene);
    // No policy makes harmless things unsafe.
  } while (want === 'unsafe' && facts.things.every(({ category }) => category === null));
  const policy = samplePolicy(splitRandom(random, 'policy', split), { split, facts, want });
  return { ...itemOf(part, scene, policy), image: renderScene(scene), level: null };
}

function itemOf(part: Part, scene: Scene, policy: IconPolicy): Omit<EvalItem, 'image' | 'level'> {
  const facts = factsOf(scene);
  return {
    part,
    scene: scene.seed,
    facts,
    policy,
    prompt: numberedText(policy.statements),
    label: judgeScene(facts, policy).label,
    answer: answerText(facts, policy),
  };
}
