/** The ways to fill each slot of a frame under a rule: the grammar's nouns, predicates, conditions and fillers. */
import { assert } from '../util/errors.js';
import {
  FILLERS,
  FRESH_PREDICATES,
  PREDICATES,
  type FillerList,
  type PredicateList,
} from './phrasing-predicates.js';
import {
  BARE_MODIFIERS,
  BARE_OTHERS,
  CATEGORY_WORDS,
  FRESH_OTHERS,
  insidePhrases,
  MODIFIERS,
  NUMBERS,
  type Noun,
  OPENING_MODIFIERS,
  OPENING_OTHERS,
  OTHERS,
  outsidePhrases,
  placePhrases,
} from './phrasing-words.js';
import type { Category, Rule } from './types.js';

/** Every rule but voice, which has sentences of its own. */
export type RulingRule = Exclude<Rule, { kind: 'voice' }>;

/** One way to fill a slot. `parts` are what the combination is made of. */
export interface Option {
  readonly text: string;
  readonly parts: readonly string[];
  readonly plural: boolean;
}

export const SUBJECT_SLOTS = new Set(['S', 'opening S', 'B', 'H', 'a', 'b', 'c', 'cs']);
export const CONDITION_SLOTS = new Set(['in', 'out', 'places', 'n']);
const cache = new Map<string, readonly Option[]>();

const polarityOf = (rule: RulingRule): 'allow' | 'ban' =>
  rule.kind === 'allow' || (rule.kind === 'default' && !rule.banned) ? 'allow' : 'ban';

/** The ways to fill `slot` under `rule`; frequent ones stand in it several times. */
export function optionsOf(rule: RulingRule, slot: string, fresh: boolean): readonly Option[] {
  const ownWords = SUBJECT_SLOTS.has(slot) || CONDITION_SLOTS.has(slot);
  const about = ownWords ? JSON.stringify(rule) : polarityOf(rule);
  const key = `${slot}/${fresh}/${about}`;
  let options = cache.get(key);
  if (!options) {
    options = buildOptions(rule, slot, fresh);
    assert(options.length > 0, `grammar: no way to fill {${slot}} for ${rule.kind}`);
    cache.set(key, options);
  }
  return options;
}

const word = (text: string): Option => ({ text, parts: [text], plural: false });
const noun = ({ text, plural }: Noun): Option => ({ text, parts: [text], plural });

function buildOptions(rule: RulingRule, slot: string, fresh: boolean): readonly Option[] {
  if (slot.startsWith('=')) return FILLERS[fillerName(slot.slice(1))].map(word);
  const settings = 'settings' in rule ? rule.settings : [];
  switch (slot) {
    case 'in':
      return insidePhrases(settings).map(word);
    case 'out':
      return outsidePhrases(settings).map(word);
    case 'places':
      return placePhrases(settings).map(word);
    case 'n':
      assert(rule.kind === 'atMost', 'grammar: {n} outside at-most');
      return NUMBERS[rule.count].map(word);
    case 'c':
    case 'cs': {
      assert(rule.kind === 'atMost', 'grammar: a count noun outside at-most');
      const { counted, freshCounted } = CATEGORY_WORDS[rule.category];
      const plural = slot === 'cs' || rule.count !== 1;
      return (fresh ? freshCounted : counted).map(([one, many]) => ({
        text: plural ? many : one,
        parts: [many],
        plural,
      }));
    }
    case 'a':
    case 'b': {
      assert(rule.kind === 'neverTogether', 'grammar: {a} or {b} outside never-together');
      return heads(rule.categories[slot === 'a' ? 0 : 1], fresh).map(noun);
    }
    case 'S':
      return subjects(rule, { others: OTHERS, modifiers: MODIFIERS, fresh });
    case 'opening S':
      return subjects(rule, { others: OPENING_OTHERS, modifiers: OPENING_MODIFIERS, fresh });
    case 'B':
      return subjects(rule, { others: BARE_OTHERS, modifiers: BARE_MODIFIERS, fresh });
    case 'H':
      return subjects(rule, { others: BARE_OTHERS, modifiers: [['#', null, 1]], fresh });
    default: {
      const list = listName(slot, rule);
      return (fresh ? FRESH_PREDICATES : PREDICATES)[list].map(word);
    }
  }
}

function fillerName(name: string): FillerList {
  const found = (Object.keys(FILLERS) as FillerList[]).find((key) => key === name);
  assert(found, `grammar: no filler {=${name}}`);
  return found;
}

function listName(slot: string, rule: RulingRule): PredicateList {
  const bare = slot.replace('*', '');
  const name = bare.includes('.') ? bare : `${bare}.${polarityOf(rule)}`;
  const found = (Object.keys(PREDICATES) as PredicateList[]).find((key) => key === name);
  assert(found, `grammar: no list {${slot}}`);
  return found;
}

const heads = (category: Category, fresh: boolean): readonly Noun[] =>
  CATEGORY_WORDS[category][fresh ? 'fresh' : 'known'];

interface SubjectForm {
  /** What a default may call its subject here. */
  readonly others: readonly Noun[];
  readonly modifiers: typeof MODIFIERS;
  readonly fresh: boolean;
}

function subjects(rule: RulingRule, { others, modifiers, fresh }: SubjectForm): Option[] {
  if (rule.kind === 'default') return (fresh ? FRESH_OTHERS : others).map(noun);
  assert('categories' in rule, `grammar: ${rule.kind} has no {S}`);
  const [first, second] = rule.categories.map((category) => heads(category, fresh));
  const cores: Option[] = second
    ? first.flatMap((a) =>
        second.flatMap((b) => [
          { text: `${a.text} and ${b.text}`, parts: [a.text, b.text], plural: true },
          { text: `${a.text} or ${b.text}`, parts: [a.text, b.text], plural: b.plural },
        ]),
      )
    : first.map(noun);
  return cores.flatMap((core) =>
    modifiers.flatMap(([pattern, plural, weight]) => {
      const option: Option = {
        text: pattern.replace('#', core.text),
        parts: core.parts,
        plural: plural ?? core.plural,
      };
      return Array.from({ length: weight }, () => option);
    }),
  );
}
