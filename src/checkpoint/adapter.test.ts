import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Adapter } from './adapter.js';
import { Checkpoint } from './checkpoint.js';
import { scratchFolder } from './files.test-util.js';
import { flatName } from './names.js';
import { SafetensorsFile, type TensorEntry, writeSafetensors } from './safetensors.js';

const GOLDENS = new URL('../../test/goldens/', import.meta.url).pathname;
const BASE = join(GOLDENS, 'checkpoints/tied');
const adapterOf = (name: string): string => join(GOLDENS, 'adapters', name);

const LORA = { peft_type: 'LORA', r: 1, lora_alpha: 2, target_modules: ['q_proj'] };
const f32 = (name: string, shape: number[], value = 1): TensorEntry => ({
  name: `base_model.model.${name}`,
  dtype: 'F32',
  shape,
  data: new Float32Array(shape.reduce((size, dim) => size * dim, 1)).fill(value),
});
const Q = 'model.layers.0.self_attn.q_proj';
const PAIR = [f32(`${Q}.lora_A.weight`, [1, 64]), f32(`${Q}.lora_B.weight`, [64, 1])];

async function adapterFolder(config: object, tensors: readonly TensorEntry[]): Promise<string> {
  const folder = scratchFolder();
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
  await writeSafetensors(join(folder, 'adapter_model.safetensors'), tensors);
  return folder;
}

describe('merging', () => {
  it.each(['rslora-patterns', 'dora', 'saved-module'])(
    'gives the weights of PEFT (merge_and_unload): %s',
    async (name) => {
      const base = await Checkpoint.open(BASE);
      const adapter = Adapter.open(adapterOf(name));
      const merged = adapter.mergedInto(base);
      const golden = SafetensorsFile.open(join(adapterOf(name), 'merged.safetensors'));
      let changed = 0;
      for (const stored of golden.tensors.keys()) {
        const weight = merged.read(flatName(stored));
        const expected = golden.readFloat32(stored);
        const worst = Math.max(...expected.map((value, i) => Math.abs(value - weight[i])));
        expect({ stored, close: worst < 1e-6 }).toEqual({ stored, close: true });
        if (base.readFloat32(flatName(stored)).some((value, i) => value !== weight[i])) changed += 1;
      }
      expect(changed).toBe(name === 'saved-module' ? 5 : 3);
      for (const file of [golden, adapter, base]) file.close();
    },
  );

  it('leaves other weights as they are', async () => {
    const base = await Checkpoint.open(BASE);
    const merged = Adapter.open(await adapterFolder(LORA, PAIR)).mergedInto(base);
    expect(merged.read('model.norm.weight')).toEqual(base.readFloat32('model.norm.weight'));
    const [weight, before] = [merged.read(`${Q}.weight`), base.readFloat32(`${Q}.weight`)];
    expect(weight).toEqual(before.map((value) => Math.fround(value + 2)));
  });
});

describe('what nothing can be computed with', () => {
  const merge = async (config: object, tensors: readonly TensorEntry[]): Promise<Float32Array> => {
    const base = await Checkpoint.open(BASE);
    return Adapter.open(await adapterFolder(config, tensors))
      .mergedInto(base)
      .read(`${Q}.weight`);
  };

  it('names the tensor of the adapter that holds NaN or infinity', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(merge(LORA, [PAIR[0], f32(`${Q}.lora_B.weight`, [64, 1], value)])).rejects.toThrow(
        /adapter_model.safetensors: tensor ".*lora_B.weight" holds (?:NaN|Infinity), with which/,
      );
    }
  });

  it('names the weight that a scaling makes infinite', async () => {
    await expect(merge({ ...LORA, lora_alpha: 1e300 }, PAIR)).rejects.toThrow(
      /makes ".*q_proj.weight" infinite/,
    );
  });
});

describe('refusals', () => {
  const refused = async (config: object, tensors: readonly TensorEntry[]): Promise<string> => {
    const folder = await adapterFolder(config, tensors);
    const base = await Checkpoint.open(BASE);
    try {
      Adapter.open(folder).mergedInto(base);
      return 'no error';
    } catch (error) {
      expect(error).toHaveProperty('name', 'UserError');
      return error instanceof Error ? error.message : '';
    } finally {
      base.close();
    }
  };

  it.each<[string, object, TensorEntry[], RegExp]>([
    ['another kind', { peft_type: 'IA3' }, PAIR, /type "IA3", not LORA: merge it with PEFT/],
    ['an unknown option', { ...LORA, use_newlora: true }, PAIR, /sets use_newlora to true: merge/],
    ['a bias', { ...LORA, bias: 'all' }, PAIR, /sets bias to "all"/],
    ['PiSSA', { ...LORA, init_lora_weights: 'pissa' }, PAIR, /init_lora_weights "pissa"/],
    ['no rank', { ...LORA, r: 0 }, PAIR, /r of the adapter .* must be a number above 0, and it is 0/],
    ['a pattern', { ...LORA, alpha_pattern: { '(a+)+$': 1 } }, PAIR, /only plain module names/],
    ['another rank', { ...LORA, r: 4 }, PAIR, /of rank 1, and its adapter_config.json says 4/],
    ['no half', LORA, PAIR.slice(0, 1), /lacks lora_B for "model\.layers\.0/],
    ['no weights', LORA, [], /an adapter without weights/],
    ['DoRA undeclared', { ...LORA, use_dora: true }, PAIR, /lacks what use_dora says of it/],
    [
      'another base',
      LORA,
      [f32('model.layers.9.x.lora_A.weight', [1, 64]), f32('model.layers.9.x.lora_B.weight', [64, 1])],
      /changes "model\.layers\.9\.x\.weight", and .*tied has no such weight: give the base model/,
    ],
    [
      'another width',
      LORA,
      [f32(`${Q}.lora_A.weight`, [1, 32]), f32(`${Q}.lora_B.weight`, [64, 1])],
      /as \[1, 32\] where .* needs \[1, 64\]/,
    ],
    [
      'an embedding adapter',
      LORA,
      [f32('x.lora_embedding_A', [1, 2])],
      /a kind of adapter that is not merged/,
    ],
    ['a stray name', LORA, [{ ...f32('', [1]), name: 'q.lora_A.weight' }], /does not begin with "base_model/],
    [
      'a tied head',
      LORA,
      [f32('lm_head.lora_A.weight', [1, 64]), f32('lm_head.lora_B.weight', [1040, 1])],
      /changes "lm_head.weight", and .*tied has no head of its own: it shares the embedding's weight \(tie_word_embeddings\)/,
    ],
    ['a tied embedding', LORA, [f32('model.embed_tokens.weight', [1040, 64])], /shares with its output head/],
  ])('%s', async (_, config, tensors, message) => {
    expect(await refused(config, tensors)).toMatch(message);
  });

  it('says what a folder lacks', () => {
    const folder = scratchFolder();
    expect(() => Adapter.open(join(folder, 'none'))).toThrow(/is no folder: give one with adapter_config/);
    expect(() => Adapter.open(folder)).toThrow(/has no adapter_config.json, so it is no PEFT adapter/);
    cpSync(adapterOf('dora'), folder, { recursive: true });
    rmSync(join(folder, 'adapter_model.safetensors'));
    expect(() => Adapter.open(folder)).toThrow(/has no adapter_model.safetensors/);
    writeFileSync(join(folder, 'adapter_model.bin'), '');
    expect(() => Adapter.open(folder)).toThrow(/adapter_model.bin, which is not read/);
  });

  it('refuses a truncated file', () => {
    const folder = scratchFolder();
    cpSync(adapterOf('dora'), folder, { recursive: true });
    const file = join(folder, 'adapter_model.safetensors');
    writeFileSync(file, readFileSync(file).subarray(0, 900));
    expect(() => Adapter.open(folder)).toThrow(/adapter_model\.safetensors/);
  });
});
