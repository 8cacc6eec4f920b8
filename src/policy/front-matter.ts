/** @module The YAML block on top of a Markdown policy. */
import { parseDocument } from 'yaml';
import { messageOf, UserError } from '../util/errors.js';

/** What a Markdown policy holds besides its rules. */
export interface FrontMatter {
  /** Keys of the YAML block, `title` included. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The text below it. */
  readonly body: string;
}

/** The longest block that is parsed, in characters: some fifty keys. YAML is not read in linear time. */
const MAX_FRONT_MATTER = 4000;

/** Splits the YAML block between two `---` lines off the top. A block that is not closed or not a mapping is a {@link UserError}. */
export function splitFrontMatter(text: string, name: string): FrontMatter {
  const lines = text.split('\n');
  if (lines[0]?.trimEnd() !== '---') return { metadata: {}, body: text };
  const close = lines.findIndex((line, index) => index > 0 && /^(?:---|\.\.\.) *$/u.test(line.slice(0, 80)));
  if (close < 0) {
    throw invalid(
      `${name}: the front matter that --- opens on line 1 is never closed; add a line --- after it, or remove line 1`,
    );
  }
  const yaml = lines
    .slice(1, close)
    .map((line) => line.trimEnd())
    .join('\n');
  if (yaml.length > MAX_FRONT_MATTER) {
    throw new UserError(
      `${name}: the front matter is ${yaml.length} characters long, over the limit of ${MAX_FRONT_MATTER}; shorten it, and write rules below it`,
      { code: 'too_large' },
    );
  }
  if (isDeep(yaml)) {
    throw invalid(`${name}: the front matter is nested too deeply; write "key: value" lines`);
  }
  return { metadata: asMapping(parsed(yaml, name), name), body: lines.slice(close + 1).join('\n') };
}

/**
 * The parser recurses, and near the end of the stack V8 aborts the whole process where it would compile a pattern: so deep
 * nesting must never reach it. Block nesting by indentation is bounded by {@link MAX_FRONT_MATTER}.
 */
function isDeep(yaml: string): boolean {
  const brackets = yaml.length - yaml.replace(/[[{]/gu, '').length;
  const compact = (line: string): number => line.split(/[-?:](?=[ \t]|$)/u).length - 1;
  return brackets > MAX_BRACKETS || yaml.split('\n').some((line) => compact(line) > MAX_COMPACT);
}

/** Lists and mappings in brackets, in the whole block. */
const MAX_BRACKETS = 100;
/** `- - -` and the like on one line. */
const MAX_COMPACT = 20;

function parsed(yaml: string, name: string): unknown {
  try {
    const document = parseDocument(yaml, { logLevel: 'error' });
    const [error] = document.errors;
    if (error === undefined) return document.toJS({ maxAliasCount: 0 });
    throw invalid(
      `${name}: the front matter is not valid YAML (${firstLine(error.message)}); correct or remove it`,
    );
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw invalid(
      `${name}: the front matter cannot be read (${firstLine(messageOf(error))}); correct or remove it`,
    );
  }
}

function asMapping(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid(`${name}: the front matter must be "key: value" lines, such as "title: School newsletter"`);
  }
  return Object.fromEntries(Object.entries(value));
}

const invalid = (message: string): UserError => new UserError(message, { code: 'invalid_policy' });

function firstLine(message: string): string {
  const [line = ''] = message.split('\n', 1);
  return line.endsWith(':') ? line.slice(0, -1) : line;
}
