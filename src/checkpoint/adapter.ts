/** @module PEFT LoRA adapters: read, checked against their base, and merged into its weights as these are read. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '../util/errors.js';
import { adapterConfig, type LoraConfig, scalingOf } from './adapter-config.js';
import type { Checkpoint } from './checkpoint.js';
import { firstNonFinite } from './dtype.js';
import { readJsonObject } from './json.js';
import { flatName } from './names.js';
import { SafetensorsFile } from './safetensors.js';

const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';

/** What PEFT puts before the name that a module has in the base model. */
const PEFT_PREFIX = 'base_model.model.';

/** The part of a stored name that says what a tensor is; the module's own name stands before it. */
const PARTS = [
  ['.lora_A.weight', 'a'],
  ['.lora_B.weight', 'b'],
  ['.lora_magnitude_vector.weight', 'magnitude'],
  ['.lora_magnitude_vector', 'magnitude'],
] as const;

/** One adapted matrix: the stored names of its tensors, and the factor on B·A. */
interface LoraTarget {
  /** [r, in] and [out, r]. */
  readonly a: string;
  readonly b: string;
  /** [out]: the row lengths of DoRA (arXiv 2402.09353), where the adapter has them. */
  readonly magnitude: string | undefined;
  readonly rank: number;
  readonly scaling: number;
}

/**
 * A PEFT adapter folder: `adapter_config.json` and `adapter_model.safetensors` (peft:tuners/lora). LoRA, rsLoRA, DoRA,
 * patterns of ranks and alphas, and modules saved whole are understood; every other kind is refused by name.
 */
export class Adapter {
  private constructor(
    readonly folder: string,
    private readonly file: SafetensorsFile,
    /** By the flat name of the base's weight. */
    private readonly targets: ReadonlyMap<string, LoraTarget>,
    /** Weights that the adapter holds whole: stored names by flat ones. */
    private readonly whole: ReadonlyMap<string, string>,
  ) {}

  /** @throws UserError where the folder is no adapter that can be merged. */
  static open(path: string): Adapter {
    const folder = adapterFolder(path);
    const config = adapterConfig(readJsonObject(join(folder, CONFIG_FILE)), folder);
    const file = SafetensorsFile.open(join(folder, WEIGHTS_FILE));
    try {
      return new Adapter(folder, file, ...readTargets(folder, file, config));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * The base's weights with the adapter in them: `W + scaling · B·A`, computed in f32 as each is read.
   * @throws UserError where the adapter belongs to another base: a module or a shape that this one does not have.
   */
  mergedInto(base: Checkpoint): { read(name: string): Float32Array } {
    this.#check(base);
    return {
      read: (name) => {
        const whole = this.whole.get(name);
        if (whole !== undefined) return this.file.readWeight(whole);
        const weight = base.readFloat32(name);
        const target = this.targets.get(name);
        if (target !== undefined) this.#merge(weight, target);
        if (target !== undefined && firstNonFinite(weight) >= 0) {
          throw new UserError(
            `the adapter ${this.folder} makes "${name}" infinite, with which nothing can be computed: its lora_alpha or its weights are damaged; take it from its source again.`,
            { code: 'invalid_checkpoint' },
          );
        }
        return weight;
      },
    };
  }

  close(): void {
    this.file.close();
  }

  #check(base: Checkpoint): void {
    if (this.targets.has(HEAD) && !base.tensors.has(HEAD) && base.tensors.has(EMBEDDING)) {
      // Merged into the shared weight it would change the embedding too; PEFT warns of that and does it.
      throw new UserError(
        `the adapter ${this.folder} changes "${HEAD}", and ${base.folder} has no head of its own: it shares the embedding's weight ` +
          '(tie_word_embeddings). Merge it with PEFT (merge_and_unload) into a base whose head is untied, and give the whole model.',
        { code: 'unsupported' },
      );
    }
    for (const [name, { a, b, magnitude, rank }] of this.targets) {
      const [out, inner] = this.#shapeInBase(base, name, 2);
      this.#expectShape(a, [rank, inner], base);
      this.#expectShape(b, [out, rank], base);
      if (magnitude !== undefined) this.#expectShape(magnitude, [out], base);
    }
    if (this.whole.has(EMBEDDING) && !base.tensors.has(HEAD)) {
      // PEFT would train the embedding alone, and a tied head is the same weight.
      throw new UserError(
        `the adapter ${this.folder} replaces the embedding, which ${base.folder} shares with its output head: merge it with PEFT (merge_and_unload) and give the whole model.`,
      );
    }
    for (const [name, stored] of this.whole) {
      const shape = this.file.tensors.get(stored)?.shape ?? [];
      this.#expectShape(stored, this.#shapeInBase(base, name, shape.length), base);
    }
  }

  #shapeInBase(base: Checkpoint, name: string, dimensions: number): readonly number[] {
    const shape = base.tensors.get(name)?.shape;
    if (shape?.length === dimensions) return shape;
    const what = shape === undefined ? 'has no such weight' : `has it as [${shape.join(', ')}]`;
    throw new UserError(
      `the adapter ${this.folder} changes "${name}", and ${base.folder} ${what}: give the base model that the adapter was trained on.`,
    );
  }

  #expectShape(stored: string, expected: readonly number[], base: Checkpoint): void {
    const shape = this.file.tensors.get(stored)?.shape ?? [];
    if (shape.length === expected.length && shape.every((size, i) => size === expected[i])) return;
    throw new UserError(
      `the adapter ${this.folder} has "${stored}" as [${shape.join(', ')}] where ${base.folder} needs [${expected.join(', ')}]: ` +
        'give the base model that the adapter was trained on.',
    );
  }

  #merge(weight: Float32Array, { a, b, magnitude, rank, scaling }: LoraTarget): void {
    const down = this.file.readWeight(a);
    const up = this.file.readWeight(b);
    const lengths = magnitude === undefined ? undefined : this.file.readWeight(magnitude);
    const inner = down.length / rank;
    for (let row = 0; row * inner < weight.length; row++) {
      const line = weight.subarray(row * inner, (row + 1) * inner);
      for (let k = 0; k < rank; k++) {
        const factor = scaling * up[row * rank + k];
        const from = k * inner;
        for (let column = 0; column < inner; column++) line[column] += factor * down[from + column];
      }
      if (lengths !== undefined) setLength(line, lengths[row]);
    }
  }
}

/** DoRA keeps the direction of a row and sets its length. */
function setLength(row: Float32Array, length: number): void {
  const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  for (let i = 0; i < row.length; i++) row[i] *= length / norm;
}

function adapterFolder(path: string): string {
  const folder = resolve(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new UserError(
      `the adapter ${path} is no folder: give one with ${CONFIG_FILE} and ${WEIGHTS_FILE}.`,
    );
  }
  if (!existsSync(join(folder, CONFIG_FILE))) {
    throw new UserError(
      `${path} has no ${CONFIG_FILE}, so it is no PEFT adapter: give the folder that PEFT saved.`,
    );
  }
  if (existsSync(join(folder, WEIGHTS_FILE))) return folder;
  const pickled = existsSync(join(folder, 'adapter_model.bin'));
  throw new UserError(
    pickled
      ? `${folder} has its weights as adapter_model.bin, which is not read: save the adapter as safetensors.`
      : `${folder} has no ${WEIGHTS_FILE}: take the adapter from its source again.`,
  );
}

type Parts = Partial<Record<(typeof PARTS)[number][1], string>>;

/** Sorts the tensors of the file by what they do to which weight. */
function readTargets(
  folder: string,
  file: SafetensorsFile,
  config: LoraConfig,
): [targets: Map<string, LoraTarget>, whole: Map<string, string>] {
  const adapted = new Map<string, Parts>();
  const whole = new Map<string, string>();
  for (const stored of file.tensors.keys()) {
    if (!stored.startsWith(PEFT_PREFIX)) {
      throw new UserError(
        `${folder} has a tensor "${stored}", whose name does not begin with "${PEFT_PREFIX}": save the adapter with PEFT.`,
      );
    }
    const found = PARTS.find(([ending]) => stored.endsWith(ending));
    if (found === undefined) {
      if (stored.includes('.lora_')) {
        throw new UserError(
          `${folder} has a tensor "${stored}", a kind of adapter that is not merged here: merge it with PEFT (merge_and_unload) and give the whole model.`,
        );
      }
      whole.set(flatName(stored.slice(PEFT_PREFIX.length)), stored);
      continue;
    }
    const [ending, part] = found;
    const module = stored.slice(PEFT_PREFIX.length, -ending.length);
    adapted.set(module, { ...adapted.get(module), [part]: stored });
  }
  if (adapted.size + whole.size === 0) {
    throw new UserError(`${folder} has an adapter without weights: take it from its source again.`);
  }
  const targets = [...adapted].map(([module, parts]) => {
    return [flatName(`${module}.weight`), targetOf(folder, file, config, module, parts)] as const;
  });
  return [new Map(targets), whole];
}

function targetOf(
  folder: string,
  file: SafetensorsFile,
  config: LoraConfig,
  module: string,
  { a, b, magnitude }: Parts,
): LoraTarget {
  if (a === undefined || b === undefined || config.dora !== (magnitude !== undefined)) {
    const lacking = a === undefined ? 'lora_A' : b === undefined ? 'lora_B' : 'what use_dora says of it';
    throw new UserError(
      `${folder} lacks ${lacking} for "${module}": take the adapter from its source again.`,
    );
  }
  const { rank, scaling } = scalingOf(config, module);
  const stored = file.tensors.get(b)?.shape[1];
  if (stored !== rank) {
    throw new UserError(
      `${folder} has "${b}" of rank ${stored}, and its ${CONFIG_FILE} says ${rank}: take both files from one save.`,
    );
  }
  return { a, b, magnitude, rank, scaling };
}
