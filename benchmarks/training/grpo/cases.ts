/** @module What the GRPO benchmark measures: models that a real tokenizer fits, and prompts of exact lengths. */
import { join } from 'node:path';
import { type JsonObject, writeCheckpoint } from '../../../src/checkpoint/checkpoint.js';
import { readJsonObject } from '../../../src/checkpoint/json.js';
import { parseConfig } from '../../../src/models/qwen2_5_vl/config.js';
import { Processor } from '../../../src/models/qwen2_5_vl/processor.js';
import { promptMessages } from '../../../src/training/examples.js';
import { initialWeights } from '../../../src/training/weights.js';
import { InternalError, UserError } from '../../../src/util/errors.js';
import { Random } from '../../../src/util/random.js';
import { REPOSITORY } from '../../shared/child.js';
import { type BenchmarkModel, modelConfig, openModel } from '../shapes.js';

export interface GrpoShape {
  readonly size: 'tiny' | 'large';
  readonly promptTokens: number;
  readonly newTokens: number;
  /** G: completions of the one prompt of a step. */
  readonly generations: number;
}

const BASE: GrpoShape = { size: 'tiny', promptTokens: 1200, newTokens: 100, generations: 8 };

/** The shape to compare first, then one thing changed at a time. */
export const GRPO_SHAPES: readonly GrpoShape[] = [
  BASE,
  { ...BASE, size: 'large' },
  { ...BASE, generations: 4 },
  { ...BASE, generations: 16 },
  { ...BASE, promptTokens: 300 },
  { ...BASE, promptTokens: 2400 },
];

export const shapeName = ({ size, promptTokens, newTokens, generations }: GrpoShape): string =>
  `${size}, prompt ${promptTokens}, ${generations} × ${newTokens}`;

/** The longest prompt and completion have room. */
const MAX_POSITIONS = 4096;

const EMBEDDED = join(REPOSITORY, 'models', 'safeguard-vl-tiny');

/** Fresh weights in the sizes of `shapes.ts`, with the embedded model's tokenizer and its token ids. */
export async function makeGrpoModel(size: GrpoShape['size'], folder: string): Promise<BenchmarkModel> {
  const embedded = readJsonObject(join(EMBEDDED, 'config.json'));
  const ids = Object.entries(embedded).filter(([name]) => /_token_id$|^vocab_size$/.test(name));
  const json: JsonObject = {
    ...modelConfig(size),
    ...Object.fromEntries(ids),
    max_position_embeddings: MAX_POSITIONS,
    sliding_window: MAX_POSITIONS,
  };
  await writeCheckpoint(folder, {
    from: EMBEDDED,
    config: json,
    dtype: 'F32',
    tensors: [...initialWeights(parseConfig(json), 0)].map(([name, { shape, data }]) => ({
      name,
      shape,
      data,
    })),
    // A token that is never sampled ends an answer, so that all have the same length.
    extraFiles: {
      'generation_config.json': JSON.stringify({
        eos_token_id: json.image_token_id,
        pad_token_id: json.pad_token_id,
      }),
    },
  });
  return openModel(size, folder);
}

/** Words that add one token each, wherever they stand. */
const WORDS = ['the', 'is', 'in', 'are', 'no', 'and', 'of', 'not', 'allowed', 'pictures'];

/** A prompt of exactly so many tokens with the chat around it. */
export async function promptOf(
  folder: string,
  tokens: number,
): Promise<{ prompt: string; promptIds: number[] }> {
  const processor = await Processor.load(folder);
  const idsOf = (prompt: string): number[] => [
    ...processor.encodeChat(promptMessages({ images: [], prompt })).inputIds,
  ];
  const start = 'Policy:';
  const around = idsOf(start).length;
  const words = WORDS.filter((word) => idsOf(`${start} ${word} ${word}`).length === around + 2);
  if (words.length === 0) throw new InternalError('the embedded tokenizer knows none of the words');
  if (tokens <= around)
    throw new UserError(`--prompt is ${tokens}: the chat around it alone has ${around} tokens.`);
  const random = new Random(`grpo benchmark/${tokens}`);
  const chosen = Array.from({ length: tokens - around }, () => random.pick(words));
  const prompt = [start, ...chosen].join(' ');
  const promptIds = idsOf(prompt);
  if (promptIds.length !== tokens)
    throw new InternalError(`the prompt has ${promptIds.length} tokens, not ${tokens}`);
  return { prompt, promptIds };
}

/** Random words as completions, and rewards that differ. */
export function completionsOf({ generations, newTokens }: GrpoShape): {
  completions: number[][];
  rewards: number[];
} {
  const random = new Random('grpo benchmark/completions');
  // Bytes and short words of the tokenizer; special tokens come last.
  const plainIds = 1000;
  return {
    completions: Array.from({ length: generations }, () =>
      Array.from({ length: newTokens }, () => random.int(0, plainIds)),
    ),
    rewards: Array.from({ length: generations }, () => random.next()),
  };
}
