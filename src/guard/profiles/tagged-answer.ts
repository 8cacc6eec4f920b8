import { judged, type ReadAnswer, unreadable, type VerdictWords } from '../profile.js';

/** The tags of the format, each of which may stand in an answer once at most. */
const TAGS = ['<think>', '</think>', '<answer>', '</answer>'] as const;

const [THINK, THINK_END, ANSWER, ANSWER_END] = TAGS;
const FENCE = '```';

/** Yes and no as the method trains them: the question is whether the picture may be shown. */
export const YES_IS_SAFE: VerdictWords = { safe: ['yes'], unsafe: ['no'] };

/** Of the format with the words as they stand; a thought has no `<`, so that it ends where its tag does. */
export function grammarOfTags({ safe, unsafe }: VerdictWords): string {
  return `<think>[^<]+</think><answer>(${[...safe, ...unsafe].join('|')})</answer>`;
}

/**
 * Reads `<think>…</think><answer>WORD</answer>`. White space around the parts and capitals in the word are accepted, and
 * the think block may be missing; a tag that is missing, repeated or in capitals, other words and text around are not.
 * Source: the paper's format and `adorableChowhound/SafeGuard-VL:train/plugin.py`, whose reward is laxer (text around,
 * a second answer): a reward may be, a verdict may not.
 */
export function readTaggedAnswer(raw: string, words: VerdictWords): ReadAnswer {
  const reasoning = reasoningOf(raw);
  if (raw.trim() === '') return unreadable(reasoning, 'the answer is empty');
  const repeated = TAGS.find((tag) => raw.split(tag).length > 2);
  if (repeated !== undefined) return unreadable(reasoning, `the answer has more than one ${repeated}`);
  const [start, end] = insideFence(raw);
  const body = raw.slice(start, end);
  const answerAt = body.indexOf(ANSWER);
  const isWhole =
    answerAt >= 0 && body.endsWith(ANSWER_END) && isThoughtOrNothing(body.slice(0, answerAt).trim());
  const word = isWhole ? body.slice(answerAt + ANSWER.length, -ANSWER_END.length) : '';
  if (!isWhole || word.includes('<')) return unreadable(reasoning, shapeProblem(body));
  const verdictAt = start + answerAt + ANSWER.length + (word.length - word.trimStart().length);
  return judged(word.trim(), words, { reasoning, verdictAt });
}

/** The answer without white space around it, and without a code fence around the whole of it. */
function insideFence(raw: string): [start: number, end: number] {
  let [start, end] = [raw.length - raw.trimStart().length, raw.trimEnd().length];
  const line = raw.indexOf('\n', start);
  const isFenced =
    raw.startsWith(FENCE, start) && line >= 0 && raw.endsWith(FENCE, end) && end - FENCE.length > line;
  if (!isFenced) return [start, end];
  const inner = raw.slice(line, end - FENCE.length);
  [start, end] = [line + inner.length - inner.trimStart().length, line + inner.trimEnd().length];
  return [start, Math.max(start, end)];
}

/** Each tag stands once at most, so that a thought that begins and ends here is one. */
const isThoughtOrNothing = (text: string): boolean =>
  text === '' || (text.startsWith(THINK) && text.endsWith(THINK_END));

/** The words between the think tags; without a closing tag, all behind the opening one. Linear in the answer. */
export function reasoningOf(raw: string): string {
  const at = raw.indexOf(THINK);
  if (at < 0) return '';
  const start = at + THINK.length;
  const ends = [THINK_END, ANSWER, '<result>']
    .map((tag) => raw.indexOf(tag, start))
    .filter((end) => end >= 0);
  return raw.slice(start, ends.length === 0 ? raw.length : Math.min(...ends)).trim();
}

function shapeProblem(raw: string): string {
  if (isThoughtOrNothing(raw) && !raw.includes(ANSWER)) return 'the answer ends without <answer>';
  const missing = TAGS.slice(raw.includes('think>') ? 0 : 2).find((tag) => !raw.includes(tag));
  if (missing !== undefined) return `the answer has no ${missing}`;
  return 'there is text outside of the think and answer tags';
}
