/** @module What the reward service answers to a body: the shims' route and OpenRLHF's. */
import { z } from 'zod';
import { qwenAddedTokens } from '../../models/qwen2_5_vl/tokenizer-folder.js';
import type { RewardInput } from './reward.js';
import { Refusal } from './refusal.js';
import { scoreRows } from './rows.js';
import type { RewardTable } from './table.js';
import { type RewardResponse, rewardRequest, type RowError, type SentSample, sentSample } from './wire.js';

const BAD = 400;

export interface Answering {
  readonly table: RewardTable;
  /** From how many tokens on a completion was cut off. */
  readonly maxCompletionLength: number;
}

/** `{"completions", "samples", "tokens"?}` → rewards by function and their weighted sums. */
export async function answerShim(
  body: unknown,
  { table, maxCompletionLength }: Answering,
): Promise<RewardResponse> {
  const { completions, samples, tokens } = read(rewardRequest, body);
  sameLength('samples', samples, completions);
  if (tokens !== undefined) sameLength('tokens', tokens, completions);
  else if (table.needsTokens)
    throw new Refusal(BAD, 'tokens: a reward of this service goes by the number of tokens: send them');
  const { byFunction, totals, errors } = await scoreRows(table, completions.length, (i) => {
    const { prompt, ...sample } = sampleOf(samples[i], `samples[${i}]`);
    const completion = read(text, completions[i], `completions[${i}]`);
    const count = tokens === undefined ? 0 : read(tokenCount, tokens[i], `tokens[${i}]`);
    return { prompt, completion, tokens: count, truncated: count >= maxCompletionLength, sample };
  });
  return { rewards: byFunction, totals, ...(errors.length > 0 && { errors }) };
}

const text = z.string();
const tokenCount = z.int().min(0);

/** OpenRLHF's body (openrlhf/utils/agent.py): whole texts with their prompts, and what the data set calls the label. */
const openrlhfRequest = z.object({
  query: z.array(z.unknown()).min(1),
  prompts: z.array(z.unknown()),
  labels: z.array(z.unknown()),
});

interface OpenrlhfResponse {
  readonly rewards: readonly number[];
  readonly scores: readonly number[];
  /** By function, 0 where it does not apply: OpenRLHF makes tensors of them. */
  readonly extra_logs: Readonly<Record<string, readonly number[]>>;
  /** Rows that could not be rewarded; they have 0 above. */
  readonly errors?: readonly RowError[];
}

/** `{"query", "prompts", "labels"}` → weighted sums, twice, and each function's values. */
export async function answerOpenrlhf(body: unknown, { table }: Answering): Promise<OpenrlhfResponse> {
  const { query, prompts, labels } = read(openrlhfRequest, body);
  sameLength('prompts', prompts, query);
  sameLength('labels', labels, query);
  if (table.needsTokens)
    throw new Refusal(
      BAD,
      'a reward of this service goes by the number of tokens, which OpenRLHF does not send',
    );
  const { byFunction, totals, errors } = await scoreRows(table, query.length, (i): RewardInput => {
    const { prompt, ...sample } = sampleOf(labels[i], `labels[${i}]`);
    const [whole, start] = [read(text, query[i], `query[${i}]`), read(text, prompts[i], `prompts[${i}]`)];
    return { prompt, completion: completionOf(whole, start, i), tokens: 0, truncated: false, sample };
  });
  const numbers = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? 0);
  const logs = Object.entries(byFunction).map(([name, values]) => [name, numbers(values)]);
  const sums = numbers(totals);
  return {
    rewards: sums,
    scores: sums,
    extra_logs: Object.fromEntries(logs),
    ...(errors.length > 0 && { errors }),
  };
}

const PICTURE = /(?:<\|image_pad\|>)+/gu;
const SPECIAL = new RegExp(
  qwenAddedTokens([])
    .filter(({ special }) => special)
    .map(({ content }) => content.replace(/[|]/gu, '\\|'))
    .join('|'),
  'gu',
);

/**
 * What the model wrote: the text behind its prompt, without special tokens. A picture is one mark in the prompt and many in
 * the text, which also went through the tokenizer's NFC.
 */
function completionOf(query: string, prompt: string, place: number): string {
  const [whole, start] = [query, prompt].map((one) => one.normalize('NFC').replace(PICTURE, '<|image_pad|>'));
  if (!whole.startsWith(start))
    throw new Refusal(BAD, `query[${place}] does not begin with prompts[${place}]`);
  return whole.slice(start.length).replace(SPECIAL, '');
}

function sampleOf(sent: unknown, place: string): SentSample {
  if (typeof sent !== 'string') return read(sentSample, sent, place);
  let json: unknown;
  try {
    json = JSON.parse(sent);
  } catch {
    throw new Refusal(BAD, `${place} is not JSON: send the sample column of the exported data set`);
  }
  return read(sentSample, json, place);
}

/** @throws Refusal that names the first thing that is wrong. */
function read<Body>(schema: z.ZodType<Body>, body: unknown, place = 'the body'): Body {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new Refusal(BAD, `${[place, ...path].join('.')}: ${message}`);
}

function sameLength(name: string, list: readonly unknown[], completions: readonly unknown[]): void {
  if (list.length === completions.length) return;
  throw new Refusal(BAD, `${name} has ${list.length} entries for ${completions.length} completions`);
}
