/** @module The settings of a recaption run: who captions, rewrites and judges, and how. */
import { z } from 'zod';
import { count, parseSettings, readYaml } from '../training/config.js';
import { UserError } from '../util/errors.js';
import { checkPrompts, recaptionPrompts, type World, WORLDS } from './recaption-prompts.js';

/** The upper limit of Qwen2.5-VL's own processors: 1,280 tokens of 28 × 28 pixels. */
const MAX_PIXELS = 1280 * 28 ** 2;
/** The temperature and the longest answer of the authors' rewriter (SafeGuard-VL:data/recaption/recaption.py). */
const REWRITE_TEMPERATURE = 0.7;
const MAX_NEW_TOKENS = 1024;

const model = z.strictObject({
  engine: z.enum(['local', 'openai']).default('local'),
  /** A checkpoint folder, a model of the hub, or the server's name of its model; the embedded one where it is left out. */
  model: z.string().min(1).optional(),
  /** A PEFT adapter, for the local engine. */
  adapter: z.string().min(1).optional(),
  base_url: z.string().min(1).optional(),
  /** The environment variable that holds the server's key. */
  api_key_env: z.string().min(1).optional(),
  /** Seconds that one answer may take. */
  timeout: z.number().positive().optional(),
});

export type ModelChoice = Readonly<z.infer<typeof model>>;

export const recaptionConfig = z.strictObject({
  /** Prompts, and what rewrites and judges where nothing is said: `photos` or `iconworld`. */
  world: z.enum(Object.keys(WORLDS) as [World, ...World[]]),
  captioner: model.prefault({}),
  /** A model; `captioner`, the same one; `icons`, which names the kind of IconWorld's things; or `none`. */
  rewriter: z.union([z.enum(['captioner', 'icons', 'none']), model]),
  /** A model; `captioner`; or `facts`, what IconWorld's scenes really hold. */
  judge: z.union([z.enum(['captioner', 'facts']), model]),
  prompts: recaptionPrompts,
  /** Of captions and of rewrites; the judge has none. The second attempt on has the rewriter's for captions too. */
  temperature: z
    .strictObject({
      caption: z.number().min(0).default(0),
      rewrite: z.number().min(0).default(REWRITE_TEMPERATURE),
    })
    .prefault({}),
  max_new_tokens: count.default(MAX_NEW_TOKENS),
  /** How often a picture is tried until a recaption passes. */
  attempts: count.default(1),
  seed: z.int().default(0),
  /** The most pixels of a picture that the models are shown. */
  max_pixels: count.default(MAX_PIXELS),
  /** Pictures at work at once. */
  concurrency: count.default(8),
  /** Failures in a row after which the run stops. */
  max_failures: count.default(10),
  /** Only the first so many pictures are worked on; what is done already stays. */
  limit: count.optional(),
});

export type RecaptionConfig = z.infer<typeof recaptionConfig>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Checks settings given as an object. Without `world` pictures are photographs, unless the embedded model captions them.
 * @throws UserError that names every wrong setting.
 */
export function parseRecaptionConfig(json: unknown, name = 'The configuration'): RecaptionConfig {
  const own = json === null || json === undefined ? {} : json;
  if (!isObject(own)) throw new UserError(`${name} must hold settings, one a line, like "world: photos"`);
  const embedded = !isObject(own.captioner) || own.captioner.model === undefined;
  const world = own.world ?? (embedded ? 'iconworld' : 'photos');
  const base = WORLDS[world === 'iconworld' ? 'iconworld' : 'photos'];
  const prompts = isObject(own.prompts) ? { ...base.prompts, ...own.prompts } : (own.prompts ?? base.prompts);
  const { rewriter, judge } = base;
  const config = parseSettings(recaptionConfig, { rewriter, judge, ...own, world, prompts }, name);
  checkPrompts(config.prompts, name);
  const models = { captioner: config.captioner, rewriter: config.rewriter, judge: config.judge };
  for (const [role, choice] of Object.entries(models)) {
    if (typeof choice !== 'string') checkModel(choice, `${name}: ${role}`);
  }
  return config;
}

function checkModel(
  { engine, model: served, adapter, base_url, api_key_env, timeout }: ModelChoice,
  name: string,
): void {
  if (engine === 'openai') {
    if (base_url === undefined || served === undefined)
      throw new UserError(
        `${name}: a server needs base_url, like http://localhost:8000/v1, and model, its name there`,
      );
    if (adapter !== undefined)
      throw new UserError(`${name}: start the server with the adapter, or leave it out`);
    return;
  }
  const only = Object.entries({ base_url, api_key_env, timeout }).find(([, value]) => value !== undefined);
  if (only) throw new UserError(`${name}: ${only[0]} is for a server; add engine: openai, or leave it out`);
}

/** A file's settings, with those of the command line in their place. */
export function loadRecaptionConfig(
  path: string | undefined,
  given: RecaptionOverrides = {},
): RecaptionConfig {
  const file = path === undefined ? {} : (readYaml(path) ?? {});
  if (!isObject(file)) return parseRecaptionConfig(file, path);
  const { captioner, ...settings } = given;
  const own = isObject(file.captioner) ? file.captioner : {};
  const chosen = 'captioner' in file && !isObject(file.captioner) ? file.captioner : { ...own, ...captioner };
  return parseRecaptionConfig({ ...file, ...settings, captioner: chosen }, path ?? 'The command');
}

/** What the command line may say in place of the file. */
export interface RecaptionOverrides {
  readonly world?: World;
  readonly limit?: number;
  readonly concurrency?: number;
  readonly captioner?: Readonly<Partial<ModelChoice>>;
}

/** What decides the texts: the rest may change when a run goes on. Addresses of servers may, too. */
export function recaptionIdentity(config: RecaptionConfig): Readonly<Record<string, unknown>> {
  const { captioner, rewriter, judge, prompts, temperature, max_new_tokens, attempts, seed, max_pixels } =
    config;
  const who = (choice: ModelChoice | string): unknown =>
    typeof choice === 'string' ? choice : { model: choice.model ?? null, adapter: choice.adapter ?? null };
  return {
    captioner: who(captioner),
    rewriter: who(rewriter),
    judge: who(judge),
    prompts,
    temperature,
    max_new_tokens,
    attempts,
    seed,
    max_pixels,
  };
}
