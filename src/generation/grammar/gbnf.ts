/** @module A regular expression in the grammar language of llama.cpp (GBNF). */
import { parseRegex, type Regex } from './regex.js';

/** A GBNF grammar whose texts are those of the pattern. @throws UserError where the pattern cannot be read. */
export function gbnfOf(pattern: string): string {
  return `root ::= ${write(parseRegex(pattern))}`;
}

function write(regex: Regex): string {
  switch (regex.kind) {
    case 'character':
      return `[${regex.ranges.map(([low, high]) => `${code(low)}-${code(high)}`).join('')}]`;
    case 'sequence':
      return regex.items.length === 0 ? '""' : regex.items.map(write).join(' ');
    case 'choice':
      return `(${regex.options.map(write).join(' | ')})`;
    case 'repeat':
      return `(${write(regex.item)}){${regex.min},${regex.max ?? ''}}`;
  }
}

const code = (point: number): string => `\\U${point.toString(16).padStart(8, '0').toUpperCase()}`;
