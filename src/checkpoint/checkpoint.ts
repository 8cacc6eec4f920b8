import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { UserError } from '../util/errors.js';
import { numElements, type TensorArray } from './dtype.js';
import { isJsonObject, type JsonObject, readJsonObject } from './json.js';
import { flatName } from './names.js';
import { SafetensorsFile, type TensorInfo } from './safetensors.js';
import { replacedFolder } from './swap.js';

export type { JsonObject } from './json.js';
export type { TensorInfo } from './safetensors.js';
export { type CheckpointContents, writeCheckpoint } from './write-checkpoint.js';

const CONFIG_FILE = 'config.json';
const WEIGHTS_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';

/** A tensor's place: the file that holds it and the name it has there. */
interface Place {
  readonly file: SafetensorsFile;
  readonly storedName: string;
}

/**
 * A Hugging Face checkpoint folder, opened for reading: config and headers at once, weights when asked for. Weights go by
 * the hub's flat names, whatever layout the folder has. Everything wrong with the folder is a {@link UserError}.
 */
export class Checkpoint {
  private constructor(
    readonly folder: string,
    readonly config: JsonObject,
    /** By flat name. */
    readonly tensors: ReadonlyMap<string, TensorInfo>,
    private readonly places: ReadonlyMap<string, Place>,
    private readonly files: readonly SafetensorsFile[],
  ) {}

  static async open(path: string): Promise<Checkpoint> {
    const folder = checkpointFolder(path);
    const config = readJsonObject(join(folder, CONFIG_FILE));
    const files: SafetensorsFile[] = [];
    try {
      const places = openWeights(folder, files);
      const tensors = new Map<string, TensorInfo>();
      for (const [name, { file, storedName }] of places) {
        const info = file.tensors.get(storedName);
        if (info) tensors.set(name, { name, dtype: info.dtype, shape: info.shape });
      }
      refuseEmptyTensors(folder, tensors);
      return new Checkpoint(folder, config, tensors, places, files);
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  /** The tensor's values in its own type; F16 and BF16 as their bits. */
  read(name: string): TensorArray {
    const { file, storedName } = this.place(name);
    return file.read(storedName);
  }

  /** The weight as f32, in row-major order. @throws UserError that names it where it holds NaN or infinity. */
  readFloat32(name: string): Float32Array {
    const { file, storedName } = this.place(name);
    return file.readWeight(storedName);
  }

  /** Rows `begin` to `end` (not included) along the first dimension, as f32. */
  readFloat32Rows(name: string, begin: number, end: number): Float32Array {
    const { file, storedName } = this.place(name);
    return file.readWeightRows(storedName, begin, end);
  }

  /** A JSON object beside the weights, such as generation_config.json; undefined if it is optional and absent. */
  readJson(file: string): JsonObject;
  readJson(file: string, options: { readonly optional: true }): JsonObject | undefined;
  readJson(file: string, { optional = false } = {}): JsonObject | undefined {
    const path = join(this.folder, file);
    return optional && !existsSync(path) ? undefined : readJsonObject(path);
  }

  /** Ends reading of weights. */
  close(): void {
    for (const file of this.files) file.close();
  }

  private place(name: string): Place {
    const place = this.places.get(name);
    if (!place)
      throw new UserError(`${this.folder} has no weight "${name}": the weights belong to another model.`);
    return place;
  }
}

/** The folder itself, or what a write that was cut off between its two renames left of it. */
function checkpointFolder(path: string): string {
  const folder = resolve(path);
  const used = existsSync(folder) ? folder : replacedFolder(folder);
  if (!existsSync(used)) {
    throw new UserError(
      `${path} does not exist: give a checkpoint folder, one with config.json and model.safetensors.`,
    );
  }
  if (!statSync(used).isDirectory()) {
    throw new UserError(
      `${path} is not a folder: give the folder that holds config.json and model.safetensors.`,
    );
  }
  if (existsSync(join(used, CONFIG_FILE))) return used;
  if (existsSync(join(used, 'adapter_config.json'))) {
    throw new UserError(
      `${path} holds a PEFT adapter, not a whole model: give its base model, and this folder as the adapter (--adapter).`,
    );
  }
  throw new UserError(
    `${path} has no ${CONFIG_FILE}: give a whole checkpoint folder as on the Hugging Face hub.`,
  );
}

/** Opens the weight files into `files` and gives each weight's place by its flat name. */
function openWeights(folder: string, files: SafetensorsFile[]): Map<string, Place> {
  if (existsSync(join(folder, WEIGHTS_FILE))) {
    const file = SafetensorsFile.open(join(folder, WEIGHTS_FILE));
    files.push(file);
    return byFlatName(
      folder,
      [...file.tensors.keys()].map((storedName) => ({ file, storedName })),
    );
  }
  if (existsSync(join(folder, INDEX_FILE))) return byFlatName(folder, openShards(folder, files));
  const pickled =
    existsSync(join(folder, 'pytorch_model.bin')) || existsSync(join(folder, 'pytorch_model.bin.index.json'));
  throw new UserError(
    pickled
      ? `${folder} has its weights as pytorch_model.bin, which is not read: convert them to safetensors.`
      : `${folder} has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}: download the weights too.`,
  );
}

function openShards(folder: string, files: SafetensorsFile[]): Place[] {
  const path = join(folder, INDEX_FILE);
  const { weight_map: weightMap } = readJsonObject(path);
  if (!isJsonObject(weightMap)) throw new UserError(`${path} has no "weight_map": download it again.`);
  const shards = new Map<string, SafetensorsFile>();
  return Object.entries(weightMap).map(([storedName, shard]) => {
    // A path would let an index read files outside of its folder.
    if (typeof shard !== 'string' || shard !== basename(shard) || !shard.endsWith('.safetensors')) {
      throw new UserError(
        `${path} places "${storedName}" in ${JSON.stringify(shard)}, which is no safetensors file of the folder: download it again.`,
      );
    }
    let file = shards.get(shard);
    if (!file) {
      if (!existsSync(join(folder, shard))) {
        throw new UserError(`${folder} lacks the shard ${shard} that ${INDEX_FILE} names: download it.`);
      }
      file = SafetensorsFile.open(join(folder, shard));
      files.push(file);
      shards.set(shard, file);
    }
    if (!file.tensors.has(storedName)) {
      throw new UserError(
        `${path} places "${storedName}" in ${shard}, which has no such tensor: download both again, they are not of one save.`,
      );
    }
    return { file, storedName };
  });
}

function byFlatName(folder: string, places: readonly Place[]): Map<string, Place> {
  const named = new Map<string, Place>();
  for (const place of places) {
    const name = flatName(place.storedName);
    const other = named.get(name);
    if (other) {
      throw new UserError(
        `${folder} holds one weight under two names, "${other.storedName}" and "${place.storedName}": keep one of them.`,
      );
    }
    named.set(name, place);
  }
  return named;
}

/** How many empty tensors a message names. */
const NAMED = 3;

/** No weight has zero elements, except in a ZeRO-3 save whose shards were not gathered. */
function refuseEmptyTensors(folder: string, tensors: ReadonlyMap<string, TensorInfo>): void {
  const empty = [...tensors.values()].filter(({ shape }) => numElements(shape) === 0);
  if (empty.length === 0) return;
  const first = empty.slice(0, NAMED).map(({ name }) => name);
  const more = empty.length > NAMED ? `, … (${empty.length - NAMED} more)` : '';
  throw new UserError(
    `${folder}: ${empty.length} of ${tensors.size} tensors are empty (${first.join(', ')}${more}); ` +
      'this is how an ungathered DeepSpeed ZeRO-3 save looks. ' +
      'Ask the authors to upload the weights again, convert the ZeRO shards with zero_to_fp32.py if you have them, ' +
      'or use another guardrail or the base model meanwhile.',
  );
}
