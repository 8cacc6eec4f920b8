import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flatName } from '../../checkpoint/names.js';
import { SafetensorsFile } from '../../checkpoint/safetensors.js';
import { type JsonObject, readJsonObject } from '../../checkpoint/json.js';
import { UserError } from '../../util/errors.js';
import { checkTensors, expectedTensors, parseConfig } from './config.js';

const GOLDENS = new URL('../../../test/goldens/checkpoints/', import.meta.url).pathname;
const configOf = (name: string): JsonObject => readJsonObject(join(GOLDENS, name, 'config.json'));

/** The 7B model's config as on the hub, less what is not read. */
const SEVEN_B = {
  architectures: ['Qwen2_5_VLForConditionalGeneration'],
  model_type: 'qwen2_5_vl',
  hidden_size: 3584,
  num_hidden_layers: 28,
  num_attention_heads: 28,
  num_key_value_heads: 4,
  intermediate_size: 18944,
  vocab_size: 152064,
  max_position_embeddings: 128000,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  tie_word_embeddings: false,
  image_token_id: 151655,
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
  vision_config: {
    depth: 32,
    hidden_act: 'silu',
    hidden_size: 1280,
    intermediate_size: 3420,
    num_heads: 16,
    in_chans: 3,
    out_hidden_size: 3584,
    patch_size: 14,
    window_size: 112,
    fullatt_block_indexes: [7, 15, 23, 31],
  },
};

describe('parseConfig', () => {
  it('reads the flat layout', () => {
    expect(parseConfig(configOf('tied'))).toEqual({
      text: {
        hiddenSize: 64,
        numHiddenLayers: 4,
        numAttentionHeads: 4,
        numKeyValueHeads: 2,
        headDim: 16,
        intermediateSize: 112,
        vocabSize: 1040,
        rmsNormEps: 1e-6,
        ropeTheta: 1e6,
        mropeSection: [2, 3, 3],
        maxPositionEmbeddings: 4096,
      },
      vision: {
        depth: 4,
        hiddenSize: 64,
        numHeads: 4,
        headDim: 16,
        intermediateSize: 108,
        outHiddenSize: 64,
        inChannels: 3,
        patchSize: 14,
        temporalPatchSize: 2,
        spatialMergeSize: 2,
        windowSize: 112,
        tokensPerSecond: 2,
        fullattBlockIndexes: [1, 3],
      },
      tieWordEmbeddings: true,
      initializerRange: 0.02,
      imageTokenId: 1012,
      videoTokenId: 1013,
      visionStartTokenId: 1009,
      visionEndTokenId: 1010,
      bosTokenId: 1000,
      eosTokenId: 1002,
      padTokenId: 1000,
    });
  });

  it('reads the nested layout to the same config', () => {
    expect(parseConfig(configOf('tied-resaved'))).toEqual(parseConfig(configOf('tied')));
  });

  it('takes one true tie_word_embeddings, inside of text_config or outside (transformers#45857)', () => {
    const nested = configOf('tied-resaved');
    const tied = (outside: unknown, inside: unknown): boolean =>
      parseConfig({
        ...nested,
        tie_word_embeddings: outside,
        text_config: { ...Object(nested.text_config), tie_word_embeddings: inside },
      }).tieWordEmbeddings;
    expect([tied(false, true), tied(true, false), tied(null, true), tied(undefined, true)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([tied(false, false), tied(null, undefined), tied(undefined, false)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(() => tied(false, 'yes')).toThrow(/text_config "tie_word_embeddings" is "yes"/);
  });

  it('reads null as absent wherever a setting has a default', () => {
    const flat = configOf('tied');
    const nothing = { use_sliding_window: null, hidden_act: null, initializer_range: null, head_dim: null };
    expect(
      parseConfig({
        ...flat,
        ...nothing,
        text_config: null,
        architectures: null,
        vision_config: { ...Object(flat.vision_config), in_channels: null, hidden_act: null },
        rope_scaling: { ...Object(flat.rope_scaling), rope_theta: null, rope_type: null },
      }),
    ).toEqual(parseConfig(flat));
    expect(() => parseConfig({ ...flat, hidden_size: null })).toThrow(/"hidden_size" is missing/);
  });

  const wrong: readonly [what: string, change: object, message: RegExp][] = [
    ['another model', { model_type: 'llava' }, /model_type "llava"; only Qwen2_5_VLForConditionalGeneration/],
    ['no model type', { model_type: undefined }, /model_type is missing; only/],
    ['another head', { architectures: ['Qwen2_5_VLModel'] }, /architectures \["Qwen2_5_VLModel"\]; only/],
    ['quantized weights', { quantization_config: { bits: 4 } }, /quantized.*choose the unquantized/],
    ['a missing size', { hidden_size: undefined }, /"hidden_size" is missing/],
    ['a size as text', { hidden_size: '64' }, /"hidden_size" is "64"/],
    ['no layers', { num_hidden_layers: 0 }, /"num_hidden_layers" is 0/],
    ['endless layers', { num_hidden_layers: 1e9 }, /"num_hidden_layers" is 1000000000/],
    ['another activation', { hidden_act: 'relu' }, /"hidden_act" is "relu"/],
    ['a sliding window', { use_sliding_window: true }, /"use_sliding_window" is true/],
    [
      'a scaled rope',
      { rope_scaling: { type: 'yarn', mrope_section: [16, 24, 24] } },
      /rope_scaling "type" is "yarn"/,
    ],
    ['no rope', { rope_scaling: null }, /"rope_scaling" \(or "rope_parameters"\) is missing/],
    [
      'sections of another head',
      { rope_scaling: { mrope_section: [2, 3, 3] } },
      /adds up to 8, not to half the head size, 64/,
    ],
    [
      'heads that do not divide',
      { num_attention_heads: 27 },
      /hidden_size 3584 is no multiple of num_attention_heads 27/,
    ],
    ['groups that do not divide', { num_key_value_heads: 3 }, /no multiple of num_key_value_heads 3/],
    ['another head size', { head_dim: 64 }, /head_dim 64 is not hidden_size/],
    ['no vision', { vision_config: undefined }, /"vision_config" is missing/],
    [
      'a vision tower without depth',
      { vision_config: { ...SEVEN_B.vision_config, depth: undefined } },
      /vision_config "depth" is missing/,
    ],
    [
      'a merger to another width',
      { vision_config: { ...SEVEN_B.vision_config, out_hidden_size: 2048 } },
      /out_hidden_size 2048 is not the text model's hidden_size 3584/,
    ],
    [
      'half windows',
      { vision_config: { ...SEVEN_B.vision_config, window_size: 100 } },
      /window_size 100 is no multiple/,
    ],
    [
      'blocks that are not there',
      { vision_config: { ...SEVEN_B.vision_config, depth: 31 } },
      /name blocks beyond the depth 31/,
    ],
    ['a token beyond the vocabulary', { image_token_id: 152064 }, /image_token_id 152064 is not below/],
    ['a stop token beyond the vocabulary', { eos_token_id: [1, 152064] }, /eos_token_id 152064 is not below/],
    ['text_config that is no object', { text_config: 7 }, /"text_config" must be an object/],
  ];
  it.each(wrong)('refuses %s', (_, change, message) => {
    const json = { ...SEVEN_B, ...change };
    expect(() => parseConfig(json)).toThrow(UserError);
    expect(() => parseConfig(json)).toThrow(message);
  });

  it.each([null, [], 'x', 3])('refuses %j', (json) => {
    expect(() => parseConfig(json)).toThrow(/must be a JSON object/);
  });
});

describe('expectedTensors', () => {
  it('adds up to the known size of 7B, and its vectors to what an ungathered save keeps', () => {
    const sizes = [...expectedTensors(parseConfig(SEVEN_B)).values()];
    const count = (shapes: (readonly number[])[]): number =>
      shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
    // The hub counts 8,292,166,656 parameters in Qwen/Qwen2.5-VL-7B-Instruct.
    expect(count(sizes)).toBe(8_292_166_656);
    expect(count(sizes.filter((shape) => shape.length === 1))).toBe(848_896);
  });

  it('names the weights that transformers writes, tied and untied', () => {
    const { tensors } = SafetensorsFile.open(join(GOLDENS, 'tied-zero3', 'model.safetensors'));
    expect([...expectedTensors(parseConfig(configOf('tied-zero3'))).keys()].sort()).toEqual(
      [...tensors.keys()].sort(),
    );
    const index: { weight_map: object } = JSON.parse(
      readFileSync(join(GOLDENS, 'sharded-bf16', 'model.safetensors.index.json'), 'utf8'),
    );
    expect([...expectedTensors(parseConfig(configOf('sharded-bf16'))).keys()].sort()).toEqual(
      Object.keys(index.weight_map).map(flatName).sort(),
    );
  });
});

describe('checkTensors', () => {
  const config = parseConfig(configOf('head128'));
  const tensors = new Map(
    [...expectedTensors(config)].map(([name, shape]) => [name, { name, shape, dtype: 'F32' as const }]),
  );

  it('accepts the weights of the config, and more', () => {
    const more = new Map([...tensors, ['extra', { name: 'extra', shape: [1], dtype: 'F32' as const }]]);
    expect(() => checkTensors({ folder: 'x', tensors: more }, config)).not.toThrow();
  });

  it('names what is missing, misshapen or no float, in one error', () => {
    const damaged = new Map<string, { name: string; shape: readonly number[]; dtype: 'F32' | 'I64' }>(
      tensors,
    );
    for (const name of [
      'lm_head.weight',
      'model.norm.weight',
      'visual.merger.ln_q.weight',
      'model.embed_tokens.weight',
    ]) {
      damaged.delete(name);
    }
    damaged.set('visual.merger.mlp.2.bias', { name: '', shape: [7], dtype: 'F32' });
    damaged.set('visual.merger.mlp.0.bias', { name: '', shape: [640], dtype: 'I64' });
    const checking = (): void => checkTensors({ folder: 'x', tensors: damaged }, config);
    expect(checking).toThrow(UserError);
    expect(checking).toThrow(
      /4 weights are missing \(.* and 1 more\); 1 weights have another shape \(visual.merger.mlp.2.bias is \[7\] but should be \[256\]\); 1 weights are no F32, F16 or BF16 \(visual.merger.mlp.0.bias is I64\)/,
    );
  });
});
