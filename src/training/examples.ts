/** @module What training learns from: samples in words and pictures, and the token sequences made of them. */
import type { Mark } from '../iconworld/marks.js';
import type { RgbImage } from '../images/image.js';
import type { Message } from '../models/qwen2_5_vl/chat.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import type { Processor } from '../models/qwen2_5_vl/processor.js';
import { UserError } from '../util/errors.js';

/** One question and the answer to learn. */
export interface TrainingSample {
  readonly images: readonly RgbImage[];
  /** What stands before the user's turn; the chat template's own words where it is left out. */
  readonly system?: string;
  readonly prompt: string;
  readonly answer: string;
  /** What kind of sample this is, for the metrics. */
  readonly task: string;
  /** What lies where in the picture, for the objective `cells`. */
  readonly marks?: readonly Mark[];
}

/**
 * Samples by their place in an endless, shuffled stream: the same number gives the same sample, so a run resumes
 * exactly by remembering how many it has seen.
 */
export interface SampleSource {
  sample(index: number): Promise<TrainingSample>;
  /** Every word that a mark may have; absent where samples have no marks. */
  readonly vocabulary?: readonly string[];
  /** At most so many samples that the stream never gives; absent where nothing is held out. */
  readonly heldOut?: (count: number) => Promise<FiniteSource>;
}

/** Samples from 0 on, `count` of them. */
export interface FiniteSource extends SampleSource {
  readonly count: number;
}

/** A sample as tokens: the loss counts the last `answerLength` of `inputIds`. */
export interface TrainingExample {
  readonly inputIds: readonly number[];
  readonly answerLength: number;
  readonly images: readonly ProcessedImage[];
  readonly task: string;
}

/** The messages a sample's prompt makes: pictures first, then the words. */
export function promptMessages(sample: Pick<TrainingSample, 'images' | 'system' | 'prompt'>): Message[] {
  const pictures = sample.images.map((image) => ({ type: 'image', image }) as const);
  const before: Message[] = sample.system === undefined ? [] : [{ role: 'system', content: sample.system }];
  return [...before, { role: 'user', content: [...pictures, { type: 'text', text: sample.prompt }] }];
}

export interface EncodeLimits {
  /** The most tokens of a sample, prompt and answer together. */
  readonly maxLength: number;
  /** Rows of the model's embedding matrix. */
  readonly vocabSize: number;
}

/**
 * Prompt tokens, then the answer's, then `<|im_end|>`, which is learned too.
 * @throws UserError for an answer without tokens, for more tokens than `maxLength`, and for a token that the model lacks.
 */
export function encodeSample(
  processor: Processor,
  sample: TrainingSample,
  { maxLength, vocabSize }: EncodeLimits,
): TrainingExample {
  const prompt = processor.encodeChat(promptMessages(sample));
  const end = processor.tokenizer.id('<|im_end|>');
  if (end === undefined)
    throw new UserError('The tokenizer has no <|im_end|> token: train with a Qwen2.5-VL tokenizer.');
  const words = processor.tokenizer.encode(sample.answer, { special: false });
  if (words.length === 0) {
    throw new UserError(`A ${sample.task} sample has an answer without tokens: give every sample an answer.`);
  }
  const answer = [...words, end];
  const inputIds = [...prompt.inputIds, ...answer];
  if (inputIds.length > maxLength) {
    throw new UserError(
      `A ${sample.task} sample has ${inputIds.length} tokens, more than max_length ${maxLength}: raise max_length or shorten it.`,
    );
  }
  const unknown = inputIds.find((id) => id >= vocabSize);
  if (unknown !== undefined) {
    throw new UserError(
      `A ${sample.task} sample has the token ${JSON.stringify(processor.tokenizer.decode([unknown]))} (id ${unknown}), ` +
        `but the model has embeddings for ${vocabSize} ids only: take the tokenizer that belongs to the model.`,
    );
  }
  return { inputIds, answerLength: answer.length, images: prompt.images, task: sample.task };
}
