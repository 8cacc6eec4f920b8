import { messageOf, UserError } from '../util/errors.js';
import { readTextFile } from './read-file.js';

/** A JSON object whose values are not yet known. */
export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a JSON file that must hold an object. Throws a {@link UserError} that names the file. */
export function readJsonObject(path: string): JsonObject {
  const value = readJson(path);
  if (!isJsonObject(value))
    throw new UserError(`${path} must hold a JSON object: take the file from its source again.`);
  return value;
}

/** Reads any JSON file. Throws a {@link UserError} that names the file. */
function readJson(path: string): unknown {
  const text = readTextFile(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path} is not JSON (${messageOf(error)}): take the file from its source again.`);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The first key that any object of a JSON text holds twice; undefined where there is none. JSON.parse keeps the last one
 * silently. The text must be valid JSON.
 */
export function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each open object; undefined for an open array
  let lastString = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, i);
      lastString = text.slice(i, end);
      i = end - 1;
    } else if (char === ':') {
      // Outside of strings a colon always follows a key.
      const key: unknown = JSON.parse(lastString);
      const keys = open.at(-1);
      if (keys?.has(String(key))) return String(key);
      keys?.add(String(key));
    }
  }
  return undefined;
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i + 1;
}
