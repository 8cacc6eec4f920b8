import { describe, expect, it } from 'vitest';
import { Policy } from '../../policy/policy.js';
import { PROFILES } from './index.js';

const policy = Policy.fromMarkdown('No weapons.\nNo nudity.\nAlcohol is allowed.');

/** Beginnings, each with what is repeated behind it, and what may end it: where patterns step back, they step here. */
const SHAPES: readonly (readonly [begin: string, repeated: string, end: string])[] = [
  ['<answer>', ' ', ''],
  ['<think>', ' ', '</think>x'],
  ['<think>x</think><answer>', '\n ', 'x'],
  ['safe\nx<answer>', ' ', ''],
  ['unsafe\n', 'S1, ', 'x'],
  ['verdict', ' ', 'x'],
  ['Final judgment', ' *', 'x'],
  ['', 'Final judgment: ', ''],
  ['', 'final judgment is\n', 'safe'],
  ['', '<answer>', ''],
  ['', '<think>', ''],
  ['', '</think>', ''],
  ['{"rating": "Safe", "x": "', '\\', ''],
  ['{"rating": "Safe", "x": "', '" ', ''],
  ["{'rating': 'Safe', 'x': '", "' ", ''],
  ['{', '"rating":', ''],
  ['{', '"rating":"a",', ''],
  ['{"a":', '[', ''],
  ['{"a":', '{"b":', ''],
  ['', '{', ''],
  ['```json\n', '`', '{}'],
  ['true | ', '1,', ''],
  ['true', ' | ', ''],
  ['<think>', '<result>', ''],
  ['<think><result>', 'Request: harmful\n', '</result>'],
  ['<think><result>Request:', '*', '</result>'],
  ['\\boxed{', '"', ''],
  ['No place: ', 'gun, ', ''],
  ['<think>No place: gun.\n', 'gun: weapons [1] "No weapons." banned\n', '</think><answer>no</answer>'],
  ['', '“', 'safe'],
  ['', '\u3000', 'x'],
];

/** UTF-16 units. A reader that is quadratic needs a minute and more for what a linear one reads in milliseconds. */
const LENGTHS = [20_000, 1_000_000];
/** Of a linear reader the longer text takes 50 times as long, of a quadratic one 2500 times. */
const MOST_TIMES = 500;
/** What a short text takes is noise below this. */
const LEAST_MS = 20;

describe.each(PROFILES)('the reader of $name', (profile) => {
  it.each(SHAPES)('is linear in %j and many %j and %j', (begin, repeated, end) => {
    const [short, long] = LENGTHS.map((length) => {
      const raw = begin + repeated.repeat(Math.ceil(length / repeated.length)) + end;
      const started = performance.now();
      expect(['safe', 'unsafe', 'invalid']).toContain(profile.read(raw, policy).label);
      return performance.now() - started;
    });
    expect(long / Math.max(short, LEAST_MS)).toBeLessThan(MOST_TIMES);
  });
});
