import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { writeCheckpoint } from '../checkpoint/checkpoint.js';
import type { RgbImage } from '../images/image.js';
import { trainTokenizer } from '../models/qwen2_5_vl/bpe-trainer.js';
import { parseConfig, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { Processor } from '../models/qwen2_5_vl/processor.js';
import { Tokenizer } from '../models/qwen2_5_vl/tokenizer.js';
import { qwenAddedTokens, writeTokenizerFolder } from '../models/qwen2_5_vl/tokenizer-folder.js';
import { Random } from '../util/random.js';
import { parseSftConfig, type SftConfig } from './config.js';
import type { SampleSource } from './examples.js';
import type { PromptSource } from './grpo/prompts.js';
import { initialWeights, type ModelWeights } from './weights.js';

/** A folder for all tests of a file, removed after them. */
export function sharedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'training-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const VOCAB_SIZE = 320;

/** The smallest Qwen2.5-VL with every part: two vision blocks, one of each reach, and two text layers. */
const SIZES = {
  architectures: ['Qwen2_5_VLForConditionalGeneration'],
  model_type: 'qwen2_5_vl',
  hidden_act: 'silu',
  hidden_size: 16,
  // Far larger than a real model's, so that everything has a visible effect.
  initializer_range: 0.2,
  intermediate_size: 24,
  max_position_embeddings: 512,
  num_attention_heads: 2,
  num_hidden_layers: 2,
  num_key_value_heads: 1,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  rope_scaling: { type: 'mrope', mrope_section: [2, 1, 1] },
  tie_word_embeddings: true,
  torch_dtype: 'float32',
  vocab_size: VOCAB_SIZE,
  vision_config: {
    model_type: 'qwen2_5_vl',
    depth: 2,
    hidden_size: 16,
    hidden_act: 'silu',
    num_heads: 2,
    intermediate_size: 24,
    in_chans: 3,
    patch_size: 14,
    spatial_merge_size: 2,
    temporal_patch_size: 2,
    window_size: 56,
    fullatt_block_indexes: [1],
    out_hidden_size: 16,
  },
};

const PREPROCESSOR = { min_pixels: 28 * 28, max_pixels: 84 * 84, patch_size: 14, temporal_patch_size: 2 };

/** Writes an untrained model with tokenizer and processor into FOLDER/model and gives its path. */
export async function writeTinyModel(folder: string, sizes: Record<string, unknown> = {}): Promise<string> {
  const tokenizerFolder = join(folder, 'tokenizer');
  mkdirSync(tokenizerFolder);
  const texts = ['what is in the picture? a red cat on a blue mat', 'is it allowed? yes, it is safe'];
  const trained = trainTokenizer(texts, { vocabSize: VOCAB_SIZE, addedTokens: qwenAddedTokens([]) });
  await writeTokenizerFolder(tokenizerFolder, trained, { maxLength: 512 });
  const tokenizer = await Tokenizer.load(tokenizerFolder);
  const config = {
    ...SIZES,
    image_token_id: tokenizer.id('<|image_pad|>'),
    vision_start_token_id: tokenizer.id('<|vision_start|>'),
    eos_token_id: tokenizer.id('<|im_end|>'),
    pad_token_id: tokenizer.id('<|endoftext|>'),
    ...sizes,
  };
  const model = join(folder, 'model');
  await writeCheckpoint(model, {
    from: tokenizerFolder,
    config,
    dtype: 'F32',
    tensors: [...initialWeights(parseConfig(config), 7)].map(([name, { shape, data }]) => ({
      name,
      shape,
      data,
    })),
    extraFiles: { 'preprocessor_config.json': JSON.stringify(PREPROCESSOR) },
  });
  return model;
}

export interface TinyModel {
  readonly folder: string;
  readonly config: Qwen2_5_VLConfig;
  readonly processor: Processor;
  readonly weights: ModelWeights;
}

/** The same, opened. */
export async function tinyModel(scratch: string): Promise<TinyModel> {
  const folder = await writeTinyModel(scratch);
  const processor = await Processor.load(folder);
  const id = processor.tokenizer.id('<|image_pad|>');
  const start = processor.tokenizer.id('<|vision_start|>');
  const config = parseConfig({ ...SIZES, image_token_id: id, vision_start_token_id: start });
  return { folder, config, processor, weights: initialWeights(config, 7) };
}

/** A picture of coloured noise. */
export function noise(width: number, height: number, seed: number): RgbImage {
  const random = new Random(`noise/${seed}`);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.int(0, 255)) };
}

const WORDS = ['red', 'cat', 'blue', 'mat', 'picture', 'allowed', 'safe', 'yes'];

/** Samples of different lengths; every other one has a picture, of one of five. Notes what it was asked for. */
export function tinySource(asked: number[] = [], pictures = true): SampleSource {
  return {
    sample(index) {
      asked.push(index);
      const random = new Random(`sample/${index}`);
      const say = (least: number, most: number): string =>
        Array.from({ length: random.int(least, most) }, () => random.pick(WORDS)).join(' ');
      const pictured = pictures && index % 2 === 1;
      const side = random.pick([28, 56, 84]);
      return Promise.resolve({
        images: pictured ? [noise(side, 56, random.int(0, 4))] : [],
        prompt: say(2, 12),
        answer: say(1, 8),
        task: pictured ? 'see' : 'read',
      });
    },
  };
}

/** GRPO's prompts with a picture each; none is held out. */
export const tinyPrompts: PromptSource = {
  prompt: (index) =>
    Promise.resolve({
      index,
      images: [noise(56, 56, index % 3)],
      prompt: `is ${index % 4} allowed?`,
      sample: { label: 'safe', statements: [], decisive: [], categories: [], pair: null },
      kind: 'all',
    }),
  heldOut: () => Promise.resolve([]),
};

/** A configuration of a few small steps. */
export function tinyConfig(model: string, output: string, settings: Record<string, unknown> = {}): SftConfig {
  return parseSftConfig({
    model,
    output,
    steps: 6,
    batch_size: 4,
    micro_batch_size: 2,
    vision: 'trained',
    threads: 1,
    optimizer: { lr: 0.01 },
    schedule: { kind: 'cosine', warmup_steps: 2 },
    data: { source: 'jsonl', file: 'unused.jsonl' },
    checkpoint: { every_steps: 2, keep: 2 },
    ...settings,
  });
}
