/**
 * @module PolicyShiftGuard's rewards (PolicyShiftGuard:vllm_guard/training/rl/reward.py): `single` for bare answers, `think`
 * for reasoned ones, `pair` for two policies that disagree about one picture.
 */
import type { JudgedSample, RewardInput } from './reward.js';

/** `true | 03 | …` blocks, `false | …` passes. */
interface PolicyshiftAnswer {
  readonly label: JudgedSample['label'];
  /** Two digits; null where it passes. */
  readonly category: string | null;
}

const BLOCK = /^true\s*\|\s*(\d{1,2})(?:\s*\|[\s\S]*)?$/i;
const PASS = /^false(?:\s*\|[\s\S]*)?$/i;
const THOUGHT = /^<think>[\s\S]*?<\/think>\s*([\s\S]+)$/i;

/** Null for anything but the two forms. */
function readBare(text: string): PolicyshiftAnswer | null {
  const answer = text.trim();
  const [, id] = BLOCK.exec(answer) ?? [];
  if (id !== undefined) return { label: 'unsafe', category: id.padStart(2, '0') };
  return PASS.test(answer) ? { label: 'safe', category: null } : null;
}

function readThought(text: string): PolicyshiftAnswer | null {
  const [, answer] = THOUGHT.exec(text.trim()) ?? [];
  return answer === undefined ? null : readBare(answer);
}

/** Where an answer stands against the truth. */
type Outcome = 'right' | 'wrongCategory' | 'wrongLabel';

function outcomeOf({ label, category }: PolicyshiftAnswer, sample: JudgedSample): Outcome {
  if (label !== sample.label) return 'wrongLabel';
  if (label === 'safe' || (category !== null && sample.categories.includes(category))) return 'right';
  return 'wrongCategory';
}

const FORMAT = 0.2;
const NO_FORMAT = -2;

const SINGLE: Readonly<Record<JudgedSample['label'], Readonly<Record<Outcome, number>>>> = {
  safe: { right: 1, wrongCategory: 1, wrongLabel: -1.5 },
  unsafe: { right: 1.5, wrongCategory: -0.5, wrongLabel: -1.5 },
};

/** −2 to 1.7: format, label and category of a bare answer. */
export function policyshiftSingle({
  completion,
  sample,
}: Pick<RewardInput<JudgedSample>, 'completion' | 'sample'>): number {
  const answer = readBare(completion);
  return answer === null ? NO_FORMAT : SINGLE[sample.label][outcomeOf(answer, sample)] + FORMAT;
}

const THINK: Readonly<Record<Outcome, number>> = { right: 2, wrongCategory: -2, wrongLabel: -3 };

/** −3 to 2: an answer behind `<think>…</think>`; 0 without that format. */
export function policyshiftThink({
  completion,
  sample,
}: Pick<RewardInput<JudgedSample>, 'completion' | 'sample'>): number {
  const answer = readThought(completion);
  return answer === null ? 0 : THINK[outcomeOf(answer, sample)];
}

/** What each member of a pair of right answers earns, by its gold label. */
const PAIR_RIGHT: Readonly<Record<JudgedSample['label'], number>> = { safe: 0.7, unsafe: 0.9 };
/** Both policies answered alike, or the wrong way round. */
const PAIR_WRONG = -0.8;

/**
 * −0.8 to 0.9 on top of `single`: each completion against every completion of its pair's other role, averaged; null for
 * prompts without a pair, 0 where no partner is there.
 */
export function policyshiftPair(inputs: readonly RewardInput<JudgedSample>[]): (number | null)[] {
  const answers: Member[] = inputs.map(({ completion, sample }) => ({
    answer: readBare(completion),
    sample,
  }));
  const byPair = new Map<string | null, Member[]>();
  for (const one of answers) byPair.set(one.sample.pair, [...(byPair.get(one.sample.pair) ?? []), one]);
  return answers.map((one) => {
    if (one.sample.pair === null) return null;
    const partners = (byPair.get(one.sample.pair) ?? []).filter(
      ({ sample }) => sample.label !== one.sample.label,
    );
    if (partners.length === 0) return 0;
    return partners.reduce((sum, partner) => sum + against(one, partner), 0) / partners.length;
  });
}

interface Member {
  readonly answer: PolicyshiftAnswer | null;
  readonly sample: JudgedSample;
}

function against(own: Member, partner: Member): number {
  if (own.answer === null || partner.answer === null) return 0;
  const members = [own, partner] as const;
  const isRight = members.every(({ answer, sample }) => answer?.label === sample.label);
  if (!isRight) {
    // One right and one wrong label are the same label twice.
    return PAIR_WRONG;
  }
  const named = members.every(({ answer, sample }) => answer && outcomeOf(answer, sample) === 'right');
  return named ? PAIR_RIGHT[own.sample.label] : 0;
}
