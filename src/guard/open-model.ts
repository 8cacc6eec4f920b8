import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { LoadedModel } from '../generation/model.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { sha256 } from '../util/hash.js';
import type { Completion, GenerateOptions, GuardModel } from './model.js';
import type { ModelIdentity } from './verdict.js';

/** Hashing this many bytes takes well under a second; larger weights are known by their path alone. */
const MAX_HASHED_BYTES = 100_000_000;

/** Opens a Qwen2.5-VL checkpoint folder with our own engine. @throws UserError where the folder cannot be run. */
export async function openModel(folder: string): Promise<GuardModel> {
  // The engine brings ONNX Runtime: it is loaded when a model is, not with the first import of `Guard`.
  const engine = await import('../generation/model.js');
  const loaded = await engine.LoadedModel.load(folder);
  return new LocalModel(await identify(folder), loaded);
}

/** A checkpoint that runs in this process, as a guard wants it: greedy, with text. */
class LocalModel implements GuardModel {
  constructor(
    readonly identity: ModelIdentity,
    private readonly loaded: LoadedModel,
  ) {}

  get processor(): GuardModel['processor'] {
    return this.loaded.processor;
  }

  async generate(
    prompts: readonly EncodedPrompt[],
    { maxNewTokens, watch }: GenerateOptions,
  ): Promise<Completion[]> {
    const generated = await this.loaded.generate(prompts, { maxNewTokens, watch });
    return generated.map(({ tokens, finishReason, watched }) => {
      const text =
        tokens.length === 0 ? '' : this.processor.tokenizer.decode(tokens, { skipSpecialTokens: true });
      return { tokens, text, finishReason, watched };
    });
  }

  async dispose(): Promise<void> {
    await this.loaded.dispose();
  }
}

/** The folder's name and path, and the weights' hash where they are one small file. */
async function identify(folder: string): Promise<ModelIdentity> {
  const path = resolve(folder);
  const identity = { name: basename(path), path };
  const weights = join(path, 'model.safetensors');
  const size = await stat(weights).then(
    (info) => info.size,
    () => Infinity,
  );
  return size > MAX_HASHED_BYTES ? identity : { ...identity, hash: sha256(await readFile(weights)) };
}
