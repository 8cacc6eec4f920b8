/**
 * @module What is no description of a picture, whatever a judge says of it: a guardrail asked for a caption may answer as it
 * was trained to, with a verdict, and a chat model may refuse. Neither may be learned as a recaption.
 */

/** Words that say nothing of a picture but judge it. */
const VERDICT_WORDS: ReadonlySet<string> = new Set(
  (
    'yes no true false safe unsafe harmful harmless allowed banned forbidden prohibited permitted ok okay none na pass ' +
    'fail block blocked violation violating compliant noncompliant valid invalid the image picture is not it this answer ' +
    'verdict rating judgment judgement final label category n a'
  ).split(' '),
);
/** Of those, the ones that are verdicts by themselves; the others only stand around them. */
const BARE_VERDICTS: ReadonlySet<string> = new Set(
  (
    'yes no true false safe unsafe harmful harmless allowed banned forbidden prohibited permitted ok okay none na pass fail ' +
    'block blocked violation violating compliant noncompliant valid invalid'
  ).split(' '),
);

/** Keys of the answers that guardrails give as JSON. */
const VERDICT_KEYS: ReadonlySet<string> = new Set([
  'rating',
  'verdict',
  'label',
  'safe',
  'unsafe',
  'violation',
  'is_safe',
  'category',
  'result',
  'decision',
]);

/** How chat models begin a refusal; curly apostrophes are read as straight ones. */
const REFUSALS = [
  "i'm sorry",
  'i am sorry',
  'sorry, ',
  "i can't ",
  'i cannot ',
  'i can not ',
  "i won't ",
  "i'm unable",
  'i am unable',
  "i'm not able",
  'i am not able',
  'as an ai',
  "i'm an ai",
] as const;

/** What is looked at of an answer: a description is told from the other things by its beginning. */
const LOOKED_AT = 2000;

interface Rule {
  readonly reason: string;
  readonly fits: (text: string) => boolean;
}

const RULES: readonly Rule[] = [
  { reason: 'it holds no word', fits: (text) => wordsOf(text).length === 0 },
  { reason: 'it is a bare verdict', fits: isBareVerdict },
  { reason: "it is a guardrail's answer", fits: isGuardAnswer },
  { reason: 'it is a refusal', fits: isRefusal },
];

/** Why a text is no description of a picture; null where it may be one. */
export function notADescription(text: string): string | null {
  const beginning = text.slice(0, LOOKED_AT);
  return RULES.find(({ fits }) => fits(beginning))?.reason ?? null;
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/\p{L}+/gu) ?? [];

function isBareVerdict(text: string): boolean {
  const words = wordsOf(text);
  return words.some((word) => BARE_VERDICTS.has(word)) && words.every((word) => VERDICT_WORDS.has(word));
}

/** Tags of reasoning and answer, or an object with a verdict. */
function isGuardAnswer(text: string): boolean {
  const trimmed = text.trim().toLowerCase();
  if (trimmed.startsWith('<think>') || trimmed.includes('<answer>')) return true;
  const begin = trimmed.startsWith('```') ? trimmed.indexOf('{') : 0;
  if (trimmed[begin] !== '{') return false;
  return [...trimmed.matchAll(/"(\w{1,20})"[ \t]{0,8}:/gu)].some(([, key]) => VERDICT_KEYS.has(key));
}

function isRefusal(text: string): boolean {
  const beginning = text.trimStart().toLowerCase().replaceAll('’', "'");
  return REFUSALS.some((opening) => beginning.startsWith(opening));
}
