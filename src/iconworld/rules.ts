/** What policies rule, before any words: sampling lists of rules, and changing one of them. */
import type { Random } from '../util/random.js';
import { namedBy } from './label.js';
import { CATEGORIES, type Category, type Rule, type SceneFacts, SETTINGS, type Setting } from './types.js';

/** A rule on named categories, on a pair or on a count: all but default and voice. */
export type OwnRule = Exclude<Rule, { kind: 'default' | 'voice' }>;

/** How often each kind of rule is drawn. */
export type KindWeights = readonly (readonly [kind: OwnRule['kind'], weight: number])[];

/** Bans and permissions equally often, so that no status is the safe guess. */
const KINDS: KindWeights = [
  ['ban', 26],
  ['allow', 26],
  ['onlyIn', 17],
  ['neverIn', 17],
  ['neverTogether', 7],
  ['atMost', 7],
];

/** Of the sensitive categories in a scene, the share that statements name (`reference`: dense lookups). */
const NAMED_SHARE = 0.75;
/** A condition names the scene's own place this often, or conditions would hardly ever be decided. */
const OWN_SETTING_SHARE = 0.55;
const TWO_CATEGORIES_SHARE = 0.25;
const TWO_SETTINGS_SHARE = 0.3;
/** Pairs and counts concern what is in the scene this often. */
const PRESENT_SHARE = 0.7;
const COUNTS = [
  [1, 5],
  [2, 4],
  [3, 1],
] as const;
/** The default closes the page this often, else it stands anywhere. */
const DEFAULT_LAST_SHARE = 0.7;

/** The categories that a rule speaks of, whether it decides on them or not. */
export function categoriesOf(rule: Rule): readonly Category[] {
  if (rule.kind === 'neverTogether') return rule.categories;
  return rule.kind === 'atMost' ? [rule.category] : namedBy(rule);
}

/** The categories present, each once, in order. */
export function presentCategories({ things }: SceneFacts): Category[] {
  return [...new Set(things.flatMap(({ category }) => (category === null ? [] : [category])))];
}

const NOTHING: SceneFacts = { setting: null, things: [] };

/** `count` rules and one default in the order of the page; biased towards what `facts` holds. */
export function sampleRules(
  random: Random,
  count: number,
  facts: SceneFacts = NOTHING,
  kinds: KindWeights = KINDS,
): (OwnRule | (Rule & { kind: 'default' }))[] {
  const present = random.shuffle(presentCategories(facts));
  const wanted = present.filter(() => random.chance(NAMED_SHARE));
  const unwanted = new Set(present.filter((category) => !wanted.includes(category)));
  // What is left to the default on purpose is named only when everything else is.
  const others = random.shuffle(CATEGORIES.filter((category) => !present.includes(category)));
  const free = [...wanted, ...others, ...unwanted];
  const own: OwnRule[] = [];
  while (own.length < count) own.push(sampleOwnRule(random, { free, facts, kinds }));
  const rules: (OwnRule | (Rule & { kind: 'default' }))[] = random.shuffle(own);
  const at = random.chance(DEFAULT_LAST_SHARE) ? rules.length : random.int(0, rules.length);
  rules.splice(at, 0, { kind: 'default', banned: random.chance(0.5) });
  return rules;
}

/** A rule on the first of the `free` categories, which it takes off the list; on pairs and counts when none is left. */
function sampleOwnRule(
  random: Random,
  {
    free,
    facts,
    kinds,
  }: { readonly free: Category[]; readonly facts: SceneFacts; readonly kinds: KindWeights },
): OwnRule {
  const drawn = random.weighted(kinds);
  const kind =
    free.length > 0 || drawn === 'neverTogether' || drawn === 'atMost'
      ? drawn
      : random.pick(['neverTogether', 'atMost'] as const);
  if (kind === 'neverTogether') return { kind, categories: samplePair(random, facts) };
  if (kind === 'atMost') {
    const present = presentCategories(facts);
    const category =
      present.length > 0 && random.chance(PRESENT_SHARE) ? random.pick(present) : random.pick(CATEGORIES);
    return { kind, category, count: random.weighted(COUNTS) };
  }
  const categories = free.splice(0, random.chance(TWO_CATEGORIES_SHARE) ? 2 : 1);
  return kind === 'ban' || kind === 'allow'
    ? { kind, categories }
    : { kind, categories, settings: sampleSettings(random, facts.setting) };
}

function samplePair(random: Random, facts: SceneFacts): [Category, Category] {
  const present = presentCategories(facts);
  const first =
    present.length > 0 && random.chance(PRESENT_SHARE) ? random.pick(present) : random.pick(CATEGORIES);
  const near = present.filter((category) => category !== first);
  const second =
    near.length > 0 && random.chance(PRESENT_SHARE)
      ? random.pick(near)
      : random.pick(CATEGORIES.filter((category) => category !== first));
  return random.chance(0.5) ? [first, second] : [second, first];
}

function sampleSettings(random: Random, own: Setting | null): Setting[] {
  const count = random.chance(TWO_SETTINGS_SHARE) ? 2 : 1;
  const others = random.sample(
    SETTINGS.filter((setting) => setting !== own),
    count,
  );
  if (own === null || !random.chance(OWN_SETTING_SHARE)) return others;
  return random.shuffle([own, ...others.slice(1)]);
}

/** Another rule for the same place on the page: it names the same categories, or is another pair, count or default. */
export function changeRule(random: Random, rule: Rule, facts: SceneFacts): Rule {
  switch (rule.kind) {
    case 'default':
      return { kind: 'default', banned: !rule.banned };
    case 'atMost':
      return { ...rule, count: random.pick([1, 2, 3].filter((count) => count !== rule.count)) };
    case 'neverTogether':
      return { kind: 'neverTogether', categories: samplePair(random, facts) };
    case 'voice':
      return rule;
    default: {
      const { categories } = rule;
      const kind = random.pick(['ban', 'allow', 'onlyIn', 'neverIn'] as const);
      return kind === 'ban' || kind === 'allow'
        ? { kind, categories }
        : { kind, categories, settings: sampleSettings(random, facts.setting) };
    }
  }
}

/** The same text for policies that rule the same, whatever their order and words: its ruling statements, sorted. */
export function rulesKey(rules: readonly Rule[]): string {
  return rules
    .filter(({ kind }) => kind !== 'voice')
    .map((rule) => {
      const settings = 'settings' in rule ? [...rule.settings].sort() : [];
      const categories = rule.kind === 'neverTogether' ? rule.categories : namedBy(rule);
      const detail =
        rule.kind === 'atMost' ? [rule.category, rule.count] : rule.kind === 'default' ? [rule.banned] : [];
      return [rule.kind, ...[...categories].sort(), ...settings, ...detail].join(' ');
    })
    .sort()
    .join('; ');
}
