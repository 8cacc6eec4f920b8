/** @module Who is being examined: anything that turns a picture and a text into an answer. */
import type { RgbImage } from '../images/image.js';
import type { Message } from '../models/qwen2_5_vl/chat.js';
import { promptMessages } from '../training/examples.js';
import { assert } from '../util/errors.js';

export interface AnswerItem {
  /** Null for text alone. */
  readonly image: RgbImage | null;
  readonly prompt: string;
}

/** Answers in the order of the items. */
export type Answerer = (items: readonly AnswerItem[]) => Promise<string[]>;

/** What an answerer needs of a model; `LoadedModel` has it. */
export interface AnsweringModel<Prompt> {
  readonly processor: {
    encodeChat(messages: readonly Message[]): Prompt;
    readonly tokenizer: {
      decode(ids: readonly number[], options: { readonly skipSpecialTokens: boolean }): string;
    };
  };
  generate(
    prompts: readonly Prompt[],
    settings: { readonly maxNewTokens: number },
  ): Promise<readonly { readonly tokens: readonly number[] }[]>;
}

export interface ModelAnswererOptions {
  /** 48 if absent: two cores are busy and the caches stay small. */
  readonly batchSize?: number;
  /** 320 if absent: correct answers have about 200 at most (six things to read up on), on judgements 160. */
  readonly maxNewTokens?: number;
  /** Called after each batch with the number of its items. */
  readonly onAnswered?: (count: number) => void;
}

/** Pixels of a picture that become one token: the patch merger's 28 × 28. */
const PIXELS_PER_TOKEN = 28 * 28;

/** About how many tokens an item's prompt has, to put items of like length into one batch. */
function lengthOf({ image, prompt }: AnswerItem): number {
  const words = prompt.match(/[A-Za-z]+|[^\sA-Za-z]|\n/g)?.length ?? 0;
  return words + (image === null ? 0 : (image.width * image.height) / PIXELS_PER_TOKEN);
}

/** Free-running, greedy answers in batches of like length; pictures are only processed when their batch is due. */
export function modelAnswerer<Prompt>(
  model: AnsweringModel<Prompt>,
  { batchSize = 48, maxNewTokens = 320, onAnswered }: ModelAnswererOptions = {},
): Answerer {
  const { processor } = model;
  return async (items) => {
    const answers = items.map(() => '');
    const lengths = items.map(lengthOf);
    // The longest first: a batch that does not fit in memory fails at once.
    const order = items.map((_, index) => index).toSorted((a, b) => lengths[b] - lengths[a] || a - b);
    for (let from = 0; from < order.length; from += batchSize) {
      const batch = order.slice(from, from + batchSize);
      const prompts = batch.map((index) => {
        const { image, prompt } = items[index];
        return processor.encodeChat(promptMessages({ images: image === null ? [] : [image], prompt }));
      });
      const generated = await model.generate(prompts, { maxNewTokens });
      assert(generated.length === batch.length, `${generated.length} answers to ${batch.length} prompts`);
      batch.forEach((index, i) => {
        const { tokens } = generated[i];
        answers[index] =
          tokens.length === 0 ? '' : processor.tokenizer.decode(tokens, { skipSpecialTokens: true });
      });
      onAnswered?.(batch.length);
    }
    return answers;
  };
}
