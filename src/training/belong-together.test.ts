import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LoadedModel } from '../generation/model.js';
import { openPrompts } from './grpo/prompts.js';
import { parseGrpoConfig } from './grpo/config.js';
import { trainGrpo } from './grpo/grpo.js';
import { exportGrpo, exportSft } from './exporters/export.js';
import { trainSft } from './sft.js';
import { openSource } from './sources.js';
import { sharedFolder, tinyConfig, tinyPrompts, tinySource, writeTinyModel } from './tiny-model.test-util.js';

const scratch = sharedFolder();
let model = '';
beforeAll(async () => {
  model = await writeTinyModel(scratch);
});

const grpoJson = (): Record<string, unknown> => ({
  preset: 'paper-exact',
  model,
  output: join(scratch, 'grpo'),
  steps: 1,
  optimizer: { lr: 1e-6 },
  data: { source: 'iconworld' },
});
const sftJson = (): Record<string, unknown> => ({
  model,
  output: join(scratch, 'sft'),
  steps: 1,
  batch_size: 2,
  micro_batch_size: 2,
  vision: 'frozen',
  optimizer: { lr: 1e-6 },
  data: { source: 'iconworld', tasks: { caption: 1 } },
});
const exported = (json: unknown, name: string) => ({ file: 'run.yaml', json, folder: join(scratch, name) });

/** Everything that takes a checkpoint folder and computes with it, or hands it on. */
const USERS: Readonly<Record<string, () => Promise<unknown>>> = {
  judge: () => LoadedModel.load(model),
  'train sft': () => trainSft(tinyConfig(model, join(scratch, 'run')), tinySource(), { quiet: true }),
  'train grpo': () => trainGrpo(parseGrpoConfig(grpoJson()), tinyPrompts, { quiet: true }),
  'export of GRPO': () =>
    exportGrpo('ms-swift', parseGrpoConfig(grpoJson()), openPrompts, exported(grpoJson(), 'to-grpo')),
  'export of SFT': () =>
    exportSft('ms-swift', tinyConfig(model, 'run', sftJson()), openSource, exported(sftJson(), 'to-sft')),
};

const edit = (file: string, change: (json: Record<string, unknown>) => unknown): void => {
  const path = join(model, file);
  writeFileSync(
    path,
    JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>)),
  );
};

describe.each(Object.entries(USERS))('a folder of two models is refused by %s', (_, use) => {
  it.each<[string, string, Record<string, unknown>, RegExp]>([
    [
      'patches',
      'preprocessor_config.json',
      { patch_size: 16 },
      /the patch size is 16 in the processor's files and 14 in config\.json: take tokenizer and preprocessor files of/,
    ],
    ['merges', 'preprocessor_config.json', { merge_size: 4 }, /the merge size is 4 .* and 2 in config\.json/],
    [
      'the picture token',
      'config.json',
      { image_token_id: 7 },
      /the id of <\|image_pad\|> is \d+ in the processor's files and 7 in config\.json/,
    ],
    [
      'the token before pictures',
      'config.json',
      { vision_start_token_id: 7 },
      /the id of <\|vision_start\|> is \d+ in the processor's files and 7 in config\.json/,
    ],
  ])('for %s', async (__, file, change, message) => {
    const before = readFileSync(join(model, file));
    try {
      edit(file, (json) => ({ ...json, ...change }));
      await expect(use()).rejects.toThrow(message);
      await expect(use()).rejects.toMatchObject({ code: 'invalid_checkpoint' });
    } finally {
      writeFileSync(join(model, file), before);
    }
  });
});
