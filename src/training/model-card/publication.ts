/** @module What is published of a folder: its files as they go out, and the card among them. */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { Checkpoint } from '../../checkpoint/checkpoint.js';
import { type FolderUpload, folderUpload, isHubName, type UploadFile } from '../../checkpoint/hub/index.js';
import { readJsonObject } from '../../checkpoint/json.js';
import { SafetensorsFile } from '../../checkpoint/safetensors.js';
import { messageOf, UserError } from '../../util/errors.js';
import { modelCard } from './card.js';
import { EMBEDDED_NAME } from '../../checkpoint/embedded.js';
import { type Base, lineageOf } from './lineage.js';
import { licenceFor } from './licences.js';

export interface PublicationOptions {
  /** The folder of the run that made the weights; by default the one that they lie in. */
  readonly run?: string;
  /** The base's name on the hub, where the folder does not tell. */
  readonly baseModel?: string;
  /** The hub's identifier of a licence; by default the base's. */
  readonly license?: string;
  /** A Markdown file that goes into the card's evaluation. */
  readonly evaluation?: string;
}

export interface Publication extends FolderUpload {
  readonly card: string;
  /** `kept` where the folder has a README.md of its own, which is never replaced. */
  readonly cardFrom: 'generated' | 'kept';
}

const CARD = 'README.md';
/** Longer texts belong into a file of their own. */
const MOST_EVALUATION_BYTES = 256 * 1024;

/** @throws UserError for a folder that is no model or adapter, and for what a card must say and cannot know. */
export async function publicationOf(
  folder: string,
  name: string,
  options: PublicationOptions = {},
): Promise<Publication> {
  const upload = await folderUpload(folder);
  const lineage = await lineageOf(folder, options.run);
  const base = named(lineage.base, options.baseModel);
  if (upload.kind === 'adapter' && base.hub === null && base.label !== EMBEDDED_NAME)
    throw new UserError(
      `The adapter's base model ${base.label} is a folder of this machine, where nobody else finds it: give --base-model with its name on the hub.`,
    );
  const kept = join(folder, CARD);
  const isKept = existsSync(kept);
  const card = isKept
    ? readFileSync(kept, 'utf8')
    : modelCard({
        name,
        kind: upload.kind,
        licence: licenceFor(base, options.license),
        lineage: { ...lineage, base },
        parameters: await parametersOf(folder, upload.kind),
        evaluation: readEvaluation(options.evaluation),
      });
  const others = upload.files
    .filter(({ path }) => path !== CARD)
    .map((file) => withoutPaths(file, folder, base));
  return {
    ...upload,
    files: [textFile(CARD, card), ...others],
    card,
    cardFrom: isKept ? 'kept' : 'generated',
  };
}

function named(base: Base, given: string | undefined): Base {
  if (given === undefined) return base;
  if (!isHubName(given))
    throw new UserError(`--base-model: "${given}" is no name on the hub: give org/name.`);
  return { hub: given, commit: given === base.hub ? base.commit : null, label: given };
}

const textFile = (path: string, text: string): UploadFile => ({
  path,
  size: Buffer.byteLength(text),
  source: { text },
});

/** Fields that may hold a path of this machine, by the file that they stand in. */
const PATH_FIELDS: Readonly<Record<string, string>> = {
  'adapter_config.json': 'base_model_name_or_path',
  'config.json': '_name_or_path',
};

/** The base's name in place of a path of this machine, which nobody else can follow. */
function withoutPaths(file: UploadFile, folder: string, base: Base): UploadFile {
  const field = PATH_FIELDS[file.path];
  if (field === undefined) return file;
  const json = readJsonObject(join(folder, file.path));
  const value = json[field];
  const isPath = typeof value === 'string' && value !== '' && (isAbsolute(value) || existsSync(value));
  // A base that is given by name is the one to be found.
  if (!isPath && (file.path !== 'adapter_config.json' || value === base.hub || base.hub === null))
    return file;
  return textFile(file.path, `${JSON.stringify({ ...json, [field]: base.hub ?? base.label }, null, 2)}\n`);
}

async function parametersOf(folder: string, kind: FolderUpload['kind']): Promise<number> {
  const count = (tensors: Iterable<{ readonly shape: readonly number[] }>): number =>
    [...tensors].reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const opened =
    kind === 'adapter'
      ? SafetensorsFile.open(join(folder, 'adapter_model.safetensors'))
      : await Checkpoint.open(folder);
  try {
    return count(opened.tensors.values());
  } finally {
    opened.close();
  }
}

function readEvaluation(path: string | undefined): string | null {
  if (path === undefined) return null;
  try {
    const text = readFileSync(path, 'utf8');
    if (Buffer.byteLength(text) <= MOST_EVALUATION_BYTES) return text;
  } catch (error) {
    throw new UserError(`Cannot read the evaluation ${path}: ${messageOf(error)}.`);
  }
  throw new UserError(`${path} has more than ${MOST_EVALUATION_BYTES} bytes: give a table for the card.`);
}
