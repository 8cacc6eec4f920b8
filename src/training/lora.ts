/** @module A LoRA adapter in training: which modules, its fresh weights, and its folder as PEFT writes it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FileCalls, nodeFiles, writeAtomically } from '../checkpoint/files.js';
import { flatName } from '../checkpoint/names.js';
import { SafetensorsFile, writeSafetensors } from '../checkpoint/safetensors.js';
import { initialLora, isLoraName, type LoraSettings } from '../nn/lora.js';
import { UserError } from '../util/errors.js';
import type { LoraYaml } from './config.js';
import { isVision } from './trainable.js';
import type { ModelStore } from './run-folder.js';
import type { ModelWeights } from './weights.js';

/** The language model's linear modules without its head: what `all-linear` means, as in the paper's SFT. */
const ALL_LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const targetsOf = ({ target_modules: targets }: LoraYaml): readonly string[] =>
  targets === 'all-linear' ? ALL_LINEAR : targets;

/** Names of modules, without their `.weight`. */
function modulesOf(weights: ModelWeights): string[] {
  return [...weights].flatMap(([name, { shape }]) =>
    shape.length === 2 && name.endsWith('_proj.weight') && !isVision(name)
      ? [name.slice(0, -'.weight'.length)]
      : [],
  );
}

/** @throws UserError for a target that no module of the language model has. */
export function loraSettings(lora: LoraYaml, weights: ModelWeights): LoraSettings {
  const modules = modulesOf(weights);
  const targets = targetsOf(lora);
  const fits = (module: string, target: string): boolean => module.endsWith(`.${target}`);
  for (const target of targets) {
    if (modules.some((module) => fits(module, target))) continue;
    throw new UserError(
      `lora.target_modules: no linear module of the language model is called '${target}'; choose among ${ALL_LINEAR.join(', ')}.`,
    );
  }
  const adapted = new Set(modules.filter((module) => targets.some((target) => fits(module, target))));
  const { r, alpha, dropout, rslora } = lora;
  return { r, alpha, dropout, rslora, isTarget: (module) => adapted.has(module) };
}

/** The model's weights and the adapter's fresh ones. */
export function withLora(weights: ModelWeights, settings: LoraSettings, seed: number): ModelWeights {
  const all = new Map(weights);
  for (const module of modulesOf(weights)) {
    if (!settings.isTarget(module)) continue;
    const shape = weights.get(`${module}.weight`)?.shape ?? [];
    for (const { name, shape: own, data } of initialLora(module, shape, settings.r, seed)) {
      all.set(name, { dtype: 'f32', shape: own, data });
    }
  }
  return all;
}

const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';

/** PEFT's name of an adapter's weight, for transformers' nested modules. */
const storedName = (name: string): string =>
  `base_model.model.${name.replace(/^model\./, 'model.language_model.')}`;

/** What PEFT reads of an adapter; everything else keeps PEFT's defaults. */
function adapterJson(lora: LoraYaml, base: string): Record<string, unknown> {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base,
    r: lora.r,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    use_rslora: lora.rslora,
    bias: 'none',
    // As a pattern, since the vision tower has modules of the same names.
    target_modules: `.*language_model.*\\.(${targetsOf(lora).join('|')})`,
    init_lora_weights: true,
    inference_mode: true,
  };
}

/** Writes and reads the adapter's weights as a PEFT folder; the base stays where it is. */
export function adapterStore(weights: ModelWeights, lora: LoraYaml, base: string): ModelStore {
  const own = [...weights].filter(([name]) => isLoraName(name));
  return {
    async write(folder: string, files: FileCalls = nodeFiles) {
      mkdirSync(folder, { recursive: true });
      await writeSafetensors(
        join(folder, WEIGHTS_FILE),
        own.map(([name, { shape, data }]) => ({ name: storedName(name), dtype: 'F32', shape, data })),
        { files, metadata: { format: 'pt' } },
      );
      const json = `${JSON.stringify(adapterJson(lora, base), null, 2)}\n`;
      writeAtomically(join(folder, CONFIG_FILE), [new TextEncoder().encode(json)], files);
    },
    read(folder: string) {
      readAdapterInto(folder, weights);
      return Promise.resolve();
    },
  };
}

/** Copies an adapter's weights over those in training. A UserError where it is another adapter's folder. */
export function readAdapterInto(folder: string, weights: ModelWeights): void {
  const file = SafetensorsFile.open(join(folder, WEIGHTS_FILE));
  try {
    const stored = new Map([...file.tensors.keys()].map((name) => [flatStored(name), name]));
    for (const [name, { data }] of weights) {
      if (!isLoraName(name)) continue;
      const found = stored.get(name);
      const values = found === undefined ? undefined : file.readWeight(found);
      if (values?.length !== data.length) {
        throw new UserError(
          `${folder} holds another adapter: ${name} is ${found ? 'of another size' : 'missing'}.`,
        );
      }
      data.set(values);
    }
  } finally {
    file.close();
  }
}

/** The name in training of a weight that PEFT stored. */
export const flatStored = (stored: string): string =>
  flatName(stored.replace(/^base_model\.model\./, '').replace(/\.default\.weight$/, '.weight'));
