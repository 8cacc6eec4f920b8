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
  const members = inputs.map(({ completion, sample }): Member => {
    const answer = readBare(completion);
    return { sample, standing: answer === null ? 'unread' : outcomeOf(answer, sample) };
  });
  // Partners count by where they stand alone, so that a batch takes no longer than its length.
  const tallies = new Map<string, Tally>();
  const tallyOf = ({ pair }: JudgedSample, label: JudgedSample['label']): Tally => {
    const key = `${label} ${pair}`;
    const known = tallies.get(key) ?? { unread: 0, right: 0, wrongCategory: 0, wrongLabel: 0 };
    tallies.set(key, known);
    return known;
  };
  for (const { sample, standing } of members) {
    if (sample.pair !== null) tallyOf(sample, sample.label)[standing]++;
  }
  return members.map(({ sample, standing }) => {
    if (sample.pair === null) return null;
    const partners = tallyOf(sample, sample.label === 'safe' ? 'unsafe' : 'safe');
    const { unread, right, wrongCategory, wrongLabel } = partners;
    const all = unread + right + wrongCategory + wrongLabel;
    if (all === 0 || standing === 'unread') return 0;
    // One right and one wrong label are the same label twice.
    const wrong = standing === 'wrongLabel' ? right + wrongCategory + wrongLabel : wrongLabel;
    const named = standing === 'right' ? right : 0;
    return (wrong * PAIR_WRONG + named * PAIR_RIGHT[sample.label]) / all;
  });
}

type Standing = Outcome | 'unread';
type Tally = Record<Standing, number>;

interface Member {
  readonly sample: JudgedSample;
  readonly standing: Standing;
}
