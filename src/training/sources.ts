import type { SftConfig } from './config.js';
import type { SampleSource } from './examples.js';
import { iconworldSource } from './iconworld-source.js';
import { jsonlSource } from './jsonl-source.js';

/** The stream that a configuration's `data` names. */
export function openSource({ data, seed, steps, batch_size }: SftConfig): Promise<SampleSource> {
  if (data.source === 'jsonl') return Promise.resolve(jsonlSource(data.file, seed));
  return iconworldSource({ ...data, seed, total: steps * batch_size });
}
