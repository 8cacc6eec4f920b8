/** @module A profile in a file of the user's own. */
import { readFile } from 'node:fs/promises';
import { Script } from 'node:vm';
import { parse } from 'yaml';
import { z } from 'zod';
import type { EngineMessage } from '../../engines/engine.js';
import { messageOf, UserError } from '../../util/errors.js';
import { citationFault } from '../citations.js';
import { type GuardProfile, judged, ruleOf, unreadable, userTurn, type VerdictWords } from '../profile.js';
import { readFreeText } from './free-text.js';

const words = z.array(z.string().min(1)).min(1);
const schema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/u, 'letters, digits, dots and dashes, 64 at most'),
  description: z.string().default('a profile of your own'),
  /** A system turn before the question. */
  system: z.string().optional(),
  /** The question behind the image: {policy} is the page, {statements} its numbered statements. */
  prompt: z
    .string()
    .refine((text) => /\{(?:policy|statements)\}/u.test(text), 'it needs {policy} or {statements}'),
  answer: z.union([
    z.strictObject({
      /** A regular expression of JavaScript, matched as a whole, with a group `verdict`, and `reasoning`, `category` and `rule` if wanted. */
      pattern: z.string(),
      safe: words,
      unsafe: words,
    }),
    z.strictObject({
      /** Free text: the words that announce the judgment. Where the text has no such line, the model is asked with them. */
      closing: z.string().regex(/\S/u, 'it needs words'),
      safe: words,
      unsafe: words,
    }),
  ]),
  /** How the answer begins when one forward pass must do; without it there is no fast regime. */
  fast: z.strictObject({ prefix: z.string() }).optional(),
  /** What generation can be held to, in the grammar's own regular expressions. */
  grammar: z.string().optional(),
});

/** Reads a YAML or JSON file. @throws UserError that names the file and the field. */
export async function loadProfile(path: string): Promise<GuardProfile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UserError(`the profile ${path} cannot be read: ${messageOf(error)}; check the path`);
  }
  return profileOf(path, parsed(path, text));
}

function parsed(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new UserError(`the profile ${path} is not YAML (${messageOf(error)}); correct it`);
  }
}

function profileOf(path: string, value: unknown): GuardProfile {
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const field = issue.path.join('.') || 'the whole file';
    throw new UserError(`the profile ${path} is not right at ${field}: ${issue.message}`);
  }
  const { name, description, system, prompt, answer, fast, grammar } = result.data;
  const verdictWords: VerdictWords = { safe: answer.safe, unsafe: answer.unsafe };
  return {
    name,
    description,
    messages: (images, policy) => {
      // A function, so that a `$&` in a policy stays as it is.
      const text = prompt.replace(/\{(policy|statements)\}/gu, (_, what: string) =>
        what === 'policy' ? policy.text : policy.numbered,
      );
      const turns: EngineMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
      return [...turns, userTurn(images, text)];
    },
    ...('closing' in answer
      ? {
          read: (raw: string) => readFreeText(raw, verdictWords, answer.closing),
          closing: { prefix: `\n\n${answer.closing.trim()}`, words: verdictWords },
        }
      : { read: readerOf(path, patternOf(path, answer.pattern), verdictWords) }),
    thinks: 'pattern' in answer && answer.pattern.includes('think>'),
    fast: fast === undefined ? null : { prefix: fast.prefix, words: verdictWords },
    grammar: grammar === undefined ? null : () => grammar,
  };
}

/** By a pattern of the user's own, which ends in time whatever the model wrote. */
function readerOf(path: string, pattern: RegExp, words: VerdictWords): GuardProfile['read'] {
  return (raw, policy) => {
    const match = matchInTime(pattern, raw.trim());
    if (match === 'too slow') {
      return unreadable(
        '',
        `answer.pattern of ${path} took too long on this answer; write it without nested repetitions`,
      );
    }
    const { verdict, reasoning = '', category, rule } = match?.groups ?? {};
    if (match === null || verdict === undefined) return unreadable('', `the answer does not match ${path}`);
    const [start] = match.indices?.groups?.['verdict'] ?? [0];
    const number = rule === undefined ? null : Number(rule);
    const fault = number === null ? null : citationFault([{ number, quote: null }], policy.statements);
    if (fault !== null) {
      return { ...unreadable(reasoning.trim(), fault), problem: { kind: 'miscited', message: fault } };
    }
    return judged(verdict, words, {
      reasoning: reasoning.trim(),
      verdictAt: raw.length - raw.trimStart().length + start,
      category: category ?? null,
      violatedRule: number === null ? null : ruleOf(number, null, policy),
    });
  };
}

/** A pattern that does not backtrack needs well under a millisecond for the longest answer. */
const PATTERN_MS = 1000;
const MATCHING = new Script('pattern.exec(text)');

/** V8 looks for the end of the time at every step back of a pattern. */
function matchInTime(pattern: RegExp, text: string): RegExpExecArray | null | 'too slow' {
  try {
    return MATCHING.runInNewContext({ pattern, text }, { timeout: PATTERN_MS }) as RegExpExecArray | null;
  } catch (error) {
    // The error is of another realm in some test runners, so that it is no instance of ours.
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too slow';
    throw error;
  }
}

function patternOf(path: string, source: string): RegExp {
  try {
    const pattern = new RegExp(`^(?:${source})$`, 'dsu');
    if (/\(\?<verdict>/u.test(source)) return pattern;
  } catch (error) {
    throw new UserError(
      `answer.pattern of the profile ${path} is no regular expression: ${messageOf(error)}`,
    );
  }
  throw new UserError(`answer.pattern of the profile ${path} has no group (?<verdict>…)`);
}
