/**
 * @module Policies as people write them, with the rules that they mean: the shipped ones and pages from a file. They are for
 * measuring, never for training.
 */
import { z } from 'zod';
import { factsOf } from '../iconworld/captions.js';
import { judgeRules } from '../iconworld/label.js';
import { sampleScene } from '../iconworld/scene.js';
import { splitRandom } from '../iconworld/splits.js';
import {
  CATEGORIES,
  type Category,
  type Rule,
  type Scene,
  type Setting,
  SETTINGS,
} from '../iconworld/types.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { Random } from '../util/random.js';

/** A policy whose labels can be computed though nothing of IconWorld's grammar wrote it. */
export interface RuledPage {
  readonly id: string;
  readonly policy: Policy;
  /** One for each statement, in order. */
  readonly rules: readonly Rule[];
}

/** A scene with its true label under a page. */
export interface LabelledScene {
  readonly scene: Scene;
  readonly label: 'safe' | 'unsafe';
}

const ban = (...categories: Category[]): Rule => ({ kind: 'ban', categories });
const allow = (...categories: Category[]): Rule => ({ kind: 'allow', categories });
const only = (settings: Setting[], ...categories: Category[]): Rule => ({
  kind: 'onlyIn',
  categories,
  settings,
});
const never = (settings: Setting[], ...categories: Category[]): Rule => ({
  kind: 'neverIn',
  categories,
  settings,
});
const apart = (a: Category, b: Category): Rule => ({ kind: 'neverTogether', categories: [a, b] });
const others = (banned: boolean): Rule => ({ kind: 'default', banned });
const voice: Rule = { kind: 'voice' };

/** What each statement of the shipped policies rules, by the name of its file in `policies/`. */
export const SHIPPED_RULES: Readonly<Record<string, readonly Rule[]>> = {
  'beach-festival': [
    voice,
    only(['beach', 'stadium'], 'alcohol'),
    ban('weapons'),
    ban('politics'),
    allow('romance', 'religion'),
    apart('money', 'alcohol'),
    others(true),
  ],
  'hospital-screens': [
    voice,
    voice,
    ban('gore'),
    ban('disaster'),
    never(['hospital'], 'alcohol'),
    { kind: 'atMost', category: 'insects', count: 1 },
    apart('money', 'gambling'),
    allow('romance'),
    others(false),
  ],
  'museum-shop': [
    voice,
    only(['museum'], 'weapons'),
    allow('alcohol'),
    allow('religion'),
    ban('drugs'),
    ban('gore'),
    others(false),
  ],
  'school-newsletter': [
    voice,
    ban('weapons'),
    ban('alcohol'),
    ban('drugs'),
    ban('gambling'),
    ban('monsters'),
    allow('religion'),
    allow('insects'),
    others(true),
  ],
};

/** A page with its rules. @throws UserError where they are not as many as its statements. */
export function ruledPage(id: string, policy: Policy, rules: readonly Rule[]): RuledPage {
  if (policy.statements.length !== rules.length) {
    throw new UserError(
      `${id} has ${policy.statements.length} statements and ${rules.length} rules; give one rule for each`,
    );
  }
  return { id, policy, rules };
}

const category = z.enum(CATEGORIES);
const categories = z.array(category).min(1);
const settings = z.array(z.enum(SETTINGS)).min(1);
const rule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ban'), categories }),
  z.strictObject({ kind: z.literal('allow'), categories }),
  z.strictObject({ kind: z.literal('onlyIn'), categories, settings }),
  z.strictObject({ kind: z.literal('neverIn'), categories, settings }),
  z.strictObject({ kind: z.literal('neverTogether'), categories: z.tuple([category, category]) }),
  z.strictObject({ kind: z.literal('atMost'), category, count: z.int().min(0) }),
  z.strictObject({ kind: z.literal('default'), banned: z.boolean() }),
  z.strictObject({ kind: z.literal('voice') }),
]);
const page = z.looseObject({
  id: z.string(),
  text: z.string(),
  statements: z.array(z.looseObject({ rule })),
});

/** Pages from JSON lines `{id, text, statements: [{text, rule}]}`. @throws UserError that names the line. */
export function parsePages(jsonl: string, source: string): RuledPage[] {
  return jsonl.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const where = `${source}, line ${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      value = undefined;
    }
    const read = page.safeParse(value);
    if (!read.success) {
      const [issue] = read.error.issues;
      throw new UserError(
        `${where} is no page with rules (${issue.path.join('.') || 'line'}: ${issue.message})`,
      );
    }
    const { id, text, statements } = read.data;
    const rules = statements.map((statement) => statement.rule);
    return [ruledPage(id, Policy.fromMarkdown(text, { name: id, source: where }), rules)];
  });
}

/** So many tries for each scene wanted; a page under which one label hardly occurs gets fewer scenes. */
const TRIES = 200;

/** Scenes of the test's seeds with a sensitive thing, half of them safe and half unsafe under the page. */
export function balancedScenes({ id, rules }: RuledPage, count: number, seed: string): LabelledScene[] {
  const left = { safe: Math.ceil(count / 2), unsafe: Math.floor(count / 2) };
  const scenes: LabelledScene[] = [];
  for (let k = 0; scenes.length < count && k < TRIES * count; k++) {
    const scene = testScene(`natural/${seed}/${id}/${k}`);
    const facts = factsOf(scene);
    if (facts.things.every((thing) => thing.category === null)) continue;
    const { label } = judgeRules(facts, rules);
    if (left[label] === 0) continue;
    left[label] -= 1;
    scenes.push({ scene, label });
  }
  return scenes;
}

/** A scene in Fluent that no training saw; a name gives the same one always. */
export const testScene = (name: string): Scene =>
  sampleScene(splitRandom(new Random(name), 'scene', 'test'), { style: 'fluent' });
