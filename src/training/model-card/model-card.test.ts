import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { scratchFolder } from '../../checkpoint/files.test-util.js';
import { readWeights } from '../weights.js';
import { Checkpoint } from '../../checkpoint/checkpoint.js';
import { parseConfig } from '../../models/qwen2_5_vl/config.js';
import { adapterStore, loraSettings, withLora } from '../lora.js';
import { completion, grpoLine, sftLine, writeRun } from '../runs/synthetic-run.test-util.js';
import { sharedFolder, writeTinyModel } from '../tiny-model.test-util.js';
import { publicationOf } from './publication.js';

const scratch = sharedFolder();
let model = '';
beforeAll(async () => {
  model = await writeTinyModel(scratch);
});

const COMMIT = 'a'.repeat(40);
const held = (macro: number) => ({ reward: 1.5, macro_f1: macro, confusion: grpoLine(1).confusion });

/** A copy of the tiny model as `name` in a run that was begun from `from`. */
async function trained(
  from: string,
  { name = 'checkpoint-4', method = 'grpo' }: { name?: string; method?: 'grpo' | 'sft' } = {},
): Promise<string> {
  const run = await writeRun(join(scratchFolder(), 'run'), {
    metrics:
      method === 'sft'
        ? [sftLine(1)]
        : [1, 2, 3, 4].map((step) => grpoLine(step, { held_out: step % 2 === 0 ? held(step / 5) : null })),
    heldOut: [completion(0, 0), completion(0, 1, { label: 'safe', read: 'unsafe' })],
    description: {
      method,
      config: {
        model: from,
        output: '/home/me/private/out',
        steps: 4,
        profile: '/home/me/private/mine.json',
        rewards: { label: 1 },
        data: { source: 'jsonl', file: '/home/me/private/data.jsonl' },
      },
    },
  });
  const folder = join(run, name);
  mkdirSync(folder);
  for (const file of ['config.json', 'tokenizer.json', 'model.safetensors', 'tokenizer_config.json'])
    writeFileSync(join(folder, file), readFileSync(join(model, file)));
  return folder;
}

/** The metadata and the text of a card. */
function parts(card: string): { meta: Record<string, unknown>; text: string } {
  const [, front, text] = /^---\n(.*?)\n---\n(.*)$/s.exec(card) ?? [];
  return { meta: parse(front) as Record<string, unknown>, text };
}

describe('a model card', () => {
  it('says what the weights are, where they come from and what was measured', async () => {
    const snapshot = `/home/me/.cache/huggingface/hub/models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/${COMMIT}`;
    const { card, files, cardFrom } = await publicationOf(await trained(snapshot), 'me/guard');
    const { meta, text } = parts(card);
    expect(cardFrom).toBe('generated');
    expect(files[0]).toEqual({ path: 'README.md', size: Buffer.byteLength(card), source: { text: card } });
    expect(meta).toEqual({
      license: 'apache-2.0',
      base_model: 'Qwen/Qwen2.5-VL-7B-Instruct',
      base_model_relation: 'finetune',
      library_name: 'transformers',
      pipeline_tag: 'image-text-to-text',
      tags: ['safeguard-vl', 'guardrail', 'content-moderation', 'image-safety', 'grpo', 'arxiv:2603.01228'],
    });
    for (const part of [
      '# guard\n',
      `trained from [Qwen/Qwen2.5-VL-7B-Instruct](https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct) at commit \`${COMMIT}\``,
      '--policy policy.md --model me/guard\n',
      'GRPO with verifiable rewards',
      'after step 4 of 4.',
      '| `rewards.label` | `1` |',
      'A data set of the trainer’s own',
      '| measure | start model | step 4 |',
      '| macro-F1 | 0.333 | 0.800 |',
      'Greedy answers to 200 held-out prompts',
      'Never the sole arbiter',
      'Pictures and policies unlike those of its training',
      'note      = {arXiv:2603.01228}',
    ])
      expect(text).toContain(part);
    // Nothing of this machine.
    expect(card).not.toMatch(/\/home|private|\.cache/);
    expect(text).toContain('| `profile` | `mine.json` |');
  });

  it('goes back over several runs', async () => {
    const first = await trained('models/safeguard-vl-tiny', { method: 'sft' });
    const { card } = await publicationOf(await trained(first), 'me/guard');
    expect(card).toMatch(/\*\*Stage 1\.\*\* Supervised fine-tuning.*\*\*Stage 2\.\*\* GRPO/s);
    expect(card).toContain('trained from safeguard-vl-tiny.');
    expect(card).toContain('It knows drawn scenes of icons only');
    expect(parts(card).meta).not.toHaveProperty('base_model');
    expect(parts(card).meta.tags).toEqual(expect.arrayContaining(['sft', 'grpo']));
  });

  it('says plainly what is not known, and takes a measurement of one’s own', async () => {
    const table = join(scratchFolder(), 'table.md');
    writeFileSync(table, '| L1 | 0.9 |\n');
    const bare = await publicationOf(model, 'me/guard', { license: 'mit' });
    expect(bare.card).toContain('How these weights were trained is not recorded');
    expect(bare.card).toContain('Not measured. Measure it');
    expect(parts(bare.card).meta.license).toBe('mit');
    const measured = await publicationOf(model, 'me/guard', { license: 'mit', evaluation: table });
    expect(measured.card).toContain('| L1 | 0.9 |');
    expect(measured.card).not.toContain('Not measured');
    const other = await publicationOf(model, 'me/guard', { baseModel: 'Qwen/Qwen2.5-VL-3B-Instruct' });
    expect(parts(other.card).meta).toMatchObject({ license: 'other', license_name: 'qwen-research' });
  });

  it('of the folder’s own is sent as it is', async () => {
    const folder = await trained('models/safeguard-vl-tiny');
    writeFileSync(join(folder, 'README.md'), '# Mine\n');
    const { card, cardFrom, files } = await publicationOf(folder, 'me/guard');
    expect({ card, cardFrom }).toEqual({ card: '# Mine\n', cardFrom: 'kept' });
    expect(files.filter(({ path }) => path === 'README.md')).toHaveLength(1);
  });

  it('of an adapter names a base that others can find, in the files too', async () => {
    const checkpoint = await Checkpoint.open(model);
    const weights = readWeights(checkpoint, parseConfig(checkpoint.config));
    checkpoint.close();
    const lora = { r: 2, alpha: 4, dropout: 0, rslora: false, target_modules: ['q_proj'] };
    const adapter = join(scratchFolder(), 'adapter');
    await adapterStore(withLora(weights, loraSettings(lora, weights), 1), lora, model).write(adapter);
    await expect(publicationOf(adapter, 'me/guard', { license: 'mit' })).rejects.toThrow(
      /The adapter's base model model is a folder of this machine, .* give --base-model with its name on the hub\.$/,
    );
    const { card, files, kind } = await publicationOf(adapter, 'me/guard', {
      license: 'mit',
      baseModel: 'org/base',
    });
    expect(kind).toBe('adapter');
    const { meta, text } = parts(card);
    expect(meta).toMatchObject({
      base_model: 'org/base',
      base_model_relation: 'adapter',
      library_name: 'peft',
    });
    expect(text).toMatch(/This is a LoRA adapter of 128 parameters for \[org\/base\]/);
    expect(text).toContain('--model org/base --adapter me/guard');
    const config = files.find(({ path }) => path === 'adapter_config.json');
    const json = config && 'text' in config.source ? config.source.text : '';
    expect(JSON.parse(json)).toMatchObject({ base_model_name_or_path: 'org/base', r: 2, peft_type: 'LORA' });
    expect(config?.size).toBe(Buffer.byteLength(json));
    expect(JSON.stringify(files.map(({ source }) => ('text' in source ? source.text : '')))).not.toContain(
      model,
    );
  });

  it.each<[object, RegExp]>([
    [
      {},
      /^The licence of model is not known here: give --license with what it allows, such as apache-2\.0\.$/,
    ],
    [{ license: 'My Licence' }, /"My Licence" is no licence of the hub/],
    [{ license: 'mit', baseModel: 'base' }, /--base-model: "base" is no name on the hub: give org\/name/],
    [
      { license: 'mit', evaluation: '/nowhere/table.md' },
      /Cannot read the evaluation \/nowhere\/table\.md: /,
    ],
  ])('is refused with %j', async (options, expected) => {
    await expect(publicationOf(model, 'me/guard', options)).rejects.toThrow(expected);
  });
});
