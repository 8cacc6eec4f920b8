import type { EncodedPrompt } from './processor.js';
import type { Grid } from './vision-layout.js';

export interface CollateOptions {
  readonly padId: number;
  /** Where shorter prompts are filled up. */
  readonly side: 'left' | 'right';
  /** Tokens that rows are filled up to; those of the longest prompt where it is left out. */
  readonly length?: number;
}

/** Prompts of different lengths as transformers' batch of tensors. */
export interface PromptBatch {
  readonly batch: number;
  readonly seq: number;
  /** [batch, seq] */
  readonly inputIds: BigInt64Array;
  /** [batch, seq]: 1 for tokens, 0 for padding. */
  readonly attentionMask: BigInt64Array;
  /** [patches of all images, values of a patch], images through the batch row by row. */
  readonly pixelValues: Float32Array;
  readonly grids: readonly Grid[];
  /** By image: of a video the seconds between its patches in time. */
  readonly secondsPerGrid: readonly (number | undefined)[];
}

/** Pads prompts to the longest of them. */
export function collate(
  prompts: readonly EncodedPrompt[],
  { padId, side, length = 0 }: CollateOptions,
): PromptBatch {
  const batch = prompts.length;
  const seq = prompts.reduce((longest, { inputIds }) => Math.max(longest, inputIds.length), length);
  const inputIds = new BigInt64Array(batch * seq).fill(BigInt(padId));
  const attentionMask = new BigInt64Array(batch * seq);
  prompts.forEach((prompt, row) => {
    const start = row * seq + (side === 'left' ? seq - prompt.inputIds.length : 0);
    inputIds.set(prompt.inputIds.map(BigInt), start);
    attentionMask.fill(1n, start, start + prompt.inputIds.length);
  });
  const images = prompts.flatMap((prompt) => prompt.images);
  const pixelValues = new Float32Array(images.reduce((sum, image) => sum + image.pixelValues.length, 0));
  let to = 0;
  for (const image of images) {
    pixelValues.set(image.pixelValues, to);
    to += image.pixelValues.length;
  }
  return {
    batch,
    seq,
    inputIds,
    attentionMask,
    pixelValues,
    grids: images.map(({ grid }) => grid),
    secondsPerGrid: images.map(({ secondsPerGrid }) => secondsPerGrid),
  };
}
