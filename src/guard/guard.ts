import { EMBEDDED_MODEL } from '../checkpoint/embedded.js';
import { type DownloadProgress, resolveModel } from '../checkpoint/hub/index.js';
import type { Engine } from '../engines/engine.js';
import { Limiter } from '../engines/limiter.js';
import { LocalEngine } from '../engines/local.js';
import { OpenAIEngine, type OpenAIEngineOptions } from '../engines/openai.js';
import type { FetchOptions } from '../net/fetch-guarded.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { checkOptions } from '../util/options.js';
import { grouped, pipeline } from '../util/pipeline.js';
import { type AskOptions, type Reply, type Turn, reply } from './ask.js';
import { type Judged, type Judgement, judgeGroup, type JudgeSettings, verdictsOf } from './judging.js';
import { type ImageSource, Pictures, type Reads } from './pictures.js';
import type { GuardProfile } from './profile.js';
import { profileFrom, recognisedProfile } from './profiles/index.js';
import { type Regime, REGIMES } from './regimes.js';
import { profileOfFolder } from './settings.js';
import type { Verdict } from './verdict.js';
import { unknownWordsNote } from './vocabulary.js';

/** The paper's limit for an answer, in tokens (`adorableChowhound/SafeGuard-VL:train/grpo.sh`). */
export const DEFAULT_MAX_NEW_TOKENS = 512;

/** Judgements generated together where the caller does not say. */
const DEFAULT_BATCH_SIZE = 8;
/** From this probability of the likelier label on, `hybrid` does not reason. */
const DEFAULT_CERTAINTY = 0.9;
/** Groups of judgements in hand beside those at work: their pictures are read meanwhile. */
const READ_AHEAD = 1;

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
  /** How many judgements a model in this process generates together; over a server, of one picture. Default 8. */
  readonly batchSize?: number;
  /** How many such batches are at work at once. Default: what the engine works on side by side, 1 in this process. */
  readonly concurrency?: number;
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

/** What may stand in each object of options. */
const GUARD_OPTIONS = { maxPixels: true, fetch: true } as const;
const LOAD_OPTIONS = {
  ...GUARD_OPTIONS,
  profile: true,
  adapter: true,
  threads: true,
  onProgress: true,
} as const;
const GROUP_OPTIONS = {
  regime: true,
  maxNewTokens: true,
  certainty: true,
  constrained: true,
  signal: true,
} as const;
const JUDGE_OPTIONS = { ...GROUP_OPTIONS, onText: true } as const;
const BATCH_OPTIONS = { ...GROUP_OPTIONS, batchSize: true, concurrency: true } as const;
const ASK_OPTIONS = {
  maxNewTokens: true,
  temperature: true,
  topP: true,
  seed: true,
  signal: true,
  onText: true,
} as const;

/** A model with the profile that its family is asked and read with. */
export class Guard {
  readonly #pictures: Pictures;
  /** What is under way. */
  readonly #atWork = new Set<Promise<unknown>>();
  #closed = false;

  constructor(
    readonly engine: Engine,
    readonly profile: GuardProfile,
    options: GuardOptions = {},
  ) {
    checkOptions(options, GUARD_OPTIONS, 'Guard');
    const { maxPixels } = options;
    if (maxPixels !== undefined) positive(maxPixels, 'maxPixels');
    this.#pictures = new Pictures(engine, options);
  }

  /**
   * Opens a checkpoint folder, a model of the Hugging Face hub by its name (fetched once), without either the embedded
   * model, or a model behind a server.
   * @throws UserError where it cannot be opened.
   */
  static async load(model: string | ServedModel = EMBEDDED_MODEL, given: LoadOptions = {}): Promise<Guard> {
    checkOptions(given, LOAD_OPTIONS, 'Guard.load');
    const { profile: asked, adapter, threads, onProgress, ...options } = given;
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
   *
   * @example
   * const verdict = await guard.judge(upload, 'No weapons.\nArt is allowed.', { signal: AbortSignal.timeout(60_000) });
   */
  async judge(
    image: ImageSource | readonly ImageSource[],
    policy: Policy | string,
    options: JudgeOptions = {},
  ): Promise<Verdict> {
    checkOptions(options, JUDGE_OPTIONS, 'judge');
    const [{ verdict, error }] = await this.#working(
      judgeGroup(this.#judge(), [{ index: 0, judgement: { image, policy } }], checkedSettings(options)),
    );
    if (error !== null) throw error;
    return verdict;
  }

  /**
   * One item under several policies, in their order; the images are read and encoded once.
   * @throws UserError for the first that cannot be judged.
   */
  async judgeMany(
    image: ImageSource | readonly ImageSource[],
    policies: readonly (Policy | string)[],
    options: BatchOptions = {},
  ): Promise<Verdict[]> {
    const judgements = policies.map((policy) => ({ image, policy }));
    return verdictsOf(this.judgeAll(judgements, options));
  }

  /**
   * Judges a list or a stream, in its order: of each judgement the verdict, or why there is none. What cannot be read or
   * answered costs only itself. Judgements are taken as they are needed, a few ahead of the verdicts, so a stream may be
   * endless. A model in this process judges `batchSize` at a time; a server as many at once as its engine allows. What
   * stands several times is read and encoded once while it is near.
   * @throws what ends the signal, and what the stream itself throws.
   *
   * @example
   * for await (const { index, verdict, error } of guard.judgeAll(paths.map((image) => ({ image, policy })))) {
   *   console.log(paths[index], error === null ? verdict.label : error.message);
   * }
   */
  async *judgeAll(
    judgements: Iterable<Judgement> | AsyncIterable<Judgement>,
    options: BatchOptions = {},
  ): AsyncGenerator<Judged, void> {
    checkOptions(options, BATCH_OPTIONS, 'judgeAll');
    const given = checkedSettings(options);
    const batchSize = positive(options.batchSize ?? DEFAULT_BATCH_SIZE, 'batchSize');
    const { concurrency: sideBySide } = this.engine;
    const concurrency = positive(options.concurrency ?? sideBySide ?? 1, 'concurrency');
    const left = new AbortController();
    const signal = AbortSignal.any([left.signal, ...(given.signal === undefined ? [] : [given.signal])]);
    const turns = new Limiter(concurrency);
    const reads: Reads = new Map();
    const settings: JudgeSettings = { ...given, signal, turns, reads };
    // A server gains nothing by waiting for a batch to be full; what it shares is a picture.
    const groups = grouped(
      numbered(judgements),
      batchSize,
      sideBySide === undefined ? undefined : (a, b) => isSame(a.judgement.image, b.judgement.image),
    );
    // Sources are remembered for as many items as are in hand.
    const remembered = batchSize * (concurrency + READ_AHEAD);
    const judged = pipeline(
      groups,
      (group) => {
        for (const [source] of reads) {
          if (reads.size <= remembered) break;
          reads.delete(source);
        }
        return this.#working(judgeGroup(this.#judge(), group, settings));
      },
      { ahead: concurrency + READ_AHEAD },
    );
    try {
      for await (const group of judged) yield* group;
    } finally {
      left.abort(new Error('nobody waits for the verdicts any more'));
    }
  }

  /** A question about images, or a chat of several turns, through the same model: no policy, no verdict. */
  async ask(
    images: ImageSource | readonly ImageSource[],
    question: string | readonly Turn[],
    options: AskOptions = {},
  ): Promise<Reply> {
    checkOptions(options, ASK_OPTIONS, 'ask');
    this.#checkOpen();
    const maxNewTokens = positive(options.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, 'maxNewTokens');
    const { signal } = options;
    const asking = this.#pictures
      .item(images, maxNewTokens, { signal })
      .then((item) => reply(this.engine, item.images, question, { ...options, maxNewTokens }));
    return this.#working(asking);
  }

  /**
   * Words of a policy that the model was never trained on, each once and in their order; none where the checkpoint does
   * not tell its words. A verdict that would rest on them is `invalid`.
   *
   * @example guard.unknownWords('No crossbows.'); // ['crossbows'] with the embedded model
   */
  unknownWords(policy: Policy | string): string[] {
    const { statements } = typeof policy === 'string' ? Policy.from(policy) : policy;
    return this.profile.vocabulary?.unknownWords(statements) ?? [];
  }

  /** {@link unknownWords} as one sentence for whoever wrote the policy; null where there are none. */
  unknownWordsNote(policy: Policy): string | null {
    return unknownWordsNote(this.engine.identity.name, policy.title, this.unknownWords(policy));
  }

  /** Waits for what is under way and frees the model; what is asked of the guard afterwards is refused (`closed`). */
  async dispose(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#atWork);
    await this.engine.close();
  }

  #judge(): Parameters<typeof judgeGroup>[0] {
    this.#checkOpen();
    const { engine, profile } = this;
    return { engine, profile, pictures: this.#pictures };
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new UserError('the guard is closed; load it again', { code: 'closed' });
  }

  #working<T>(work: Promise<T>): Promise<T> {
    this.#atWork.add(work);
    const done = (): void => void this.#atWork.delete(work);
    work.then(done, done);
    return work;
  }
}

async function* numbered(
  judgements: Iterable<Judgement> | AsyncIterable<Judgement>,
): AsyncGenerator<{ index: number; judgement: Judgement }, void> {
  let index = 0;
  for await (const judgement of judgements) yield { index: index++, judgement };
}

const isSame = (a: Judgement['image'], b: Judgement['image']): boolean =>
  a === b ||
  (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => one === b[i]));

function checkedSettings(options: JudgeOptions): JudgeSettings {
  const { regime = 'reason', certainty = DEFAULT_CERTAINTY, constrained = false, signal, onText } = options;
  const maxNewTokens = positive(options.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, 'maxNewTokens');
  if (!REGIMES.includes(regime)) {
    throw new UserError(`there is no regime "${String(regime)}"; choose one of ${REGIMES.join(', ')}`, {
      code: 'invalid_option',
    });
  }
  if (!(certainty >= 0.5 && certainty <= 1)) {
    throw new UserError(`certainty must lie from 0.5 to 1, and ${certainty} was given`, {
      code: 'invalid_option',
    });
  }
  return {
    regime,
    maxNewTokens,
    certainty,
    constrained,
    ...(signal !== undefined && { signal }),
    ...(onText !== undefined && { onText }),
  };
}

function positive(value: number, name: string): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new UserError(`${name} must be a whole number from 1, and ${value} was given`, {
    code: 'invalid_option',
  });
}

export type { AskOptions, Reply, Turn } from './ask.js';
export { type Judged, type Judgement, verdictsOf } from './judging.js';
export type { ImageSource } from './pictures.js';
