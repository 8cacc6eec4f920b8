/** @module What the reward service answers to a body: the shims' route and OpenRLHF's. */
import { z } from 'zod';
import { qwenAddedTokens } from '../../models/qwen2_5_vl/tokenizer-folder.js';
import type { RewardInput } from './reward.js';
import type { RewardTable, Scores } from './table.js';
import { type RewardResponse, rewardRequest, type SentSample, sentSample } from './wire.js';

/** Why a batch is not answered, with what to change. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

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
  const inputs = completions.map((completion, i): RewardInput => {
    const { prompt, ...sample } = sampleOf(samples[i], `samples[${i}]`);
    const count = tokens?.[i] ?? 0;
    return { prompt, completion, tokens: count, truncated: count >= maxCompletionLength, sample };
  });
  const { byFunction, totals } = await table.score(inputs);
  return { rewards: copied(byFunction), totals: [...totals] };
}

/** OpenRLHF's body (openrlhf/utils/agent.py): whole texts with their prompts, and what the data set calls the label. */
const openrlhfRequest = z.object({
  query: z.array(z.string()).min(1),
  prompts: z.array(z.string()),
  labels: z.array(z.string()),
});

interface OpenrlhfResponse {
  readonly rewards: readonly number[];
  readonly scores: readonly number[];
  /** By function, 0 where it does not apply: OpenRLHF makes tensors of them. */
  readonly extra_logs: Readonly<Record<string, readonly number[]>>;
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
  const inputs = query.map((text, i): RewardInput => {
    const { prompt, ...sample } = sampleOf(labels[i], `labels[${i}]`);
    return { prompt, completion: completionOf(text, prompts[i], i), tokens: 0, truncated: false, sample };
  });
  const { byFunction, totals } = await table.score(inputs);
  const logs = Object.entries(byFunction).map(([name, values]) => [name, values.map((value) => value ?? 0)]);
  return { rewards: totals, scores: totals, extra_logs: Object.fromEntries(logs) };
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
  const [text, start] = [query, prompt].map((one) => one.normalize('NFC').replace(PICTURE, '<|image_pad|>'));
  if (!text.startsWith(start))
    throw new Refusal(BAD, `query[${place}] does not begin with prompts[${place}]`);
  return text.slice(start.length).replace(SPECIAL, '');
}

function sampleOf(sent: string | SentSample, place: string): SentSample {
  if (typeof sent !== 'string') return sent;
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

const copied = (byFunction: Scores['byFunction']): RewardResponse['rewards'] =>
  Object.fromEntries(Object.entries(byFunction).map(([name, values]) => [name, [...values]]));
