/** What follows from a policy for a scene, by executing its rules. */
import type { Category, Icon, IconPolicy, Rule, SceneFacts, Statement } from './types.js';

/** One thing under the policy. */
export interface ThingJudgement {
  readonly icon: Icon;
  /** The statement that decides it (1 = the first): the one that names its category, else the default; null if harmless. */
  readonly number: number | null;
  readonly banned: boolean;
}

/** A never-together or at-most statement whose categories are in the scene. */
export interface GroupJudgement {
  readonly number: number;
  readonly rule: Extract<Rule, { kind: 'neverTogether' | 'atMost' }>;
  /** How many things of the at-most category there are; null for never-together. */
  readonly count: number | null;
  readonly broken: boolean;
}

export interface Judgement {
  readonly things: readonly ThingJudgement[];
  /** In the order of their statements. */
  readonly groups: readonly GroupJudgement[];
  readonly label: 'safe' | 'unsafe';
  /** The lowest-numbered statement that bans a thing or is broken; null if safe. */
  readonly deciding: number | null;
}

/** The categories on which a rule decides alone (`ban`, `allow`, `onlyIn`, `neverIn`); none for the others. */
export function namedBy(rule: Rule): readonly Category[] {
  switch (rule.kind) {
    case 'ban':
    case 'allow':
    case 'onlyIn':
    case 'neverIn':
      return rule.categories;
    default:
      return [];
  }
}

/** Judges a scene. The policy must have a default; where several statements name a category, the first decides. */
export function judgeScene(facts: SceneFacts, policy: Pick<IconPolicy, 'statements'>): Judgement {
  return judgeRules(
    facts,
    policy.statements.map(({ rule }: Statement) => rule),
  );
}

/** {@link judgeScene} for rules that have no words yet. */
export function judgeRules(facts: SceneFacts, rules: readonly Rule[]): Judgement {
  const things = facts.things.map((icon) => judgeThing(icon, facts, rules));
  const groups = rules.flatMap((rule, index) => {
    const group = judgeGroup(rule, facts);
    return group ? [{ number: index + 1, ...group }] : [];
  });
  const broken = [
    ...things.flatMap(({ number, banned }) => (banned && number !== null ? [number] : [])),
    ...groups.flatMap((group) => (group.broken ? [group.number] : [])),
  ];
  return {
    things,
    groups,
    label: broken.length > 0 ? 'unsafe' : 'safe',
    deciding: broken.length > 0 ? Math.min(...broken) : null,
  };
}

/** The index of the first rule that names a category, else of the default; -1 where there is neither. */
export function decidingIndex(category: Category, rules: readonly Rule[]): number {
  const naming = rules.findIndex((rule) => namedBy(rule).includes(category));
  return naming >= 0 ? naming : rules.findIndex((rule) => rule.kind === 'default');
}

function judgeThing(icon: Icon, { setting }: SceneFacts, rules: readonly Rule[]): ThingJudgement {
  const { category } = icon;
  if (category === null) return { icon, number: null, banned: false };
  const index = decidingIndex(category, rules);
  if (index < 0) return { icon, number: null, banned: false };
  return { icon, number: index + 1, banned: bans(rules[index], setting) };
}

/** Whether a rule bans what it names in this setting. */
function bans(rule: Rule, setting: SceneFacts['setting']): boolean {
  switch (rule.kind) {
    case 'ban':
      return true;
    case 'onlyIn':
      return setting === null || !rule.settings.includes(setting);
    case 'neverIn':
      return setting !== null && rule.settings.includes(setting);
    case 'default':
      return rule.banned;
    default:
      return false;
  }
}

function judgeGroup(rule: Rule, { things }: SceneFacts): Omit<GroupJudgement, 'number'> | null {
  const countOf = (category: Category): number => things.filter((icon) => icon.category === category).length;
  if (rule.kind === 'neverTogether') {
    return rule.categories.every((category) => countOf(category) > 0)
      ? { rule, count: null, broken: true }
      : null;
  }
  if (rule.kind === 'atMost') {
    const count = countOf(rule.category);
    return count > 0 ? { rule, count, broken: count > rule.count } : null;
  }
  return null;
}
