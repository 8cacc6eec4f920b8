/** @module Prompts of the benchmark: IconWorld scenes under policies, as a batch that both sides read. */
import type { TensorEntry } from '../../src/checkpoint/safetensors.js';
import { SafetensorsFile, writeSafetensors } from '../../src/checkpoint/safetensors.js';
import { loadIcons } from '../../src/iconworld/raster.js';
import { judgementSample } from '../../src/iconworld/samples.js';
import { collate } from '../../src/models/qwen2_5_vl/collate.js';
import type { EncodedPrompt, Processor } from '../../src/models/qwen2_5_vl/processor.js';
import { promptMessages } from '../../src/training/examples.js';
import { Random } from '../../src/util/random.js';

/** `count` prompts of one image each; their lengths differ as policies do. */
export async function judgementPrompts(processor: Processor, count: number): Promise<EncodedPrompt[]> {
  await loadIcons();
  const stream = judgementSample({ split: 'test' });
  const random = new Random('benchmark/generation');
  return Array.from({ length: count }, () => {
    const { image, prompt } = stream.next(random);
    return processor.encodeChat(promptMessages({ images: image === null ? [] : [image], prompt }));
  });
}

export async function writePrompts(
  path: string,
  prompts: readonly EncodedPrompt[],
  padId: number,
): Promise<void> {
  const { batch, seq, inputIds, attentionMask, pixelValues, grids } = collate(prompts, {
    padId,
    side: 'left',
  });
  const patches = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
  const entries: TensorEntry[] = [
    { name: 'input_ids', dtype: 'I64', shape: [batch, seq], data: inputIds },
    { name: 'attention_mask', dtype: 'I64', shape: [batch, seq], data: attentionMask },
    {
      name: 'pixel_values',
      dtype: 'F32',
      shape: [patches, pixelValues.length / patches],
      data: pixelValues,
    },
    {
      name: 'image_grid_thw',
      dtype: 'I64',
      shape: [grids.length, 3],
      data: BigInt64Array.from(grids.flat(), BigInt),
    },
  ];
  await writeSafetensors(path, entries);
}

/** The same prompts again, without their padding. */
export function readPrompts(path: string): EncodedPrompt[] {
  const file = SafetensorsFile.open(path);
  const numbers = (name: string): number[] => Array.from(file.read(name), Number);
  const [ids, mask, grids] = [numbers('input_ids'), numbers('attention_mask'), numbers('image_grid_thw')];
  const values = file.readFloat32('pixel_values');
  const [rows, seq] = file.tensors.get('input_ids')?.shape ?? [0, 0];
  const width = file.tensors.get('pixel_values')?.shape[1] ?? 0;
  file.close();
  let from = 0;
  return Array.from({ length: rows }, (_, row) => {
    const grid = [grids[3 * row], grids[3 * row + 1], grids[3 * row + 2]] as const;
    const end = from + grid[0] * grid[1] * grid[2] * width;
    const image = { pixelValues: values.subarray(from, end), grid };
    from = end;
    const present = (_id: number, column: number): boolean => mask[row * seq + column] === 1;
    return { inputIds: ids.slice(row * seq, (row + 1) * seq).filter(present), images: [image] };
  });
}
