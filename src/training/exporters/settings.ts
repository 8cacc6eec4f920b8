/**
 * @module How one of our settings becomes an engine's. Every engine has a table with a rule for every setting: the type
 * asks for all of them, so that a setting which is added later cannot be forgotten without a word.
 */
import { UserError } from '../../util/errors.js';

export type SettingValue = string | number | boolean | null | readonly (string | number)[];
/** An engine's settings by the names that it uses. */
export type EngineSettings = Readonly<Record<string, SettingValue>>;

/** What becomes of a setting. */
export type Translation =
  /** The engine is told, in these settings of its own. */
  | { readonly kind: 'written'; readonly settings: EngineSettings; readonly note?: string }
  /** The engine need not know it. */
  | { readonly kind: 'kept'; readonly why: string }
  /** The engine cannot do this. */
  | { readonly kind: 'lacks'; readonly why: string }
  /** The engine cannot do this, but only watches the run: refused where the file asks for it by name. */
  | { readonly kind: 'unwatched'; readonly why: string };

export type Rule<Value, Config> = (value: Value, config: Config) => Translation;

/** Sections of a configuration whose settings have rules of their own. */
type Section = 'optimizer' | 'schedule' | 'evaluation' | 'checkpoint' | 'lora';

type Flat<Config> = {
  [Key in keyof Config & string as Key extends Section ? never : Key]-?: NonNullable<Config[Key]>;
} & {
  [Key in keyof Config & Section as `${Key}.${keyof NonNullable<Config[Key]> & string}`]: unknown;
};

type ValueAt<Config, Path> = Path extends keyof Config
  ? NonNullable<Config[Path]>
  : Path extends `${infer Key extends keyof Config & string}.${infer Rest}`
    ? Rest extends keyof NonNullable<Config[Key]>
      ? NonNullable<NonNullable<Config[Key]>[Rest]>
      : never
    : never;

/** A rule for every setting, by its path in the file (`optimizer.lr`). */
export type SettingTable<Config> = {
  readonly [Path in keyof Flat<Config>]: Rule<ValueAt<Config, Path>, Config>;
};

export const written = (settings: EngineSettings, note?: string): Translation => ({
  kind: 'written',
  settings,
  ...(note === undefined ? {} : { note }),
});
export const kept = (why: string): Translation => ({ kind: 'kept', why });
export const lacks = (why: string): Translation => ({ kind: 'lacks', why });
const unwatched = (why: string): Translation => ({ kind: 'unwatched', why });

/** The same value under the engine's name. */
export const as =
  (name: string) =>
  (value: SettingValue): Translation =>
    written({ [name]: value });

/** Never told: it decides no number, or our side does it. */
export const keeps = (why: string) => (): Translation => kept(why);

/** The engine can do no other than this value. */
export const only =
  (allowed: SettingValue, why: string) =>
  (value: SettingValue): Translation =>
    value === allowed ? kept(`${String(allowed)} is what the engine does`) : lacks(why);

export const watchedHere = (why: string) => (): Translation => unwatched(why);

/** One line of an export's account of itself. */
export interface MappedSetting {
  readonly path: string;
  readonly value: unknown;
  readonly translation: Translation;
}

export interface Mapping {
  readonly settings: EngineSettings;
  readonly lines: readonly MappedSetting[];
}

/** What becomes of every setting of a configuration; those that the file leaves out and no default fills are not asked. */
export function mappedSettings<Config extends object>(
  config: Config,
  table: SettingTable<Config>,
): MappedSetting[] {
  const rules = Object.entries<Rule<never, Config>>(table);
  return rules.flatMap(([path, rule]): MappedSetting[] => {
    const value = valueAt(config, path);
    // The table's type holds each rule to the value at its path.
    return value === undefined ? [] : [{ path, value, translation: rule(value as never, config) }];
  });
}

/**
 * A configuration in an engine's words.
 * @throws UserError naming every setting that the engine lacks.
 */
export function translate<Config extends object>(
  config: Config,
  table: SettingTable<Config>,
  {
    engine,
    file,
    named,
  }: { readonly engine: string; readonly file: string; readonly named: ReadonlySet<string> },
): Mapping {
  const lines = mappedSettings(config, table);
  const wrong = lines.flatMap(({ path, value, translation }) => {
    const refused = translation.kind === 'lacks' || (translation.kind === 'unwatched' && named.has(path));
    return refused ? [`${path} (${JSON.stringify(value)}): ${translation.why}`] : [];
  });
  if (wrong.length > 0) {
    throw new UserError(`${file} cannot be handed to ${engine} with the same meaning. ${wrong.join('. ')}.`);
  }
  const settings = lines.flatMap(({ translation }) =>
    translation.kind === 'written' ? Object.entries(translation.settings) : [],
  );
  return { settings: Object.fromEntries(settings), lines };
}

function valueAt(config: object, path: string): unknown {
  let value: unknown = config;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = new Map<string, unknown>(Object.entries(value)).get(key);
  }
  return value;
}

/** The paths that a file names itself, sections and what is in them. */
export function namedSettings(json: unknown, prefix = ''): Set<string> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return new Set();
  return new Set(
    Object.entries(json).flatMap(([key, value]) => [
      `${prefix}${key}`,
      ...namedSettings(value, `${prefix}${key}.`),
    ]),
  );
}
