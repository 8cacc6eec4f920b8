/** @module What Python makes of a value that a template prints; the template library would print JSON. */
import type { TemplateValue } from './template-budget.js';

/** What stands for a character in the literal of a text. */
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
/** Characters that Python writes by their number: controls and spaces other than the common one. */
const UNPRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}\p{Zs}]/gu;
/** The last character that has two digits, and the last that has four. */
const [LAST_BYTE, LAST_OF_PLANE] = [0xff, 0xffff] as const;

/** `str(value)` of Python. Whoever calls it has looked at the size of the value. */
export function pythonText(value: TemplateValue): string {
  return typeof value.value === 'string' ? value.value : literal(value);
}

/** `repr(value)` of Python. */
function literal(printed: TemplateValue): string {
  const { type, value } = printed;
  if (type === 'UndefinedValue') return '';
  if (value === null || type === 'NullValue') return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) {
    const items = (value as TemplateValue[]).map(literal).join(', ');
    if (type !== 'TupleValue') return `[${items}]`;
    return value.length === 1 ? `(${items},)` : `(${items})`;
  }
  if (value instanceof Map) {
    const entries = [...(value as Map<string, TemplateValue>)];
    return `{${entries.map(([key, item]) => `${quoted(key)}: ${literal(item)}`).join(', ')}}`;
  }
  return printed.toString();
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(UNPRINTABLE, (character) => {
    if (character === ' ') return character;
    if (Object.hasOwn(ESCAPES, character)) return ESCAPES[character];
    const code = character.codePointAt(0) ?? 0;
    if (code <= LAST_BYTE) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code <= LAST_OF_PLANE
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
