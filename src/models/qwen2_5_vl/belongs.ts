/** @module Whether tokenizer, image processor and config of a checkpoint are of one model: a mixed-up folder answers nonsense. */
import { UserError } from '../../util/errors.js';
import type { Qwen2_5_VLConfig } from './config.js';
import type { Processor } from './processor.js';

/**
 * Checks what the processor's files and config.json must agree on, before anything is computed with them.
 * `folder` is named in the message.
 * @throws UserError (`invalid_checkpoint`) that names the first thing they differ in.
 */
export function checkBelongTogether(processor: Processor, config: Qwen2_5_VLConfig, folder: string): void {
  const { tokenizer } = processor;
  const { patchSize, temporalPatchSize, mergeSize } = processor.imageProcessor.config;
  const { vision } = config;
  const pairs: readonly (readonly [
    what: string,
    processor: number | undefined,
    config: number | undefined,
  ])[] = [
    ['the id of <|image_pad|>', tokenizer.id('<|image_pad|>'), config.imageTokenId],
    ['the id of <|vision_start|>', tokenizer.id('<|vision_start|>'), config.visionStartTokenId],
    ['the patch size', patchSize, vision.patchSize],
    ['the temporal patch size', temporalPatchSize, vision.temporalPatchSize],
    ['the merge size', mergeSize, vision.spatialMergeSize],
  ];
  for (const [what, own, expected] of pairs) {
    // What config.json does not name cannot disagree.
    if (expected === undefined || own === expected) continue;
    throw mixedUp(
      folder,
      `${what} is ${own ?? 'missing'} in the processor's files and ${expected} in config.json`,
    );
  }
  const { vocabSize } = config.text;
  const last = tokenizer.vocabSize - 1;
  // Any text may hold the word of a token, and an id without a row would be looked up outside of the embedding.
  if (last < vocabSize) return;
  const [token, id] = [...tokenizer.specialTokens].find(([, special]) => special >= vocabSize) ?? [
    tokenizer.decode([last]),
    last,
  ];
  throw mixedUp(
    folder,
    `the tokenizer's ${token} has the id ${id}, and the model has embeddings for ${vocabSize} ids only`,
  );
}

const mixedUp = (folder: string, what: string): UserError =>
  new UserError(`${folder}: ${what}: take tokenizer and preprocessor files of the same model.`, {
    code: 'invalid_checkpoint',
  });
