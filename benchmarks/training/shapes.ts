/** @module What is measured: two sizes of a freshly made Qwen2.5-VL and the batches they learn from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checkpoint, type JsonObject, writeCheckpoint } from '../../src/checkpoint/checkpoint.js';
import { writeSafetensors } from '../../src/checkpoint/safetensors.js';
import { parseConfig, type Qwen2_5_VLConfig } from '../../src/models/qwen2_5_vl/config.js';
import { patchSize } from '../../src/models/qwen2_5_vl/vision.js';
import type { Grid } from '../../src/models/qwen2_5_vl/vision-layout.js';
import { initialWeights } from '../../src/training/weights.js';
import { Random } from '../../src/util/random.js';
import { REPOSITORY } from '../shared/child.js';
import type { CountedBatch } from './flops.js';

export interface BatchShape {
  readonly name: string;
  readonly rows: number;
  /** Tokens of a row beside the image's. */
  readonly textTokens: number;
  readonly images: boolean;
}

const TEXT_224: BatchShape = { name: 'text 16×224', rows: 16, textTokens: 224, images: false };
export const SHAPES: readonly BatchShape[] = [
  TEXT_224,
  { name: 'image+text 16×(25+200)', rows: 16, textTokens: 200, images: true },
  { name: 'text 16×352', rows: 16, textTokens: 352, images: false },
];

/** The larger model shows how the ratio scales; one shape says enough. */
export const LARGE_SHAPES: readonly BatchShape[] = [TEXT_224];

/** About what an answer of the tiny model's training has. */
export const ANSWER_TOKENS = 64;

/** A picture of 140×140 pixels in patches of 14: 100 patches, 25 tokens. */
const GRID: Grid = [1, 10, 10];

/** The last ids of the vocabulary, where Qwen's tokenizers have their special tokens too. */
const VOCABULARY = 2048;
const SPECIAL_IDS = {
  bos_token_id: VOCABULARY - 8,
  eos_token_id: VOCABULARY - 7,
  pad_token_id: VOCABULARY - 8,
  vision_start_token_id: VOCABULARY - 6,
  vision_end_token_id: VOCABULARY - 5,
  vision_token_id: VOCABULARY - 4,
  image_token_id: VOCABULARY - 3,
  video_token_id: VOCABULARY - 2,
  vocab_size: VOCABULARY,
};

/** The sizes of runs/tiny/model.json, and a model of twice its width and depth. */
export function modelConfig(size: 'tiny' | 'large'): JsonObject {
  const tiny = JSON.parse(readFileSync(join(REPOSITORY, 'runs/tiny/model.json'), 'utf8')) as JsonObject;
  if (size === 'tiny') return { ...tiny, ...SPECIAL_IDS };
  return {
    ...tiny,
    ...SPECIAL_IDS,
    hidden_size: 512,
    intermediate_size: 1280,
    num_hidden_layers: 8,
    // Half of a head of 512 / 8 values: frequencies for time, rows and columns.
    rope_scaling: { type: 'mrope', mrope_section: [8, 12, 12] },
    vision_config: { ...(tiny.vision_config as JsonObject), out_hidden_size: 512 },
  };
}

export interface BenchmarkModel {
  readonly name: string;
  readonly folder: string;
  readonly config: Qwen2_5_VLConfig;
  readonly parameters: number;
}

/** A checkpoint of fresh weights, the same for both sides. */
export async function makeModel(size: 'tiny' | 'large', folder: string): Promise<BenchmarkModel> {
  const json = modelConfig(size);
  const weights = initialWeights(parseConfig(json), 0);
  await writeCheckpoint(folder, {
    config: json,
    dtype: 'F32',
    tensors: [...weights].map(([name, { shape, data }]) => ({ name, shape, data })),
  });
  return openModel(size, folder);
}

export async function openModel(name: string, folder: string): Promise<BenchmarkModel> {
  const checkpoint = await Checkpoint.open(folder);
  const config = parseConfig(checkpoint.config);
  const sizes = [...checkpoint.tensors.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  checkpoint.close();
  return { name, folder, config, parameters: sizes.reduce((a, b) => a + b, 0) };
}

/** Writes a batch of random tokens (and random pixels) that both sides read; all rows have one length. */
export async function writeBatch(
  path: string,
  config: Qwen2_5_VLConfig,
  shape: BatchShape,
): Promise<CountedBatch> {
  const random = new Random(`benchmark/${shape.name}`);
  const { rows, textTokens, images } = shape;
  const grids = images ? Array.from({ length: rows }, () => GRID) : [];
  const patches = GRID[1] * GRID[2];
  const imageTokens = images ? patches / config.vision.spatialMergeSize ** 2 : 0;
  const seq = imageTokens + textTokens;
  // Below the first id with a meaning of its own.
  const words = Math.min(config.text.vocabSize, ...specialIds(config));
  const inputIds = BigInt64Array.from({ length: rows * seq }, (_, i) => {
    const column = images ? i % seq : seq;
    const word = random.int(0, words - 1);
    if (column === 0) return BigInt(config.visionStartTokenId ?? word);
    if (column === imageTokens + 1) return BigInt(config.visionEndTokenId ?? word);
    return BigInt(column <= imageTokens ? config.imageTokenId : word);
  });
  const values = patchSize(config);
  const pixels = grids.length * patches;
  await writeSafetensors(path, [
    { name: 'input_ids', dtype: 'I64', shape: [rows, seq], data: inputIds },
    ...(images
      ? [
          {
            name: 'pixel_values',
            dtype: 'F32' as const,
            shape: [pixels, values],
            data: Float32Array.from({ length: pixels * values }, () => random.normal()),
          },
          {
            name: 'image_grid_thw',
            dtype: 'I64' as const,
            shape: [rows, 3],
            data: BigInt64Array.from(grids.flat(), BigInt),
          },
        ]
      : []),
  ]);
  return { rows, seq, answerLength: ANSWER_TOKENS, grids };
}

function specialIds(config: Qwen2_5_VLConfig): number[] {
  const { imageTokenId, videoTokenId, visionStartTokenId, visionEndTokenId, bosTokenId, padTokenId } = config;
  return [imageTokenId, videoTokenId, visionStartTokenId, visionEndTokenId, bosTokenId, padTokenId].filter(
    (id) => id !== undefined,
  );
}
