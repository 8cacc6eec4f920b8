import { iconNamed } from './icons.js';
import type { Category, Rule, SceneFacts, Setting } from './types.js';
import { ICONS_BY_CATEGORY, HARMLESS_ICONS } from './icons.js';
import { assert } from '../util/errors.js';

/** A scene in words: a setting or null, and categories (their first icon) or "harmless". */
export function factsWith(
  setting: Setting | null,
  ...things: readonly (Category | 'harmless')[]
): SceneFacts {
  return {
    setting,
    things: things.map((kind) => (kind === 'harmless' ? HARMLESS_ICONS[0] : ICONS_BY_CATEGORY[kind][0])),
  };
}

/** Exactly these icons. */
export function factsNamed(setting: Setting | null, ...names: readonly string[]): SceneFacts {
  return {
    setting,
    things: names.map((name) => {
      const icon = iconNamed(name);
      assert(icon, `no icon ${name}`);
      return icon;
    }),
  };
}

/** Statements with the rules' kinds as their text. */
export const policyOf = (...rules: readonly Rule[]) => ({
  statements: rules.map((rule, index) => ({ rule, text: `Statement ${index + 1} is ${rule.kind}.` })),
});
