/** @module A run written out as a folder that another engine trains from: data, configuration, rewards, launch scripts. */
import { withoutTrailingSlashes } from '../../util/addresses.js';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EMBEDDED_MODEL, EMBEDDED_NAME } from '../../checkpoint/embedded.js';
import { writeAtomically, writeFailure } from '../../checkpoint/files.js';
import { readJsonObject } from '../../checkpoint/json.js';
import { checkBelongTogether } from '../../models/qwen2_5_vl/belongs.js';
import { parseConfig } from '../../models/qwen2_5_vl/config.js';
import { imageSettings, Processor } from '../../models/qwen2_5_vl/processor.js';
import { UserError } from '../../util/errors.js';
import { sha256 } from '../../util/hash.js';
import type { SftConfig } from '../config.js';
import type { SampleSource } from '../examples.js';
import type { GrpoConfig } from '../grpo/config.js';
import type { PromptSource } from '../grpo/prompts.js';
import { exportPrompts, exportSamples, type Progress } from './data.js';
import type { ExportedFiles, CheckpointFacts } from './exported.js';
import { GRPO_ENGINES, type GrpoEngine, SFT_ENGINES, type SftEngine } from './engines.js';
import { accountOf } from './account.js';
import { type Mapping, namedSettings, translate } from './settings.js';
import { DEFAULT_REWARDS_URL } from './shim.js';

export interface ExportOptions {
  /** The configuration's file, for messages. */
  readonly file: string;
  /** The file as it was parsed: what it names itself. */
  readonly json: unknown;
  readonly folder: string;
  /** Where the engine reaches `safeguard rewards serve`. */
  readonly rewardsUrl?: string;
  readonly onProgress?: Progress;
}

export interface ExportResult {
  readonly folder: string;
  /** Names of the files in it, pictures left out. */
  readonly files: readonly string[];
  /** Prompts or samples written. */
  readonly rows: number;
}

/**
 * Writes a GRPO run for an engine. Started again after a stop it ends with the same folder.
 * @throws UserError naming every setting that the engine lacks; for a folder that holds something else, for data that
 * cannot be read, and for a disk that refuses.
 */
export async function exportGrpo(
  engine: GrpoEngine,
  config: GrpoConfig,
  openPrompts: (config: GrpoConfig) => Promise<PromptSource>,
  options: ExportOptions,
): Promise<ExportResult> {
  const { title, table, files, holdsOut } = GRPO_ENGINES[engine];
  const portable = withModelPath(config);
  const mapping = translate(portable, table, {
    engine: title,
    file: options.file,
    named: namedSettings(options.json),
  });
  const rewardsUrl = withoutTrailingSlashes(options.rewardsUrl ?? DEFAULT_REWARDS_URL);
  const checkpoint = await factsOf(config.model);
  claim(options.folder, { kind: 'grpo', engine, config, rewardsUrl });
  const { folder } = options;
  const count = config.steps * config.prompts_per_step;
  const prompts = await exportPrompts(
    await openPrompts(config),
    folder,
    { count, heldOut: holdsOut ? config.evaluation.prompts : 0 },
    options.onProgress,
  );
  const written = await files({
    config: portable,
    settings: mapping.settings,
    prompts,
    rewardsUrl,
    checkpoint,
    picture: (path) => readFileSync(join(folder, path)),
  });
  return finish(options, { title, mapping, written, rows: prompts.train.length, rewardsUrl });
}

/** Writes a run of supervised fine-tuning for an engine; otherwise as for GRPO. */
export async function exportSft(
  engine: SftEngine,
  config: SftConfig,
  openSource: (config: SftConfig) => Promise<SampleSource>,
  options: ExportOptions,
): Promise<ExportResult> {
  const { title, table, files } = SFT_ENGINES[engine];
  const portable = withModelPath(config);
  const mapping = translate(portable, table, {
    engine: title,
    file: options.file,
    named: namedSettings(options.json),
  });
  const checkpoint = await factsOf(config.model);
  claim(options.folder, { kind: 'sft', engine, config });
  const count = config.steps * config.batch_size;
  const samples = await exportSamples(await openSource(config), options.folder, count, options.onProgress);
  const written = files({
    config: portable,
    settings: mapping.settings,
    samples,
    checkpoint,
  });
  return finish(options, { title, mapping, written, rows: samples.length, rewardsUrl: null });
}

/**
 * Of a checkpoint folder; null for a model of the hub.
 * @throws UserError for a folder that is no checkpoint, or whose files are not of one model.
 */
async function factsOf(name: string): Promise<CheckpointFacts | null> {
  const model = folderOf(name);
  if (model === null) return null;
  const config = parseConfig(readJsonObject(join(model, 'config.json')));
  checkBelongTogether(await Processor.load(model), config, model);
  return { ...imageSettings(model), imageTokenId: config.imageTokenId };
}

/** The whole path of a folder that is here; null for a model of the hub, which the engine fetches by itself. */
function folderOf(model: string): string | null {
  if (model === EMBEDDED_NAME) return EMBEDDED_MODEL;
  return existsSync(model) ? resolve(model) : null;
}

/** A folder by its whole path, since the engine starts elsewhere; a hub's name and the output as they are. */
function withModelPath<Config extends { readonly model: string; readonly output: string }>(
  config: Config,
): Config {
  return { ...config, model: folderOf(config.model) ?? config.model, output: 'run' };
}

const CLAIM_FILE = 'export.json';

/** Remembers what the folder holds, and refuses to mix two exports or to write among other files. */
function claim(folder: string, contents: Readonly<Record<string, unknown>>): void {
  const { kind, engine } = contents;
  const held = { kind, engine, identity: sha256(JSON.stringify(contents)) };
  const text = `${JSON.stringify(held, null, 2)}\n`;
  const path = join(folder, CLAIM_FILE);
  if (existsSync(path)) {
    if (readFileSync(path, 'utf8') === text) return;
    throw new UserError(
      `${folder} holds an export of another configuration or for another engine: give another folder, or remove it.`,
    );
  }
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new UserError(`${folder} holds other files: give a folder that is empty or new.`);
  write(folder, CLAIM_FILE, text);
}

interface Finished {
  readonly title: string;
  readonly mapping: Mapping;
  readonly written: ExportedFiles;
  readonly rows: number;
  readonly rewardsUrl: string | null;
}

function finish(
  { folder, file }: ExportOptions,
  { title, mapping, written, rows, rewardsUrl }: Finished,
): ExportResult {
  const files = { ...written, 'README.md': accountOf({ title, file, mapping, rows, rewardsUrl }) };
  for (const [name, content] of Object.entries(files)) write(folder, name, content);
  return { folder, files: Object.keys(files), rows };
}

function write(folder: string, name: string, content: string | Uint8Array): void {
  const path = join(folder, name);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw writeFailure(path, error);
  }
  writeAtomically(path, [typeof content === 'string' ? new TextEncoder().encode(content) : content]);
}
