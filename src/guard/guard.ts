import { fileURLToPath } from 'node:url';
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { Policy } from '../policy/policy.js';
import { assert, UserError } from '../util/errors.js';
import type { Completion, GuardModel } from './model.js';
import { openModel } from './open-model.js';
import { unsafeProbability, verdictIds, type VerdictIds } from './probability.js';
import type { GuardProfile, ReadAnswer } from './profile.js';
import { profileNamed } from './profiles/index.js';
import { readGuardSettings } from './settings.js';
import type { Problem, Verdict } from './verdict.js';

/** The checkpoint that comes with the package: understands IconWorld scenes only. */
export const EMBEDDED_MODEL = fileURLToPath(new URL('../../models/safeguard-vl-tiny', import.meta.url));

/** The paper's limit for an answer, in tokens (`adorableChowhound/SafeGuard-VL:train/grpo.sh`). */
export const DEFAULT_MAX_NEW_TOKENS = 512;

/** Judgements generated together where the caller does not say. */
const DEFAULT_BATCH_SIZE = 8;

/** A file, its bytes, or pixels. */
export type ImageSource = string | Uint8Array | RgbImage;

export interface JudgeOptions {
  /** The longest answer, in tokens; an answer that is cut off is invalid. */
  readonly maxNewTokens?: number;
}

export interface BatchOptions extends JudgeOptions {
  /** How many judgements are generated together. */
  readonly batchSize?: number;
}

export interface LoadOptions {
  /** The profile to ask and read with; otherwise that of the folder's `guard.json`, otherwise `paper`. */
  readonly profile?: string;
  /** Opens the checkpoint folder; by default our own engine does. */
  readonly open?: (folder: string) => Promise<GuardModel>;
}

/** One image under one policy. */
export interface Judgement {
  readonly image: ImageSource;
  readonly policy: Policy | string;
}

/** A model with the profile that its family is asked and read with. */
export class Guard {
  readonly #ids: VerdictIds;

  constructor(
    readonly model: GuardModel,
    readonly profile: GuardProfile,
  ) {
    this.#ids = verdictIds(model.processor.tokenizer, profile.verdictTokens);
  }

  /** Opens a checkpoint folder, without one the embedded model. @throws UserError where it cannot be opened. */
  static async load(folder: string = EMBEDDED_MODEL, options: LoadOptions = {}): Promise<Guard> {
    const profile = profileNamed(options.profile ?? (await readGuardSettings(folder)).profile);
    return new Guard(await (options.open ?? openModel)(folder), profile);
  }

  /**
   * Judges one image under one policy; a policy given as a string is read as Markdown.
   * @throws UserError for an image or policy that cannot be read. An answer that cannot be read is a verdict: `invalid`.
   */
  async judge(image: ImageSource, policy: Policy | string, options: JudgeOptions = {}): Promise<Verdict> {
    const [verdict] = await this.judgeAll([{ image, policy }], options);
    assert(verdict, 'judgeAll gave no verdict for one judgement');
    return verdict;
  }

  /** Judges a list in batches; the verdicts come in its order. The first input that cannot be read ends it with a `UserError`. */
  async judgeAll(judgements: readonly Judgement[], options: BatchOptions = {}): Promise<Verdict[]> {
    const batchSize = positive(options.batchSize ?? DEFAULT_BATCH_SIZE, 'batchSize');
    const maxNewTokens = positive(options.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, 'maxNewTokens');
    const verdicts: Verdict[] = [];
    for (let start = 0; start < judgements.length; start += batchSize) {
      const prepared: Prepared[] = [];
      for (const judgement of judgements.slice(start, start + batchSize)) {
        prepared.push(await this.#prepare(judgement));
      }
      verdicts.push(...(await this.#answer(prepared, maxNewTokens)));
    }
    return verdicts;
  }

  /** Frees the model. */
  async dispose(): Promise<void> {
    await this.model.dispose();
  }

  async #prepare({ image, policy: given }: Judgement): Promise<Prepared> {
    const policy = typeof given === 'string' ? Policy.fromMarkdown(given) : given;
    const begun = performance.now();
    const pixels = await pixelsOf(image);
    const decoded = performance.now();
    const prompt = this.model.processor.encodeChat(this.profile.messages(pixels, policy));
    return { policy, prompt, imageTime: decoded - begun, promptTime: performance.now() - decoded };
  }

  async #answer(prepared: readonly Prepared[], maxNewTokens: number): Promise<Verdict[]> {
    const begun = performance.now();
    const completions = await this.model.generate(
      prepared.map(({ prompt }) => prompt),
      { maxNewTokens, watch: this.#ids.watch },
    );
    const generate = performance.now() - begun;
    assert(
      completions.length === prepared.length,
      `${prepared.length} prompts were given and ${completions.length} completions came back`,
    );
    return prepared.map((item, index) => {
      const completion = completions[index];
      assert(completion, `completion ${index} is missing`);
      return this.#verdict(item, completion, generate);
    });
  }

  #verdict(
    { policy, prompt, imageTime, promptTime }: Prepared,
    completion: Completion,
    generate: number,
  ): Verdict {
    const answer = this.profile.read(completion.text, policy);
    const { tokenizer } = this.model.processor;
    const probability =
      answer.verdictAt === null
        ? null
        : unsafeProbability(completion, { ids: this.#ids, offset: answer.verdictAt, tokenizer });
    return {
      label: answer.label,
      probability,
      category: answer.category,
      violatedRule: answer.violatedRule,
      reasoning: answer.reasoning,
      raw: completion.text,
      problem: problemOf(answer, completion),
      tokens: { prompt: prompt.inputIds.length, completion: completion.tokens.length },
      timings: {
        image: imageTime,
        prompt: promptTime,
        generate,
        total: imageTime + promptTime + generate,
      },
      model: this.model.identity,
      policy: policy.identity,
      profile: this.profile.name,
      finishReason: completion.finishReason,
    };
  }
}

interface Prepared {
  readonly policy: Policy;
  readonly prompt: EncodedPrompt;
  /** Milliseconds. */
  readonly imageTime: number;
  readonly promptTime: number;
}

/** An unreadable answer that the token limit cut off has the limit as its reason. */
function problemOf({ problem }: ReadAnswer, { finishReason, tokens }: Completion): Problem | null {
  if (problem?.kind !== 'unreadable' || finishReason !== 'length') return problem;
  return { kind: 'truncated', message: `the answer was cut off after ${tokens.length} tokens; allow more` };
}

async function pixelsOf(image: ImageSource): Promise<RgbImage> {
  if (typeof image === 'string' || image instanceof Uint8Array) return await decodeImage(image);
  const { width, height, data } = image;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new UserError(`the image is ${width}×${height}; width and height must be whole numbers from 1`);
  }
  if (data.length !== 3 * width * height) {
    throw new UserError(
      `an image of ${width}×${height} has ${3 * width * height} bytes of RGB, and ${data.length} were given`,
    );
  }
  return image;
}

function positive(value: number, name: string): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new UserError(`${name} must be a whole number from 1, and ${value} was given`);
}
