/** @module JSON as Python writes it: `NaN` and infinities, which JSON has not, are read as null. */

/** Strings are matched so that words in them are passed over; one without an end goes to the end. */
const WORDS = /"(?:[^"\\]|\\.)*"?|-?\b(?:NaN|Infinity)\b/gsu;

/** @throws SyntaxError for what is no JSON even so. */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/u.test(text)) throw error;
    return JSON.parse(text.replace(WORDS, (found) => (found.startsWith('"') ? found : 'null')));
  }
}
