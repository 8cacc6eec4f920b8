/** @module What a report shows of the completions, gathered in one walk through their file: a page holds only so many. */
import type { Confusion } from '../grpo/records.js';
import { markOf } from '../grpo/mark.js';
import { COMPLETIONS_FILE, type CompletionRecord, HELD_OUT_FILE } from '../grpo/records.js';
import { type CompletionGroup, groupsOf } from '../runs/completions.js';
import type { RunLog } from '../runs/run-log.js';

/** Why a group is worth looking at; a group is shown under the first reason that it gives. */
const REASONS: readonly {
  readonly title: string;
  readonly fits: (completion: CompletionRecord) => boolean;
}[] = [
  {
    title: 'Unsafe, and passed as safe',
    fits: ({ label, read }) => label === 'unsafe' && read === 'safe',
  },
  { title: 'Safe, and blocked', fits: ({ label, read }) => label === 'safe' && read === 'unsafe' },
  { title: 'Unreadable', fits: (completion) => markOf(completion) === 'invalid' },
  {
    title: 'Questions answered wrong',
    fits: (completion) => completion.label === null && markOf(completion) === 'wrong',
  },
  { title: 'All right', fits: (completion) => markOf(completion) === 'right' },
];

/** Latest groups shown for each reason. */
const GROUPS_EACH = 3;
/** Prompts whose answers at different steps are compared. */
const COMPARED_PROMPTS = 24;

export interface Sample {
  readonly reason: string;
  readonly group: CompletionGroup;
}

/** One prompt at several steps. */
export interface Compared {
  /** In the order of their steps; at least two. */
  readonly groups: readonly CompletionGroup[];
}

/** How a prompt's reading went from one step to the next that it was asked at. */
export interface Turn {
  readonly step: number;
  readonly prompts: number;
  readonly right: number;
  /** Since the step before; null at the first. */
  readonly becameRight: number | null;
  readonly becameWrong: number | null;
}

export interface Gathered {
  /** Of the first and of the last third of the run's steps. */
  readonly early: Distribution;
  readonly late: Distribution;
  readonly samples: readonly Sample[];
  /** Which answers are compared, the most changed first. */
  readonly compared: { readonly kind: 'held-out' | 'sampled'; readonly prompts: readonly Compared[] } | null;
  readonly turns: readonly Turn[];
}

export interface Distribution {
  /** First and last step. */
  readonly steps: readonly [number, number];
  readonly rewards: readonly number[];
  /** In tokens. */
  readonly lengths: readonly number[];
}

export async function gather(run: RunLog): Promise<Gathered> {
  const { metrics, folder } = run;
  const [first, last] = [metrics[0].step, metrics[metrics.length - 1].step];
  const third = Math.max(1, Math.ceil((last - first + 1) / 3));
  const early = emptyDistribution(first, Math.min(last, first + third - 1));
  const late = emptyDistribution(Math.max(first, last - third + 1), last);
  const byReason = REASONS.map((): CompletionGroup[] => []);
  for await (const group of groupsOf(folder, COMPLETIONS_FILE)) {
    // A run that was killed may have written completions of a step that it will make again.
    if (group.step > last) break;
    for (const part of [early, late]) {
      if (group.step < part.steps[0] || group.step > part.steps[1]) continue;
      for (const { reward, tokens } of group.completions) {
        part.rewards.push(reward);
        part.lengths.push(tokens);
      }
    }
    const reason = REASONS.findIndex(({ fits }, i) =>
      i === REASONS.length - 1 ? group.completions.every(fits) : group.completions.some(fits),
    );
    if (reason < 0) continue;
    byReason[reason].push(group);
    if (byReason[reason].length > GROUPS_EACH) byReason[reason].shift();
  }
  const heldOut = await repeated(folder, HELD_OUT_FILE, last);
  const repeats = heldOut.length > 0 ? heldOut : await repeated(folder, COMPLETIONS_FILE, last);
  return {
    early,
    late,
    samples: byReason.flatMap((groups, i) =>
      groups.reverse().map((group) => ({ reason: REASONS[i].title, group })),
    ),
    compared:
      repeats.length === 0
        ? null
        : {
            kind: heldOut.length > 0 ? 'held-out' : 'sampled',
            prompts: repeats
              .map((groups) => ({ groups }))
              .sort((a, b) => changeOf(b) - changeOf(a))
              .slice(0, COMPARED_PROMPTS),
          },
    turns: heldOut.length > 0 ? turnsOf(heldOut) : [],
  };
}

interface Growing {
  readonly steps: readonly [number, number];
  readonly rewards: number[];
  readonly lengths: number[];
}

const emptyDistribution = (first: number, last: number): Growing => ({
  steps: [first, last],
  rewards: [],
  lengths: [],
});

/** Prompts whose answers are remembered to find repeats: the first ones of the file. */
const MOST_PROMPTS = 5000;

/** Groups of the same prompt and pictures at different steps. */
async function repeated(folder: string, file: string, last: number): Promise<CompletionGroup[][]> {
  const byPrompt = new Map<string, CompletionGroup[]>();
  for await (const group of groupsOf(folder, file)) {
    if (group.step > last) break;
    const [{ prompt, images }] = group.completions;
    const key = JSON.stringify([prompt, images]);
    const known = byPrompt.get(key);
    if (known === undefined) {
      if (byPrompt.size < MOST_PROMPTS) byPrompt.set(key, [group]);
    } else if (known[known.length - 1].step !== group.step) {
      known.push(group);
    }
  }
  return [...byPrompt.values()].filter((groups) => groups.length > 1);
}

const rightShare = ({ completions }: CompletionGroup): number =>
  completions.filter((completion) => markOf(completion) === 'right').length / completions.length;

const meanReward = ({ completions }: CompletionGroup): number =>
  completions.reduce((sum, { reward }) => sum + reward, 0) / completions.length;

/** A verdict that changed goes before any change of the reward. */
function changeOf({ groups }: Compared): number {
  const [first, last] = [groups[0], groups[groups.length - 1]];
  const words = Number(first.completions[0].completion !== last.completions[0].completion);
  const verdict = Math.abs(rightShare(last) - rightShare(first));
  return 100 * verdict + Math.abs(meanReward(last) - meanReward(first)) + words / 100;
}

function turnsOf(prompts: readonly (readonly CompletionGroup[])[]): Turn[] {
  const steps = [...new Set(prompts.flatMap((groups) => groups.map(({ step }) => step)))].sort(
    (a, b) => a - b,
  );
  const rightAt = (groups: readonly CompletionGroup[], step: number): boolean | null => {
    const found = groups.find((group) => group.step === step);
    return found === undefined ? null : rightShare(found) === 1;
  };
  return steps.map((step, i) => {
    const now = prompts.map((groups) => rightAt(groups, step));
    const before = i === 0 ? null : prompts.map((groups) => rightAt(groups, steps[i - 1]));
    const turned = (from: boolean, to: boolean): number | null =>
      before && now.filter((right, k) => right === to && before[k] === from).length;
    return {
      step,
      prompts: now.filter((right) => right !== null).length,
      right: now.filter((right) => right === true).length,
      becameRight: turned(false, true),
      becameWrong: turned(true, false),
    };
  });
}

/** Counts of several steps, added up. */
export function addedUp(confusions: readonly Confusion[]): Confusion {
  const row = (label: 'safe' | 'unsafe'): Confusion['safe'] => {
    const sum = (read: keyof Confusion['safe']): number =>
      confusions.reduce((total, confusion) => total + confusion[label][read], 0);
    return { safe: sum('safe'), unsafe: sum('unsafe'), invalid: sum('invalid') };
  };
  return { safe: row('safe'), unsafe: row('unsafe') };
}
