/** @module checkpoints/X/{processor.json, tokenize.jsonl, template.json}: prompts, tokens and rendered chats, exactly. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { decodeImage } from '../../src/images/decode.js';
import { ChatTemplate } from '../../src/models/qwen2_5_vl/chat-template.js';
import { collate } from '../../src/models/qwen2_5_vl/collate.js';
import { Processor } from '../../src/models/qwen2_5_vl/processor.js';
import { Tokenizer } from '../../src/models/qwen2_5_vl/tokenizer.js';
import { compareExact, guarded, line } from './compare.js';
import { type CheckpointFolder, checkpointFolders } from './folders.js';
import type { GoldenCheck, GoldenLine } from './types.js';

const ids = z.array(z.int());
const processorCases = z.array(
  z.object({
    images: z.array(z.string()),
    text: z.string(),
    input_ids: z.array(ids),
    attention_mask: z.array(ids),
    image_grid_thw: z.array(ids).optional(),
    pixel_values_mean: z.number().optional(),
  }),
);
const tokenizeCase = z.object({
  text: z.string(),
  ids,
  ids_specials_as_text: ids,
  decoded: z.string(),
  decoded_skip_special: z.string(),
});
const templateCases = z.array(
  z.object({
    messages: z.array(
      z.object({
        role: z.string(),
        content: z.union([z.string(), z.array(z.record(z.string(), z.unknown()))]),
      }),
    ),
    add_generation_prompt: z.boolean(),
    add_vision_id: z.boolean(),
    text: z.string(),
  }),
);

/** Mean |difference| of two means in units of normalized values: half a level of 8 bits, as for decoded images. */
const MEAN_TOLERANCE = 0.5 / 255 / 0.26;

async function* checkProcessor(
  dir: string,
  { path: below, folder }: CheckpointFolder,
): AsyncGenerator<GoldenLine> {
  const path = `${below}/processor.json`;
  const processor = await Processor.load(folder);
  const cases = processorCases.parse(JSON.parse(readFileSync(join(folder, 'processor.json'), 'utf8')));
  for (const [i, golden] of cases.entries()) {
    // Names may stand with a folder; all files lie in images/.
    const files = golden.images.map((name) => join(dir, 'images', basename(name)));
    const images = await Promise.all(files.map((file) => decodeImage(file)));
    const made = collate([processor.encodeText(golden.text, images)], {
      padId: processor.padId,
      side: 'left',
    });
    yield compareExact(
      { path, part: `${i}.input_ids` },
      Array.from(made.inputIds, Number),
      golden.input_ids.flat(),
    );
    yield compareExact(
      { path, part: `${i}.attention_mask` },
      Array.from(made.attentionMask, Number),
      golden.attention_mask.flat(),
    );
    yield compareExact(
      { path, part: `${i}.image_grid_thw` },
      made.grids.flat(),
      (golden.image_grid_thw ?? []).flat(),
    );
    if (golden.pixel_values_mean !== undefined) {
      const mean = made.pixelValues.reduce((sum, value) => sum + value, 0) / made.pixelValues.length;
      const error = Math.abs(mean - golden.pixel_values_mean);
      yield line({ path, part: `${i}.pixel_values_mean` }, error, MEAN_TOLERANCE);
    }
  }
}

async function* checkTokenize({ path: below, folder }: CheckpointFolder): AsyncGenerator<GoldenLine> {
  const path = `${below}/tokenize.jsonl`;
  const tokenizer = await Tokenizer.load(folder);
  const cases = readFileSync(join(folder, 'tokenize.jsonl'), 'utf8')
    .split('\n')
    .filter((row) => row.trim() !== '')
    .map((row) => tokenizeCase.parse(JSON.parse(row)));
  const made = cases.map(({ text, ids: golden }) => ({
    ids: tokenizer.encode(text).join(),
    plain: tokenizer.encode(text, { special: false }).join(),
    decoded: tokenizer.decode(golden),
    skipped: tokenizer.decode(golden, { skipSpecialTokens: true }),
  }));
  const column = <T, K extends keyof T>(rows: readonly T[], key: K): T[K][] => rows.map((row) => row[key]);
  const joined = (key: 'ids' | 'ids_specials_as_text'): string[] => cases.map((row) => row[key].join());
  yield compareExact({ path, part: 'ids' }, column(made, 'ids'), joined('ids'));
  yield compareExact(
    { path, part: 'ids_specials_as_text' },
    column(made, 'plain'),
    joined('ids_specials_as_text'),
  );
  yield compareExact({ path, part: 'decoded' }, column(made, 'decoded'), column(cases, 'decoded'));
  const skipped = column(cases, 'decoded_skip_special');
  yield compareExact({ path, part: 'decoded_skip_special' }, column(made, 'skipped'), skipped);
}

function* checkTemplate({ path: below, folder }: CheckpointFolder): Generator<GoldenLine> {
  const path = `${below}/template.json`;
  const template = ChatTemplate.load(folder);
  const cases = templateCases.parse(JSON.parse(readFileSync(join(folder, 'template.json'), 'utf8')));
  const made = cases.map(({ messages, add_generation_prompt, add_vision_id }) =>
    template.render(messages, { addGenerationPrompt: add_generation_prompt, addVisionId: add_vision_id }),
  );
  yield compareExact(
    { path },
    made,
    cases.map(({ text }) => text),
  );
}

/** The processor against transformers', in every checkpoint folder that holds its goldens. */
export const check: GoldenCheck = {
  name: 'processor',
  async *run(dir) {
    for (const checkpoint of checkpointFolders(dir)) {
      const parts = [
        ['processor.json', () => checkProcessor(dir, checkpoint)],
        ['tokenize.jsonl', () => checkTokenize(checkpoint)],
        ['template.json', () => checkTemplate(checkpoint)],
      ] as const;
      for (const [file, run] of parts) {
        if (existsSync(join(checkpoint.folder, file)))
          yield* guarded({ path: `${checkpoint.path}/${file}` }, run);
      }
    }
  },
};
