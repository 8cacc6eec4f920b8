/** @module Strings given as a policy that are none: paths, names, addresses, single words. */
import { UserError } from '../util/errors.js';

/** Endings of files that people keep policies in, or mistake for one. */
const FILE_ENDING =
  /\.(?:md|mdx|markdown|mdown|txt|text|rst|adoc|html?|pdf|docx?|odt|rtf|ya?ml|json|jsonl|csv)$/iu;
/** How a path or an address begins. */
const PATH_START = /^(?:\.{1,2}[/\\]|[/\\]|~[/\\]?|[a-z]:[/\\]|[a-z][a-z\d+.-]{1,30}:\/\/)/iu;
/** Longer strings are no paths (Linux's PATH_MAX). */
const MAX_PATH = 4096;
/** Scripts that part words by nothing, so that a sentence may be one run of letters. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u;
const SENTENCE_END = /[.!?…。！？।۔።]["”»’)\]」』）]?$/u;

/** Whether a string that was given as a path holds words, as rules do. */
export const seemsSentence = (text: string): boolean => {
  const words = text.trim();
  return (
    !seemsPath(words) && (/\S\s+\S/u.test(words.slice(0, MAX_PATH)) || SENTENCE_END.test(words.slice(-2)))
  );
};

/** One line that ends as the names of files do, or begins as paths do. A sentence that only speaks of a file is none. */
function seemsPath(words: string): boolean {
  if (words.length > MAX_PATH || words.includes('\n')) return false;
  const spaced = /\s/u.test(words);
  if (!spaced && (PATH_START.test(words) || FILE_ENDING.test(words))) return true;
  // "my policies/school newsletter.md"
  return FILE_ENDING.test(words) && (PATH_START.test(words) || /[/\\]/u.test(words) || isFileName(words));
}

/** "school newsletter.md": a few words and an ending, no mark of a sentence before it. */
const isFileName = (words: string): boolean =>
  words.split(/\s+/u, MAX_NAME_WORDS + 1).length <= MAX_NAME_WORDS && !/[,;:!?]/u.test(words);
const MAX_NAME_WORDS = 3;

/** @throws UserError where the string holds no rule; `shown` is how errors call the policy. */
export function refuseWrongInline(rules: string, shown: string): void {
  const words = rules.trim();
  if (words === '') {
    throw wrong(`${shown} is empty; write at least one sentence, such as "No weapons."`);
  }
  if (seemsPath(words)) {
    const path = JSON.stringify(words);
    throw wrong(
      /^[a-z][a-z\d+.-]*:\/\//iu.test(words)
        ? `${shown} is the address ${path}, not its words; fetch the page and give its text`
        : `${shown} is the path ${path}, not its words; give await Policy.load(${path}), or write the rules themselves, such as "No weapons."`,
    );
  }
  if (!/\s/u.test(words) && !UNSPACED.test(words) && !SENTENCE_END.test(words.slice(-2))) {
    const shownWord = JSON.stringify(words.length > MAX_SHOWN ? `${words.slice(0, MAX_SHOWN)}…` : words);
    throw wrong(
      `${shown} is ${shownWord}, which is no sentence; write rules, such as "No weapons.", or give await Policy.load(path) for a file`,
    );
  }
}

/** Characters of a wrong policy in a message. */
const MAX_SHOWN = 80;

const wrong = (message: string): UserError => new UserError(message, { code: 'invalid_policy' });
