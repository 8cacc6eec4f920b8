import type { SftConfig } from './config.js';
import type { SampleSource } from './examples.js';
import { iconworldSource } from './iconworld-source.js';
import { jsonlSource, splitJsonlSource } from './jsonl-source.js';

/** The stream that a configuration's `data` names, without what its `evaluation` holds out. */
export async function openSource({
  data,
  evaluation,
  seed,
  steps,
  batch_size,
}: SftConfig): Promise<SampleSource> {
  if (data.source === 'iconworld')
    return iconworldSource({
      tasks: data.tasks,
      curriculum: data.curriculum,
      seed,
      total: steps * batch_size,
    });
  return evaluation === undefined
    ? jsonlSource(data.file, seed)
    : splitJsonlSource(data.file, seed, evaluation);
}
