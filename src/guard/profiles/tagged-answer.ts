import type { ReadAnswer, VerdictTokens } from '../profile.js';

/** The tags of the format, each of which may stand in an answer once at most. */
const TAGS = ['<think>', '</think>', '<answer>', '</answer>'] as const;

const WHOLE =
  /^\s*(?:<think>(?<reasoning>[\s\S]*?)<\/think>\s*)?<answer>\s*(?<word>[^<]*?)\s*<\/answer>\s*$/u;
const THOUGHT_ONLY = /^\s*<think>(?<reasoning>[\s\S]*?)<\/think>\s*$/u;

/** Yes and no as the method trains them: the question is whether the picture may be shown. */
export const YES_IS_SAFE: VerdictTokens = { safe: ['yes'], unsafe: ['no'], anchor: '<answer>' };

/**
 * Reads `<think>…</think><answer>WORD</answer>`. White space around the parts and capitals in the word are accepted, and
 * the think block may be missing; a tag that is missing, repeated or in capitals, other words and text around are not.
 * Source: the paper's format and `adorableChowhound/SafeGuard-VL:train/plugin.py`, whose reward is laxer (text around,
 * a second answer): a reward may be, a verdict may not.
 */
export function readTaggedAnswer(raw: string, tokens: VerdictTokens): ReadAnswer {
  const reasoning = reasoningOf(raw);
  const unreadable = (message: string): ReadAnswer => invalid(reasoning, message);
  if (raw.trim() === '') return unreadable('the answer is empty');
  const repeated = TAGS.find((tag) => raw.split(tag).length > 2);
  if (repeated !== undefined) return unreadable(`the answer has more than one ${repeated}`);
  const groups = WHOLE.exec(raw)?.groups;
  if (!groups) return unreadable(shapeProblem(raw));
  const word = (groups['word'] ?? '').toLowerCase();
  const label = tokens.safe.includes(word) ? 'safe' : tokens.unsafe.includes(word) ? 'unsafe' : 'invalid';
  if (label === 'invalid')
    return unreadable(`the answer is neither ${[...tokens.safe, ...tokens.unsafe].join(' nor ')}`);
  const tagEnd = raw.indexOf('<answer>') + '<answer>'.length;
  const verdictAt = tagEnd + raw.slice(tagEnd).search(/\S/u);
  return { label, reasoning, category: null, violatedRule: null, verdictAt, problem: null };
}

/** An invalid answer with one sentence that says why. */
function invalid(reasoning: string, message: string): ReadAnswer {
  const problem = { kind: 'unreadable', message } as const;
  return { label: 'invalid', reasoning, category: null, violatedRule: null, verdictAt: null, problem };
}

/** The words between the think tags; without a closing tag, all behind the opening one. */
export function reasoningOf(raw: string): string {
  return /<think>([\s\S]*?)(?:<\/think>|<answer>|$)/u.exec(raw)?.[1]?.trim() ?? '';
}

function shapeProblem(raw: string): string {
  if (THOUGHT_ONLY.test(raw)) return 'the answer ends without <answer>';
  const missing = TAGS.slice(raw.includes('think>') ? 0 : 2).find((tag) => !raw.includes(tag));
  if (missing !== undefined) return `the answer has no ${missing}`;
  return 'there is text outside of the think and answer tags';
}
