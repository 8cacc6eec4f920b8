/** @module What training learns from: samples in words and pictures, and the token sequences made of them. */
import type { RgbImage } from '../images/image.js';
import type { Message } from '../models/qwen2_5_vl/chat.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import type { Processor } from '../models/qwen2_5_vl/processor.js';
import { UserError } from '../util/errors.js';

/** One question and the answer to learn. */
export interface TrainingSample {
  readonly images: readonly RgbImage[];
  readonly prompt: string;
  readonly answer: string;
  /** What kind of sample this is, for the metrics. */
  readonly task: string;
}

/**
 * Samples by their place in an endless, shuffled stream: the same number gives the same sample, so a run resumes
 * exactly by remembering how many it has seen.
 */
export interface SampleSource {
  sample(index: number): Promise<TrainingSample>;
}

/** A sample as tokens: the loss counts the last `answerLength` of `inputIds`. */
export interface TrainingExample {
  readonly inputIds: readonly number[];
  readonly answerLength: number;
  readonly images: readonly ProcessedImage[];
  readonly task: string;
}

/** The messages a sample's prompt makes: pictures first, then the words. */
export function promptMessages(sample: Pick<TrainingSample, 'images' | 'prompt'>): Message[] {
  const pictures = sample.images.map((image) => ({ type: 'image', image }) as const);
  return [{ role: 'user', content: [...pictures, { type: 'text', text: sample.prompt }] }];
}

/** Prompt tokens, then the answer's, then `<|im_end|>`, which is learned too. */
export function encodeSample(
  processor: Processor,
  sample: TrainingSample,
  maxLength: number,
): TrainingExample {
  const prompt = processor.encodeChat(promptMessages(sample));
  const end = processor.tokenizer.id('<|im_end|>');
  if (end === undefined)
    throw new UserError('The tokenizer has no <|im_end|> token: train with a Qwen2.5-VL tokenizer.');
  const answer = [...processor.tokenizer.encode(sample.answer, { special: false }), end];
  const inputIds = [...prompt.inputIds, ...answer];
  if (inputIds.length > maxLength) {
    throw new UserError(
      `A ${sample.task} sample has ${inputIds.length} tokens, more than max_length ${maxLength}: raise max_length or shorten it.`,
    );
  }
  return { inputIds, answerLength: answer.length, images: prompt.images, task: sample.task };
}
