/** @module Licences of weights, and which one a base model hands on. */
import { UserError } from '../../util/errors.js';
import { EMBEDDED_NAME } from '../../checkpoint/embedded.js';
import type { Base } from './lineage.js';

/** As the hub's metadata has it. */
export interface Licence {
  /** An identifier of the hub, such as `apache-2.0`; `other` with a name and a link. */
  readonly id: string;
  readonly name?: string;
  readonly link?: string;
}

const APACHE: Licence = { id: 'apache-2.0' };
const qwen = (model: string, name: string): Licence => ({
  id: 'other',
  name,
  link: `https://huggingface.co/${model}/blob/main/LICENSE`,
});

/** As the models' pages tell. */
const OF_BASE: Readonly<Record<string, Licence>> = {
  [EMBEDDED_NAME]: APACHE,
  'Qwen/Qwen2.5-VL-3B-Instruct': qwen('Qwen/Qwen2.5-VL-3B-Instruct', 'qwen-research'),
  'Qwen/Qwen2.5-VL-7B-Instruct': APACHE,
  'Qwen/Qwen2.5-VL-32B-Instruct': APACHE,
  'Qwen/Qwen2.5-VL-72B-Instruct': qwen('Qwen/Qwen2.5-VL-72B-Instruct', 'qwen'),
};

const ID = /^[a-z0-9][a-z0-9.-]{1,40}$/u;

/** The licence that is given, else the base's. @throws UserError where neither is known. */
export function licenceFor(base: Base, given: string | undefined): Licence {
  if (given !== undefined) {
    if (ID.test(given)) return { id: given };
    throw new UserError(
      `"${given}" is no licence of the hub: give its identifier in small letters, such as apache-2.0 or cc-by-nc-4.0.`,
    );
  }
  const own = OF_BASE[base.hub ?? base.label];
  if (own !== undefined) return own;
  throw new UserError(
    `The licence of ${base.label} is not known here: give --license with what it allows, such as apache-2.0.`,
  );
}
