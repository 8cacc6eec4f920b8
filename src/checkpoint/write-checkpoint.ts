import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '../util/errors.js';
import { type FloatDType, itemSize, numElements } from './dtype.js';
import { type FileCalls, nodeFiles, writeAtomically, writeFailure } from './files.js';
import { isJsonObject, type JsonObject, readJsonObject } from './json.js';
import { readRegularFile } from './read-file.js';
import { type TensorEntry, writeSafetensors } from './safetensors-write.js';
import { beginSwap, commitSwap, partialFolder } from './swap.js';
import { isTied } from './tied.js';

/** A weight to be written, by its flat name. */
export interface CheckpointTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** f32 values, or a function that makes them when their turn comes. */
  readonly data: Float32Array | (() => Float32Array);
}

export interface CheckpointContents {
  readonly tensors: Iterable<CheckpointTensor>;
  readonly dtype: FloatDType;
  /** A checkpoint folder from which tokenizer, processor and template files are copied, and config.json if none is given. */
  readonly from?: string;
  readonly config?: JsonObject;
  /** Files to write besides, by name; they take precedence over those of `from`. */
  readonly extraFiles?: Readonly<Record<string, string | Uint8Array>>;
  /** The largest weight file; more are written beyond that, with an index. */
  readonly maxShardBytes?: number;
  readonly files?: FileCalls;
}

/** transformers' default was 5 GB per shard for years (transformers:modeling_utils.py, `save_pretrained`). */
const MAX_SHARD_BYTES = 5e9;

/** How a checkpoint says which profile its weights were trained with (`guard/settings.ts`). */
const GUARD_FILE = 'guard.json';

/** What belongs to a checkpoint besides config and weights, in the layouts of the hub and of transformers 5. */
const COMPANIONS: readonly string[] = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'preprocessor_config.json',
  'video_preprocessor_config.json',
  'processor_config.json',
  'chat_template.json',
  'chat_template.jinja',
  GUARD_FILE,
];

/** The words that `guard.json` says its weights were trained on are not those of weights that went on training. */
function withoutVocabulary(bytes: Buffer): string | Uint8Array {
  let settings: unknown;
  try {
    settings = JSON.parse(bytes.toString('utf8'));
  } catch {
    return bytes;
  }
  if (typeof settings !== 'object' || settings === null || !('vocabulary' in settings)) return bytes;
  const { vocabulary: _, ...rest } = settings;
  return `${JSON.stringify(rest, null, 2)}\n`;
}

/** Weight files are replaced as a whole; anything else that a folder holds and that is not written anew stays. */
const isWeights = (name: string): boolean => /^model.*\.safetensors(\.index\.json)?$/.test(name);
const isNotWeights = (name: string): boolean => !isWeights(name);

/** Names of transformers for the stored type, in config.json. */
const TORCH_DTYPES: Readonly<Record<FloatDType, string>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/**
 * Writes a checkpoint folder that transformers loads: config, weights under the hub's flat names (sharded beyond
 * `maxShardBytes`), and the companion files of `from`. A tied lm_head is left out. The folder is built beside its place
 * and swapped in by renames, so a crash or a full disk leaves the old one usable. Throws a {@link UserError} when the
 * disk refuses, when the folder is something else than a checkpoint, or when F16 cannot hold a weight.
 */
export async function writeCheckpoint(path: string, contents: CheckpointContents): Promise<void> {
  const folder = existsSync(path) ? realpathSync(path) : resolve(path);
  const { from, dtype, files = nodeFiles } = contents;
  const config =
    contents.config ?? (from === undefined ? undefined : readJsonObject(join(from, 'config.json')));
  if (!config)
    throw new UserError(`${path} cannot be written without a config: give one, or a folder to take it from.`);
  if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, 'config.json'))) {
    throw new UserError(`${path} holds other files than a checkpoint's: choose an empty or new folder.`);
  }
  try {
    const partial = beginSwap(folder, isNotWeights);
    const small = new Map<string, string | Uint8Array>();
    if (from !== undefined) {
      for (const name of COMPANIONS) {
        if (!existsSync(join(from, name))) continue;
        const bytes = readRegularFile(join(from, name));
        small.set(name, name === GUARD_FILE ? withoutVocabulary(bytes) : bytes);
      }
    }
    for (const [name, content] of Object.entries(contents.extraFiles ?? {})) small.set(name, content);
    small.set('config.json', `${JSON.stringify(withDType(config, TORCH_DTYPES[dtype]), null, 2)}\n`);
    for (const [name, content] of small) {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      writeAtomically(join(partial, name), [bytes], files);
    }
    await writeWeights(
      partial,
      weightEntries(contents, isTied(config)),
      contents.maxShardBytes ?? MAX_SHARD_BYTES,
      files,
    );
    commitSwap(folder, isNotWeights);
  } catch (error) {
    rmSync(partialFolder(folder), { recursive: true, force: true });
    throw writeFailure(path, error);
  }
}

async function writeWeights(
  folder: string,
  entries: readonly TensorEntry[],
  maxShardBytes: number,
  files: FileCalls,
): Promise<void> {
  const shards = splitIntoShards(entries, maxShardBytes);
  if (shards.length === 1) return writeSafetensors(join(folder, 'model.safetensors'), entries, { files });
  const weightMap: Record<string, string> = {};
  for (const [index, shard] of shards.entries()) {
    const number = (value: number): string => String(value).padStart(5, '0');
    const name = `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
    for (const entry of shard) weightMap[entry.name] = name;
    await writeSafetensors(join(folder, name), shard, { files });
  }
  const index = {
    metadata: { total_size: entries.reduce((sum, entry) => sum + byteLength(entry), 0) },
    weight_map: weightMap,
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`);
  writeAtomically(join(folder, 'model.safetensors.index.json'), [bytes], files);
}

/** Fills shards in the given order; a tensor larger than the limit gets a shard of its own. */
function splitIntoShards(entries: readonly TensorEntry[], maxShardBytes: number): TensorEntry[][] {
  const shards: TensorEntry[][] = [[]];
  let size = 0;
  for (const entry of entries) {
    const bytes = byteLength(entry);
    if (size > 0 && size + bytes > maxShardBytes) {
      shards.push([]);
      size = 0;
    }
    shards[shards.length - 1].push(entry);
    size += bytes;
  }
  return shards;
}

const byteLength = ({ dtype, shape }: TensorEntry): number => numElements(shape) * itemSize(dtype);

function weightEntries({ tensors, dtype }: CheckpointContents, tied: boolean): TensorEntry[] {
  return [...tensors]
    .filter(({ name }) => !(tied && name === 'lm_head.weight'))
    .map(({ name, shape, data }) => ({
      name,
      dtype,
      shape,
      data: () => {
        const values = typeof data === 'function' ? data() : data;
        if (dtype === 'F16') refuseOverflow(name, values);
        return values;
      },
    }));
}

/** From here on a finite value rounds to infinity in F16: the middle between 65,504, its largest, and 2¹⁶. */
const F16_OVERFLOW = 65520;

function refuseOverflow(name: string, values: Float32Array): void {
  for (const value of values) {
    if (Math.abs(value) >= F16_OVERFLOW && Number.isFinite(value)) {
      throw new UserError(`"${name}" holds ${value}, which F16 cannot represent: write BF16 or F32 instead.`);
    }
  }
}

/** The config with the stored type's name wherever it names one: `torch_dtype` until transformers 4, `dtype` since 5. */
function withDType(config: JsonObject, dtype: string): JsonObject {
  const renamed = Object.entries(config).map(([key, value]): [string, unknown] => {
    if (key === 'dtype' || key === 'torch_dtype') return [key, dtype];
    return [key, key.endsWith('_config') && isJsonObject(value) ? replaceDType(value, dtype) : value];
  });
  const named = 'dtype' in config || 'torch_dtype' in config;
  return Object.fromEntries(named ? renamed : [...renamed, ['torch_dtype', dtype]]);
}

function replaceDType(config: JsonObject, dtype: string): JsonObject {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      key === 'dtype' || key === 'torch_dtype' ? dtype : value,
    ]),
  );
}
