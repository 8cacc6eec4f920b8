import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { Checkpoint, type CheckpointContents, writeCheckpoint } from './checkpoint.js';
import { FULL_DEVICE, fullDiskFor, scratchFolder, smallDisk } from './files.test-util.js';
import { type TensorEntry, writeSafetensors } from './safetensors.js';

const GOLDENS = new URL('../../test/goldens/checkpoints/', import.meta.url).pathname;

const tensor = (name: string, value = 1): TensorEntry => ({
  name,
  dtype: 'F32',
  shape: [2],
  data: new Float32Array(2).fill(value),
});

/** A folder of the given shards, with an index if there are several or `index` is given. */
async function folderOf(shards: Record<string, TensorEntry[]>, index?: object): Promise<string> {
  const folder = scratchFolder();
  writeFileSync(join(folder, 'config.json'), '{"model_type": "x"}');
  for (const [name, entries] of Object.entries(shards)) await writeSafetensors(join(folder, name), entries);
  if (index)
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: index }));
  return folder;
}

describe('opening', () => {
  it('maps every layout to the flat names', async () => {
    const layouts = [
      ['visual.blocks.0.norm1.weight', 'model.layers.0.mlp.up_proj.weight', 'lm_head.weight'],
      [
        'model.visual.blocks.0.norm1.weight',
        'model.language_model.layers.0.mlp.up_proj.weight',
        'lm_head.weight',
      ],
      [
        'visual.blocks.0.norm1.weight',
        'language_model.model.layers.0.mlp.up_proj.weight',
        'language_model.lm_head.weight',
      ],
      ['visual.blocks.0.norm1.weight', 'language_model.layers.0.mlp.up_proj.weight', 'lm_head.weight'],
    ];
    for (const names of layouts) {
      const folder = await folderOf({ 'model.safetensors': names.map((name, i) => tensor(name, i)) });
      const checkpoint = await Checkpoint.open(folder);
      expect([...checkpoint.tensors.keys()].sort()).toEqual([...layouts[0]].sort());
      for (const [i, name] of layouts[0].entries()) {
        expect(checkpoint.readFloat32(name)).toEqual(Float32Array.of(i, i));
        expect(checkpoint.tensors.get(name)).toEqual({ name, dtype: 'F32', shape: [2] });
      }
      expect(checkpoint.readFloat32Rows('lm_head.weight', 1, 2)).toEqual(Float32Array.of(2));
      checkpoint.close();
    }
  });

  it('reads shards and other JSON files', async () => {
    const folder = await folderOf(
      { 'a.safetensors': [tensor('model.a', 1)], 'b.safetensors': [tensor('model.b', 2)] },
      { 'model.a': 'a.safetensors', 'model.b': 'b.safetensors' },
    );
    writeFileSync(join(folder, 'list.json'), '[1]');
    writeFileSync(join(folder, 'broken.json'), '{');
    const checkpoint = await Checkpoint.open(folder);
    expect(checkpoint.readFloat32('model.b')).toEqual(Float32Array.of(2, 2));
    expect(checkpoint.readJson('config.json')).toEqual({ model_type: 'x' });
    expect(checkpoint.readJson('none.json', { optional: true })).toBeUndefined();
    expect(() => checkpoint.readJson('none.json')).toThrow(/none.json cannot be read.*check the path/);
    expect(() => checkpoint.readJson('list.json')).toThrow(/must hold a JSON object/);
    expect(() => checkpoint.readJson('broken.json')).toThrow(/broken.json is not JSON/);
    expect(() => checkpoint.readFloat32('model.c')).toThrow(/has no weight "model.c"/);
    checkpoint.close();
  });

  it.each(['F32', 'F16', 'BF16'] as const)(
    'names the weight that holds NaN or infinity in %s',
    async (dtype) => {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const data = new Float32Array(9).fill(1);
        data[7] = value;
        const entry = { name: 'model.bad', dtype, shape: [3, 3], data };
        const checkpoint = await Checkpoint.open(
          await folderOf({ 'model.safetensors': [tensor('model.good'), entry] }),
        );
        expect(checkpoint.readFloat32('model.good')).toHaveLength(2);
        expect(checkpoint.readFloat32Rows('model.bad', 0, 2)).toHaveLength(6);
        for (const read of [
          () => checkpoint.readFloat32('model.bad'),
          () => checkpoint.readFloat32Rows('model.bad', 2, 3),
        ]) {
          expect(read).toThrow(UserError);
          expect(read).toThrow(`tensor "model.bad" holds ${value}, with which nothing can be computed`);
        }
        checkpoint.close();
      }
    },
  );

  const refusals: readonly [what: string, make: () => Promise<string>, message: RegExp][] = [
    ['no folder', async () => join(scratchFolder(), 'none'), /does not exist: give a checkpoint folder/],
    ['a file', async () => join(await folderOf({}), 'config.json'), /is not a folder/],
    ['an empty folder', async () => scratchFolder(), /has no config.json/],
    [
      'an adapter',
      async () => {
        const folder = scratchFolder();
        writeFileSync(join(folder, 'adapter_config.json'), '{}');
        return folder;
      },
      /PEFT adapter.*give its base model/,
    ],
    ['no weights', () => folderOf({}), /neither model.safetensors nor model.safetensors.index.json/],
    [
      'pickled weights',
      async () => {
        const folder = await folderOf({});
        writeFileSync(join(folder, 'pytorch_model.bin'), '');
        return folder;
      },
      /pytorch_model.bin, which is not read: convert them to safetensors/,
    ],
    [
      'a missing shard',
      () => folderOf({}, { a: 'model-00002-of-00003.safetensors' }),
      /lacks the shard model-00002-of-00003.safetensors/,
    ],
    [
      'a shard without the tensor',
      () => folderOf({ 'a.safetensors': [tensor('a')] }, { b: 'a.safetensors' }),
      /places "b" in a.safetensors, which has no such tensor/,
    ],
    [
      'a shard outside of the folder',
      () => folderOf({}, { a: '../a.safetensors' }),
      /places "a" in "..\/a.safetensors"/,
    ],
    ['a shard that is a number', () => folderOf({}, { a: 1 }), /places "a" in 1/],
    ['an index without a map', () => folderOf({}, [1]), /has no "weight_map"/],
    [
      'one weight under two names',
      () => folderOf({ 'model.safetensors': [tensor('visual.a'), tensor('model.visual.a')] }),
      /one weight under two names, "model.visual.a" and "visual.a"|"visual.a" and "model.visual.a"/,
    ],
  ];
  it.each(refusals)('refuses %s', async (_, make, message) => {
    const opening = Checkpoint.open(await make());
    await expect(opening).rejects.toThrow(UserError);
    await expect(opening).rejects.toThrow(message);
  });

  it('refuses an ungathered ZeRO-3 save and says what to do', async () => {
    const opening = Checkpoint.open(join(GOLDENS, 'tied-zero3'));
    await expect(opening).rejects.toThrow(UserError);
    await expect(opening).rejects.toThrow(
      /52 of 104 tensors are empty \(model.embed_tokens.weight, .* \(49 more\)\).*ungathered DeepSpeed ZeRO-3.*upload.*zero_to_fp32.py.*another guardrail or the base model/,
    );
  });
});

describe('writing', () => {
  const contents = (value: number, more: Partial<CheckpointContents> = {}): CheckpointContents => ({
    config: { model_type: 'x', torch_dtype: 'float32', tie_word_embeddings: true },
    dtype: 'F32',
    tensors: ['model.b', 'model.a', 'lm_head.weight'].map((name) => ({
      name,
      shape: [2],
      data: new Float32Array(2).fill(value),
    })),
    ...more,
  });
  const valueOf = async (folder: string): Promise<number> => {
    const checkpoint = await Checkpoint.open(folder);
    const [value] = checkpoint.readFloat32('model.a');
    checkpoint.close();
    return value;
  };

  it('leaves a tied head out, names the stored type and copies the companions', async () => {
    const from = scratchFolder();
    for (const name of ['tokenizer.json', 'chat_template.jinja', 'diary.txt'])
      writeFileSync(join(from, name), name);
    const folder = join(scratchFolder(), 'deep', 'out');
    const config = {
      model_type: 'x',
      dtype: 'float32',
      text_config: { dtype: 'float32', tie_word_embeddings: true },
    };
    await writeCheckpoint(
      folder,
      contents(1, { from, config, dtype: 'BF16', extraFiles: { 'README.md': 'hello' } }),
    );
    expect(readdirSync(folder).sort()).toEqual([
      'README.md',
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    const checkpoint = await Checkpoint.open(folder);
    expect(checkpoint.config).toMatchObject({ dtype: 'bfloat16', text_config: { dtype: 'bfloat16' } });
    expect([...checkpoint.tensors.values()].map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
      'model.a BF16',
      'model.b BF16',
    ]);
    expect(readdirSync(join(folder, '..'))).toEqual(['out']);
    checkpoint.close();
  });

  it.each([
    ['{"profile": "iconworld", "vocabulary": "words.json"}', '{\n  "profile": "iconworld"\n}\n'],
    ['{"profile":"paper"}', '{"profile":"paper"}'],
    ['{', '{'],
  ])('leaves the words of the old weights out of %s', async (text, written) => {
    const from = scratchFolder();
    writeFileSync(join(from, 'guard.json'), text);
    writeFileSync(join(from, 'words.json'), '{}');
    const folder = join(scratchFolder(), 'out');
    await writeCheckpoint(folder, contents(1, { from }));
    expect(readFileSync(join(folder, 'guard.json'), 'utf8')).toBe(written);
    expect(readdirSync(folder)).not.toContain('words.json');
  });

  it('writes shards with an index, and one file in their place later', async () => {
    const folder = join(scratchFolder(), 'out');
    await writeCheckpoint(folder, contents(1, { config: { tie_word_embeddings: false }, maxShardBytes: 16 }));
    expect(readdirSync(folder).sort()).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ]);
    const index: unknown = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8'));
    expect(index).toEqual({
      metadata: { total_size: 24 },
      weight_map: {
        'model.b': 'model-00001-of-00002.safetensors',
        'model.a': 'model-00001-of-00002.safetensors',
        'lm_head.weight': 'model-00002-of-00002.safetensors',
      },
    });
    expect(await valueOf(folder)).toBe(1);
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    await writeCheckpoint(folder, contents(2));
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors', 'notes.txt']);
    expect(await valueOf(folder)).toBe(2);
  });

  it.skipIf(!existsSync(FULL_DEVICE)).each([/config/, /safetensors/, /tokenizer/])(
    'keeps the old folder when the device is full at %s',
    async (pattern) => {
      const parent = scratchFolder();
      const folder = join(parent, 'out');
      await writeCheckpoint(folder, contents(1));
      const full = { files: fullDiskFor(pattern), extraFiles: { 'tokenizer.json': '{}' } };
      const writing = writeCheckpoint(folder, contents(2, full));
      await expect(writing).rejects.toThrow(UserError);
      await expect(writing).rejects.toThrow(/the disk is full: free some space/);
      expect(readdirSync(parent)).toEqual(['out']);
      expect(await valueOf(folder)).toBe(1);
    },
  );

  it('keeps the old folder wherever the disk fills up', async () => {
    const parent = scratchFolder();
    const folder = join(parent, 'out');
    await writeCheckpoint(folder, contents(1));
    const total = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    for (let capacity = 0; capacity < total; capacity += 29) {
      const writing = writeCheckpoint(folder, contents(2, { files: smallDisk(capacity, 50) }));
      await expect(writing).rejects.toThrow(/the disk is full/);
      expect(readdirSync(parent)).toEqual(['out']);
      expect(await valueOf(folder)).toBe(1);
    }
  });

  it('a write that was killed before the swap leaves the old folder, and the next one clears up', async () => {
    const parent = scratchFolder();
    const folder = join(parent, 'out');
    await writeCheckpoint(folder, contents(1));
    mkdirSync(join(parent, '.out.partial'));
    writeFileSync(join(parent, '.out.partial', 'model.safetensors'), 'half');
    expect(await valueOf(folder)).toBe(1);
    await writeCheckpoint(folder, contents(2));
    expect(await valueOf(folder)).toBe(2);
    expect(readdirSync(parent)).toEqual(['out']);
  });

  it('a write that was killed between its renames leaves the old folder readable, and the next one clears up', async () => {
    const parent = scratchFolder();
    const folder = join(parent, 'out');
    await writeCheckpoint(folder, contents(1));
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    renameSync(folder, join(parent, '.out.replaced'));
    expect(await valueOf(folder)).toBe(1);
    await writeCheckpoint(folder, contents(2));
    expect(await valueOf(folder)).toBe(2);
    expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
    expect(readdirSync(parent)).toEqual(['out']);
  });

  it('a write that was killed after its renames leaves the new folder, and the next one clears up', async () => {
    const parent = scratchFolder();
    const folder = join(parent, 'out');
    await writeCheckpoint(join(parent, '.out.replaced'), contents(1));
    writeFileSync(join(parent, '.out.replaced', 'notes.txt'), 'mine');
    await writeCheckpoint(join(parent, 'new'), contents(2));
    renameSync(join(parent, 'new'), folder);
    expect(await valueOf(folder)).toBe(2);
    await writeCheckpoint(folder, contents(3));
    expect(await valueOf(folder)).toBe(3);
    expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
    expect(readdirSync(parent)).toEqual(['out']);
  });

  it('refuses to replace what is no checkpoint, to guess a config, and to overflow F16', async () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'thesis.txt'), 'mine');
    await expect(writeCheckpoint(folder, contents(1))).rejects.toThrow(
      /holds other files than a checkpoint's/,
    );
    rmSync(join(folder, 'thesis.txt'));
    await expect(writeCheckpoint(folder, contents(1, { config: undefined }))).rejects.toThrow(
      /without a config/,
    );
    await expect(writeCheckpoint(folder, contents(65520, { dtype: 'F16' }))).rejects.toThrow(
      /holds 65520, which F16 cannot represent: write BF16 or F32/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});
