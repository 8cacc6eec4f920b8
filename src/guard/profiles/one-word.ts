/** @module Answers of one word. */
import { judged, type ReadAnswer, unreadable, type VerdictWords } from '../profile.js';

/** Quotation, emphasis and code marks around a word. */
const MARKS = new Set(' \t\r\n"\'*_`“”„‘’«»「」『』$');
const STOPS = new Set('.!。！');
/** A comma promises more: only what is unsafe is believed before it. */
const COMMAS = new Set(',，');
const [BOX, BOX_END] = ['\\boxed{', '}'];
const [THOUGHT, THOUGHT_END] = ['<think>', '</think>'];

/**
 * One word, in any capitals, with marks around it at most, also in `\boxed{…}` or behind a thought that was ended.
 * Linear in the answer.
 */
export function readWord(raw: string, words: VerdictWords): ReadAnswer {
  if (raw.trim() === '') return unreadable('', 'the answer is empty');
  let [first, end] = trimmed(raw, behindThought(raw), raw.length);
  if (raw.startsWith(BOX, first) && raw.endsWith(BOX_END, end)) {
    [first, end] = trimmed(raw, first + BOX.length, end - BOX_END.length);
  }
  const [reasoning, word] = [thoughtOf(raw), raw.slice(first, end)];
  if (!/^\p{L}+$/u.test(word)) return unreadable(reasoning, 'the answer is more than one word');
  const answer = judged(word, words, { reasoning, verdictAt: first });
  const goesOn = answer.label === 'safe' && COMMAS.has(raw.slice(end).trimStart().charAt(0));
  return goesOn ? unreadable(reasoning, 'the answer ends in a comma') : answer;
}

/** Without marks on both sides, and stops behind. */
function trimmed(raw: string, start: number, behind: number): [first: number, end: number] {
  let [first, end] = [start, behind];
  while (first < end && MARKS.has(raw[first])) first += 1;
  while (end > first) {
    const last = raw[end - 1];
    if (!MARKS.has(last) && !STOPS.has(last) && !COMMAS.has(last)) break;
    end -= 1;
  }
  return [first, end];
}

/** Where the text behind a thought begins; the answer's beginning where there is none, or none that was ended. */
function behindThought(raw: string): number {
  if (!raw.trimStart().startsWith(THOUGHT)) return 0;
  const end = raw.indexOf(THOUGHT_END);
  return end < 0 ? 0 : end + THOUGHT_END.length;
}

function thoughtOf(raw: string): string {
  const end = behindThought(raw);
  return end === 0 ? '' : raw.slice(raw.indexOf(THOUGHT) + THOUGHT.length, end - THOUGHT_END.length).trim();
}
