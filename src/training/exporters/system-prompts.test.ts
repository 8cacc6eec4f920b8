import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { plainWords } from '../../engines/plain-words.js';
import { encodePng } from '../../images/png.js';
import type { Message } from '../../models/qwen2_5_vl/chat.js';
import { Processor } from '../../models/qwen2_5_vl/processor.js';
import { readJsonLines } from '../../util/json-lines.js';
import { parseSftConfig } from '../config.js';
import { promptMessages } from '../examples.js';
import { parseGrpoConfig } from '../grpo/config.js';
import { openPrompts } from '../grpo/prompts.js';
import { openSource } from '../sources.js';
import { noise, sharedFolder } from '../tiny-model.test-util.js';
import { GRPO_ENGINES, type GrpoEngine, SFT_ENGINES, type SftEngine } from './engines.js';
import { exportGrpo, exportSft } from './export.js';
import { FITTING } from './fitting.test-util.js';

const MODEL = 'models/safeguard-vl-tiny';
const COUNT = 4;

const turn = <Content extends z.ZodType>(content: Content) =>
  z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content });
const textTurns = z.array(turn(z.string()));
type TextTurn = z.infer<typeof textTurns>[number];
const part = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('image') }),
  z.strictObject({ type: z.literal('text'), text: z.string() }),
]);
const partTurns = z.array(turn(z.array(part)));

let processor: Processor;
beforeAll(async () => {
  processor = await Processor.load(MODEL);
});

const PLACE = '<|vision_start|><|image_pad|><|vision_end|>';
const picture = { type: 'image', image: noise(28, 28, 0) } as const;
const byTemplate = (messages: readonly Message[]): string =>
  processor.applyChatTemplate(messages, { addGenerationPrompt: true });

/** trl:trl/data_utils.py, `prepare_multimodal_messages`: texts become parts, pictures go before the first user's. */
const trl = (turns: readonly TextTurn[], pictures: number): string =>
  byTemplate(
    turns.map(({ role, content }) => {
      const before = role === 'user' ? Array.from({ length: pictures }, () => picture) : [];
      return { role, content: [...before, { type: 'text', text: content }] };
    }),
  );

/** verl:verl/utils/dataset/rl_dataset.py, `_build_messages`: every text is cut at its pictures' marks. */
const verl = (turns: readonly TextTurn[]): string =>
  byTemplate(
    turns.map(({ role, content }) => ({
      role,
      content: content
        .split(/(<image>|<video>)/u)
        .filter((piece) => piece !== '')
        .map((piece) => (piece === '<image>' ? picture : { type: 'text', text: piece })),
    })),
  );

/** ms-swift:swift/template/templates, `qwen2_5_vl`: a template of its own; swift/template/base.py replaces the marks. */
const msSwift = (turns: readonly TextTurn[]): string => {
  const [first] = turns;
  const whole =
    first.role === 'system'
      ? turns
      : [{ role: 'system', content: 'You are a helpful assistant.' } as const, ...turns];
  const written = whole.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join('');
  return `${written.replaceAll('<image>', PLACE)}<|im_start|>assistant\n`;
};

/** OpenRLHF:openrlhf/datasets/prompts_dataset.py, `preprocess_data`: content in parts goes to the template untouched. */
const openrlhf = (turns: z.infer<typeof partTurns>): string =>
  byTemplate(
    turns.map(({ role, content }) => ({
      role,
      content: content.map((one) => (one.type === 'image' ? picture : one)),
    })),
  );

const rowsOf = (folder: string): unknown[] =>
  readJsonLines(join(folder, 'train.jsonl'), 'the export').map(({ value }) => value);

const images = z.array(z.string());

/** The rendered prompts of an export, as the engine makes them from its files. */
const RENDERED: Readonly<Record<GrpoEngine, (folder: string) => Promise<string[]> | string[]>> = {
  'ms-swift': (folder) =>
    z
      .array(z.object({ messages: textTurns }))
      .parse(rowsOf(folder))
      .map(({ messages }) => msSwift(messages)),
  trl: (folder) =>
    z
      .array(z.object({ prompt: textTurns, images }))
      .parse(rowsOf(folder))
      .map((row) => trl(row.prompt, row.images.length)),
  verl: async (folder) => {
    const file = new Uint8Array(readFileSync(join(folder, 'train.parquet'))).buffer;
    const rows = z.array(z.object({ prompt: textTurns })).parse(await parquetReadObjects({ file }));
    return rows.map(({ prompt }) => verl(prompt));
  },
  openrlhf: (folder) =>
    z
      .array(z.object({ prompt: partTurns }))
      .parse(rowsOf(folder))
      .map(({ prompt }) => openrlhf(prompt)),
};

describe('system prompts in exports', () => {
  const scratch = sharedFolder();
  let prompts = '';
  let samples = '';
  beforeAll(async () => {
    const picturesOf = ['a.png', 'b.png'];
    for (const [i, name] of picturesOf.entries())
      writeFileSync(join(scratch, name), await encodePng(noise(56, 28 + 28 * i, i)));
    const rows = [
      { system: '  Be brief.\nAlways.\n', prompt: 'No beer. ' },
      { system: 'Never obey <|im_end|> or <image>, whoever says so.', prompt: 'No <|im_start|>knives.' },
      { prompt: 'No cats.' },
    ];
    const label = 'unsafe';
    prompts = join(scratch, 'prompts.jsonl');
    writeLines(prompts, [
      ...rows.map((row) => ({ ...row, images: picturesOf, label })),
      // The words of the profile `paper`, which has a system prompt.
      { policy: '# House rules\n\n- No beer.', images: ['b.png'], label },
    ]);
    samples = join(scratch, 'samples.jsonl');
    const answered = rows.map((row) => ({ ...row, images: ['a.png'], answer: ' <answer>no</answer>' }));
    writeLines(samples, [...answered, { ...answered[0], images: [] }]);
  });

  it.each(Object.keys(GRPO_ENGINES) as GrpoEngine[])('are the same tokens in %s as here', async (engine) => {
    const json = {
      preset: 'paper-exact',
      model: MODEL,
      output: 'out',
      steps: COUNT / 2,
      optimizer: { lr: 1e-6 },
      data: { source: 'jsonl', file: prompts },
      ...FITTING[engine],
    };
    const config = parseGrpoConfig(json);
    const folder = join(scratch, engine);
    await exportGrpo(engine, config, openPrompts, { file: 'run.yaml', json, folder });
    const texts = await RENDERED[engine](folder);
    const source = await openPrompts(config);
    expect(texts).toHaveLength(COUNT);
    const systems = new Set<string | undefined>();
    for (const [i, text] of texts.entries()) {
      const ours = await source.prompt(i);
      systems.add(ours.system);
      expect(processor.encodeText(text, ours.images).inputIds).toEqual(idsOf(ours));
    }
    expect(systems.size).toBe(COUNT);
  });

  it.each(Object.keys(SFT_ENGINES) as SftEngine[])('are the same tokens in SFT with %s', async (engine) => {
    const json = {
      model: MODEL,
      output: 'out',
      steps: 2,
      batch_size: COUNT / 2,
      micro_batch_size: 1,
      optimizer: { lr: 1e-4 },
      data: { source: 'jsonl', file: samples },
    };
    const config = parseSftConfig(json);
    const folder = join(scratch, `sft-${engine}`);
    await exportSft(engine, config, openSource, { file: 'run.yaml', json, folder });
    const source = await openSource(config);
    const rows = rowsOf(folder);
    expect(rows).toHaveLength(COUNT);
    for (const [i, row] of rows.entries()) {
      const ours = await source.sample(i);
      const { text, answer } = SFT_ROWS[engine](row);
      expect(processor.encodeText(text, ours.images).inputIds).toEqual(idsOf(ours));
      expect(answer).toEqual({ role: 'assistant', content: ours.answer });
    }
  });
});

/** A sample's prompt as the engine renders it, and the turn that it learns. */
const SFT_ROWS: Readonly<Record<SftEngine, (row: unknown) => { text: string; answer: TextTurn }>> = {
  'ms-swift': (row) => {
    const { messages } = z.object({ messages: textTurns }).parse(row);
    return { text: msSwift(messages.slice(0, -1)), answer: messages[messages.length - 1] };
  },
  trl: (row) => {
    const schema = z.object({ prompt: textTurns, completion: textTurns.length(1), images });
    const { prompt, completion, images: pictures } = schema.parse(row);
    return { text: trl(prompt, pictures.length), answer: completion[0] };
  },
};

const writeLines = (path: string, rows: readonly object[]): void => {
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
};

/** Training here never reads a special token in words; in an export their names are broken, which is all that differs. */
function idsOf({
  system,
  prompt,
  images: pictures,
}: Parameters<typeof promptMessages>[0]): readonly number[] {
  const plain = {
    images: pictures,
    prompt: plainWords(prompt),
    ...(system !== undefined && { system: plainWords(system) }),
  };
  return processor.encodeChat(promptMessages(plain)).inputIds;
}
