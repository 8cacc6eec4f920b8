import { EMBEDDED_MODEL } from '../checkpoint/embedded.js';
import { type DownloadProgress, resolveModel } from '../checkpoint/hub/index.js';
import type { Engine, Pace } from '../engines/engine.js';
import { LocalEngine } from '../engines/local.js';
import { OpenAIEngine, type OpenAIEngineOptions } from '../engines/openai.js';
import type { RgbImage } from '../images/image.js';
import type { FetchOptions } from '../net/fetch-guarded.js';
import { Policy } from '../policy/policy.js';
import { assert, UserError } from '../util/errors.js';
import { type AskOptions, type Reply, type Turn, reply } from './ask.js';
import { type ImageSource, pixelsOf, withinPixels } from './pictures.js';
import { largestWithin } from './pixel-cap.js';
import type { GuardProfile, ReadAnswer } from './profile.js';
import { profileFrom, recognisedProfile } from './profiles/index.js';
import { type Answered, answerAll, type Asked, type Regime, REGIMES } from './regimes.js';
import { profileOfFolder } from './settings.js';
import type { Problem, Verdict } from './verdict.js';
import { unknownWordsNote } from './vocabulary.js';

/** The paper's limit for an answer, in tokens (`adorableChowhound/SafeGuard-VL:train/grpo.sh`). */
export const DEFAULT_MAX_NEW_TOKENS = 512;

/** Judgements generated together where the caller does not say. */
const DEFAULT_BATCH_SIZE = 8;
/** From this probability of the likelier label on, `hybrid` does not reason. */
const DEFAULT_CERTAINTY = 0.9;
/** A model that sees this many images at once is given no more: the answer would take hours on a CPU. */
const MAX_IMAGES = 100;

export interface JudgeOptions {
  /** Default `reason`. */
  readonly regime?: Regime;
  /** The longest answer, in tokens; an answer that is cut off is invalid. */
  readonly maxNewTokens?: number;
  /** From this probability of the likelier label on (0.5 to 1), `hybrid` answers at once. Default 0.9. */
  readonly certainty?: number;
  /** Hold the answer to the profile's grammar, so that none is lost to a wrong format. Default false. */
  readonly constrained?: boolean;
  readonly signal?: AbortSignal;
  /** What has been written of the reasoning, as it is written; for single judgements. */
  readonly onText?: (text: string) => void;
}

export interface BatchOptions extends Omit<JudgeOptions, 'onText'> {
  /** How many judgements are generated together. */
  readonly batchSize?: number;
}

export interface GuardOptions {
  /** The most pixels of an image that the model is shown. Otherwise what keeps a verdict within a minute here. */
  readonly maxPixels?: number;
  /** How URLs of images are fetched. */
  readonly fetch?: FetchOptions;
}

export interface LoadOptions extends GuardOptions {
  /** The name of a profile or the file of one's own; otherwise that of the model's `guard.json` or family. */
  readonly profile?: string;
  /** A PEFT adapter to merge into the weights: a folder or a name on the hub. */
  readonly adapter?: string;
  readonly threads?: number;
  /** Told while a model of the hub is fetched. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** A server in place of a folder. */
export interface ServedModel extends OpenAIEngineOptions {
  readonly engine: 'openai';
}

/** One item under one policy; several images are judged as one item. */
export interface Judgement {
  readonly image: ImageSource | readonly ImageSource[];
  readonly policy: Policy | string;
}

/** A model with the profile that its family is asked and read with. */
export class Guard {
  readonly #maxPixels: number | undefined;
  readonly #fetch: FetchOptions;

  constructor(
    readonly engine: Engine,
    readonly profile: GuardProfile,
    { maxPixels, fetch = {} }: GuardOptions = {},
  ) {
    if (maxPixels !== undefined) positive(maxPixels, 'maxPixels');
    this.#maxPixels = maxPixels;
    this.#fetch = fetch;
  }

  /**
   * Opens a checkpoint folder, a model of the Hugging Face hub by its name (fetched once), without either the embedded
   * model, or a model behind a server.
   * @throws UserError where it cannot be opened.
   */
  static async load(
    model: string | ServedModel = EMBEDDED_MODEL,
    { profile: asked, adapter, threads, onProgress, ...options }: LoadOptions = {},
  ): Promise<Guard> {
    const chosen = asked === undefined ? undefined : await profileFrom(asked);
    if (typeof model !== 'string') {
      if (adapter !== undefined) {
        throw new UserError('an adapter cannot be given to a server; start the server with it');
      }
      const { engine, ...server } = model;
      if (engine !== 'openai') {
        throw new UserError(
          `there is no engine "${String(engine)}"; give 'openai', or a folder or name in place of the object`,
        );
      }
      return new Guard(new OpenAIEngine(server), chosen ?? recognisedProfile([server.model]), options);
    }
    const folder = await resolveModel(model, { onProgress });
    const merged = adapter === undefined ? undefined : await resolveModel(adapter, { onProgress });
    const profile = await profileOfFolder(folder, model, chosen);
    return new Guard(await LocalEngine.load(folder, { adapter: merged, threads }), profile, options);
  }

  /**
   * Judges one item under one policy; a policy given as a string is read as Markdown.
   * @throws UserError for an image or policy that cannot be read. An answer that cannot be read is a verdict: `invalid`.
   */
  async judge(
    image: ImageSource | readonly ImageSource[],
    policy: Policy | string,
    options: JudgeOptions = {},
  ): Promise<Verdict> {
    const [verdict] = await this.#judgeBatch([{ image, policy }], options, new Map());
    assert(verdict, 'a batch of one gave no verdict');
    return verdict;
  }

  /** One item under several policies, in their order; the images are read and encoded once. */
  async judgeMany(
    image: ImageSource | readonly ImageSource[],
    policies: readonly (Policy | string)[],
    options: BatchOptions = {},
  ): Promise<Verdict[]> {
    return this.judgeAll(
      policies.map((policy) => ({ image, policy })),
      options,
    );
  }

  /** Judges a list in batches; the verdicts come in its order. The first input that cannot be read ends it with a `UserError`. */
  async judgeAll(judgements: readonly Judgement[], options: BatchOptions = {}): Promise<Verdict[]> {
    const batchSize = positive(options.batchSize ?? DEFAULT_BATCH_SIZE, 'batchSize');
    const verdicts: Verdict[] = [];
    const shared: Pictures = new Map();
    for (let start = 0; start < judgements.length; start += batchSize) {
      const batch = judgements.slice(start, start + batchSize);
      verdicts.push(...(await this.#judgeBatch(batch, options, shared)));
    }
    return verdicts;
  }

  /** A question about images, or a chat of several turns, through the same model: no policy, no verdict. */
  async ask(
    images: ImageSource | readonly ImageSource[],
    question: string | readonly Turn[],
    options: AskOptions = {},
  ): Promise<Reply> {
    const { pixels } = await this.#pictures(
      images,
      positive(options.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, 'maxNewTokens'),
    );
    return reply(this.engine, pixels, question, { maxNewTokens: DEFAULT_MAX_NEW_TOKENS, ...options });
  }

  /**
   * Words of a policy that the model was never trained on, each once and in their order; none where the checkpoint does
   * not tell its words. A verdict that would rest on them is `invalid`.
   *
   * @example guard.unknownWords('No crossbows.'); // ['crossbows'] with the embedded model
   */
  unknownWords(policy: Policy | string): string[] {
    const { statements } = typeof policy === 'string' ? Policy.fromMarkdown(policy) : policy;
    return this.profile.vocabulary?.unknownWords(statements) ?? [];
  }

  /** {@link unknownWords} as one sentence for whoever wrote the policy; null where there are none. */
  unknownWordsNote(policy: Policy): string | null {
    return unknownWordsNote(this.engine.identity.name, policy.title, this.unknownWords(policy));
  }

  /** Frees the model. */
  async dispose(): Promise<void> {
    await this.engine.close();
  }

  async #judgeBatch(
    judgements: readonly Judgement[],
    options: JudgeOptions,
    shared: Pictures,
  ): Promise<Verdict[]> {
    const { regime = 'reason', certainty = DEFAULT_CERTAINTY, constrained = false } = options;
    const maxNewTokens = positive(options.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, 'maxNewTokens');
    if (!REGIMES.includes(regime)) {
      throw new UserError(`there is no regime "${String(regime)}"; choose one of ${REGIMES.join(', ')}`);
    }
    if (!(certainty >= 0.5 && certainty <= 1)) {
      throw new UserError(`certainty must lie from 0.5 to 1, and ${certainty} was given`);
    }
    const prepared: Prepared[] = [];
    for (const { image, policy: given } of judgements) {
      const policy = typeof given === 'string' ? Policy.fromMarkdown(given) : given;
      const known = shared.get(image);
      const seen = known ?? (await this.#pictures(image, regime === 'fast' ? 1 : maxNewTokens));
      shared.set(image, { ...seen, milliseconds: 0 });
      prepared.push({ policy, chat: this.profile.messages(seen.pixels, policy), seen });
    }
    const begun = performance.now();
    const { signal, onText } = options;
    const answered = await answerAll(this.engine, this.profile, prepared, {
      regime,
      maxNewTokens,
      certainty,
      constrained,
      signal,
      onText,
    });
    const generate = performance.now() - begun;
    return prepared.map((item, i) => this.#verdict(item, answered[i], generate));
  }

  #verdict({ policy, seen }: Prepared, answered: Answered, generate: number): Verdict {
    const { answer, completion, probability, regime } = answered;
    return {
      label: answer.label,
      probability,
      category: answer.category,
      violatedRule: answer.violatedRule,
      reasoning: answer.reasoning,
      raw: completion.text,
      problem: problemOf(answer, answered),
      tokens: completion.usage,
      timings: { image: seen.milliseconds, generate, total: seen.milliseconds + generate },
      model: this.engine.identity,
      policy: policy.identity,
      unknownWords: this.unknownWords(policy),
      profile: this.profile.name,
      regime,
      maxPixels: seen.maxPixels,
      finishReason: completion.finishReason,
    };
  }

  /** Reads the pictures of one item and makes them small enough. */
  async #pictures(sources: ImageSource | readonly ImageSource[], newTokens: number): Promise<SeenPictures> {
    const begun = performance.now();
    const list = isList(sources) ? sources : [sources];
    if (list.length === 0) throw new UserError('there is no image to judge; give at least one');
    if (list.length > MAX_IMAGES) {
      throw new UserError(`${list.length} images are too many for one item; give at most ${MAX_IMAGES}`);
    }
    const whole: RgbImage[] = [];
    for (const source of list) whole.push(await pixelsOf(source, this.#fetch));
    const milliseconds = isPixels(list) ? 0 : performance.now() - begun;
    const cap = this.#maxPixels ?? (await this.#cap(whole, newTokens));
    const pixels = cap === null ? whole : whole.map((image) => withinPixels(image, cap));
    const shrunk = pixels.some((image, i) => image !== whole[i]);
    return { pixels, maxPixels: shrunk ? cap : null, milliseconds };
  }

  async #cap(images: readonly RgbImage[], newTokens: number): Promise<number | null> {
    const pace: (() => Promise<Pace>) | undefined = this.engine.pace?.bind(this.engine);
    return pace === undefined ? null : await largestWithin(images, newTokens, pace);
  }
}

type Pictures = Map<Judgement['image'], SeenPictures>;

/** The pictures of one item as the model is shown them. */
interface SeenPictures {
  readonly pixels: readonly RgbImage[];
  /** What they were cut down to; null where none was. */
  readonly maxPixels: number | null;
  /** What reading them took. */
  readonly milliseconds: number;
}

interface Prepared extends Asked {
  readonly seen: SeenPictures;
}

const isList = (sources: ImageSource | readonly ImageSource[]): sources is readonly ImageSource[] =>
  Array.isArray(sources);

const isPixels = (list: readonly ImageSource[]): boolean =>
  list.every((source) => typeof source === 'object' && !(source instanceof Uint8Array));

/** An unreadable answer that the token limit cut off has the limit as its reason. */
function problemOf({ problem }: ReadAnswer, { completion, regime }: Answered): Problem | null {
  if (problem?.kind !== 'unreadable' || completion.finishReason !== 'length' || regime === 'fast')
    return problem;
  const count = completion.usage.completion;
  const after = count === null ? '' : ` after ${count} tokens`;
  return { kind: 'truncated', message: `the answer was cut off${after}; allow more` };
}

function positive(value: number, name: string): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new UserError(`${name} must be a whole number from 1, and ${value} was given`);
}

export type { AskOptions, Reply, Turn } from './ask.js';
export type { ImageSource } from './pictures.js';
