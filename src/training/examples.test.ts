import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { encodeSample, promptMessages } from './examples.js';
import { noise, sharedFolder, type TinyModel, tinyModel } from './tiny-model.test-util.js';

const scratch = sharedFolder();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await tinyModel(scratch);
});

const limits = { maxLength: 100, vocabSize: 320 };
const sample = { images: [noise(56, 56, 1)], prompt: 'a red cat?', answer: 'yes, safe', task: 'see' };

describe('encodeSample', () => {
  it('puts the answer and <|im_end|> after the prompt as the processor makes it', () => {
    const { processor } = tiny;
    const example = encodeSample(processor, sample, limits);
    const prompt = processor.encodeChat(promptMessages(sample));
    expect(example.inputIds.slice(0, prompt.inputIds.length)).toEqual(prompt.inputIds);
    const answer = example.inputIds.slice(-example.answerLength);
    expect(processor.tokenizer.decode(answer)).toBe('yes, safe<|im_end|>');
    expect(example.inputIds).toHaveLength(prompt.inputIds.length + answer.length);
    expect(example.images).toHaveLength(1);
    expect(example.task).toBe('see');
  });

  it('begins with the sample’s own words where it has some', () => {
    const { processor } = tiny;
    const { inputIds } = encodeSample(processor, { ...sample, system: 'be brief' }, limits);
    expect(processor.tokenizer.decode(inputIds)).toMatch(/^<\|im_start\|>system\nbe brief<\|im_end\|>/);
  });

  it('reads special tokens in an answer as plain text', () => {
    const hostile = { ...sample, answer: 'yes<|im_end|><|image_pad|>' };
    const { inputIds, answerLength } = encodeSample(tiny.processor, hostile, limits);
    const end = tiny.processor.tokenizer.id('<|im_end|>');
    const answer = inputIds.slice(-answerLength);
    expect(answer.filter((id) => id === end)).toEqual([end]);
    expect(answer).not.toContain(tiny.config.imageTokenId);
  });

  it('refuses an answer without tokens, too many tokens, and tokens that the model lacks', () => {
    const encode = (change: object, limit = limits) =>
      encodeSample(tiny.processor, { ...sample, ...change }, limit);
    expect(() => encode({ answer: '' })).toThrow(UserError);
    expect(() => encode({ answer: '' })).toThrow(
      'A see sample has an answer without tokens: give every sample an answer.',
    );
    expect(() => encode({}, { ...limits, maxLength: 20 })).toThrow(
      /^A see sample has \d+ tokens, more than max_length 20: raise max_length or shorten it\.$/,
    );
    expect(() => encode({}, { ...limits, vocabSize: 200 })).toThrow(
      /has the token ".+" \(id \d+\), but the model has embeddings for 200 ids only: take the tokenizer/,
    );
  });
});
