import { UserError } from '../../util/errors.js';

/** What a chat template may use up. Templates of published models stay a hundred times below, with long policies too. */
export const TEMPLATE_LIMITS = {
  /** Nodes of the template that are evaluated, each time one is. */
  steps: 1_000_000,
  /** Characters of one text: four times what fills a context of 128,000 tokens. */
  text: 2 ** 21,
  /** Characters of all texts that are made on the way. */
  total: 2 ** 26,
  /** Items of one list. */
  items: 2 ** 16,
  /** Wall time of a rendering in milliseconds, for what is slow within one step. */
  milliseconds: 5000,
} as const;

/** What an item of a list counts for, in characters. */
const ITEM_SIZE = 16;

/** A value as the template library holds it. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}

/** Counts what one rendering uses. @throws UserError once it is too much. */
export class TemplateBudget {
  #steps = 0;
  #total = 0;
  /** Characters of the longest text that was seen. */
  #longest = 0;

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > TEMPLATE_LIMITS.steps) exceed(`takes more than ${TEMPLATE_LIMITS.steps} steps`);
  }

  /** A value that was looked up. */
  see({ value }: TemplateValue): void {
    if (typeof value === 'string' && value.length > this.#longest) this.#longest = value.length;
  }

  /** A value that was made. */
  make(made: TemplateValue): void {
    this.see(made);
    const { value } = made;
    if (typeof value === 'string') {
      this.allowText(value.length);
      this.#total += value.length;
    } else if (Array.isArray(value)) {
      this.allowItems(value.length);
      this.#total += value.length * ITEM_SIZE;
    }
    if (this.#total > TEMPLATE_LIMITS.total)
      exceed(`makes texts of ${TEMPLATE_LIMITS.total} characters together`);
  }

  allowItems(items: number): void {
    if (items > TEMPLATE_LIMITS.items) exceed(`makes a list of more than ${TEMPLATE_LIMITS.items} items`);
  }

  allowText(length: number): void {
    if (length > TEMPLATE_LIMITS.text) exceed(`makes a text of more than ${TEMPLATE_LIMITS.text} characters`);
  }

  /** Whatever text it is done to: every `search` replaced by `replacement`. */
  allowReplace(search: string, replacement: string): void {
    const times = search === '' ? this.#longest + 1 : Math.floor(this.#longest / search.length);
    this.allowText(times * Math.max(0, replacement.length - search.length));
  }

  /**
   * Allows a value to become text with all it holds, which a list that holds itself twice, and so on, doubles each time.
   * @returns how many values it holds, and how deep they are nested
   */
  allowPrint(printed: TemplateValue): { readonly nodes: number; readonly depth: number } {
    let [nodes, depth, length] = [0, 0, 0];
    const open: (readonly [value: TemplateValue, depth: number])[] = [[printed, 1]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [{ value }, level] = next;
      this.step();
      nodes += 1;
      depth = Math.max(depth, level);
      length += typeof value === 'string' ? value.length : 1;
      this.allowText(length);
      if (Array.isArray(value)) for (const item of value as TemplateValue[]) open.push([item, level + 1]);
      if (value instanceof Map) {
        for (const [key, item] of value as Map<string, TemplateValue>) {
          length += key.length;
          open.push([item, level + 1]);
        }
      }
    }
    return { nodes, depth };
  }
}

function exceed(what: string): never {
  throw new UserError(`the chat template ${what}, which no chat needs; use the template of the base model`, {
    code: 'too_large',
  });
}
