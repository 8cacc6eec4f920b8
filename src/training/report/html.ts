/** @module HTML that cannot be broken out of: every text put into a template is escaped, and only our own markup is not. */

/** Finished markup. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = string | number | Markup | readonly Part[] | null;

/** Enough for text and for attributes in quotes of either kind. */
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Control characters, which HTML forbids, and those that turn the direction of what follows: both would hide text. */
const HIDING = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu;

/** A stranger's text as HTML text or as the value of a quoted attribute; what would hide something is spelled out. */
export function escapeHtml(text: string): string {
  return text
    .replace(
      HIDING,
      (char) => `⟨U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
    )
    .replace(/[&<>"'`]/g, (char) => ESCAPES[char]);
}

const textOf = (part: Part): string => {
  if (part === null) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'string') return escapeHtml(part);
  return typeof part === 'number' ? String(part) : part.map(textOf).join('');
};

/** A template of markup; attributes in it must be quoted. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((text, i) => (i < parts.length ? text + textOf(parts[i]) : text)).join(''));
}
