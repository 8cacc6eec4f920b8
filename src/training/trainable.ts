/** @module Which weights a run trains. */
import { UserError } from '../util/errors.js';

/** Whether a weight belongs to the vision tower or its merger. */
export function isVision(name: string): boolean {
  return name.startsWith('visual.');
}

/** Whether a name fits a pattern, in which `*` stands for any characters. */
export function fits(pattern: string, name: string): boolean {
  const literal = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`).test(name);
}

export interface TrainableSettings {
  readonly vision: 'frozen' | 'trained';
  /** Patterns of names; all weights where it is left out. */
  readonly trainable?: readonly string[];
}

/**
 * The names to train, in their given order.
 * @throws UserError for a pattern that fits no weight, or only weights of a tower that is frozen.
 */
export function trainableNames(
  names: Iterable<string>,
  { vision, trainable = ['*'] }: TrainableSettings,
): string[] {
  const all = [...names];
  const allowed = all.filter((name) => vision === 'trained' || !isVision(name));
  for (const pattern of trainable) {
    if (allowed.some((name) => fits(pattern, name))) continue;
    throw new UserError(
      all.some((name) => fits(pattern, name))
        ? `trainable: '${pattern}' fits weights of the vision tower only, which is frozen: set vision: trained.`
        : `trainable: no weight's name fits '${pattern}'; names look like model.layers.0.mlp.up_proj.weight.`,
    );
  }
  return allowed.filter((name) => trainable.some((pattern) => fits(pattern, name)));
}
