/** @module Which pictures a run is about: those of a folder, or those that a JSONL file names. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { ICONS } from '../iconworld/icons.js';
import { type SceneFacts, SETTINGS } from '../iconworld/types.js';
import { messageOf, UserError } from '../util/errors.js';
import { type NumberedRow, readJsonRows } from './json-rows.js';

export interface Picture {
  /** As the input names it, with `/` between folders: what the picture is known by. */
  readonly name: string;
  readonly path: string;
  /** What the scene holds, where it is IconWorld's and the input says so. */
  readonly facts: SceneFacts | null;
}

/** The file in a folder that says what its pictures are (as `data iconworld` and Hugging Face's imagefolder have it). */
const METADATA = 'metadata.jsonl';
/** Names that data sets give the field of the picture's path; the first that is there counts. */
const IMAGE_FIELDS = ['image', 'file_name', 'image_path', 'images', 'path'] as const;
const IMAGE_FILE = /\.(?:png|jpe?g|webp|gif|bmp|tiff?|avif)$/iu;

/**
 * The pictures of a folder (of its `metadata.jsonl` where it has one) or of a JSONL file, each once. Whether they can be
 * read shows when they are. @throws UserError where there are none, or a line names none.
 */
export function listPictures(input: string): Picture[] {
  const found = isFolder(input) ? picturesOfFolder(input) : picturesOfFile(input);
  if (found.length > 0) return found;
  throw new UserError(
    `${input} holds no pictures; give a folder of image files, or a JSONL file with "image"`,
  );
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${messageOf(error)}; give a folder of images or a JSONL file`);
  }
}

function picturesOfFolder(folder: string): Picture[] {
  const metadata = join(folder, METADATA);
  if (existsSync(metadata)) return picturesOfFile(metadata);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && IMAGE_FILE.test(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ name: relative(folder, path).replaceAll(sep, '/'), path, facts: null }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function picturesOfFile(file: string): Picture[] {
  const pictures = new Map<string, Picture>();
  for (const { line, row } of readJsonRows(file)) {
    const where = `${file}, line ${line}`;
    const name = imageOf(row, where);
    const known = pictures.get(name);
    // One picture under several policies has several rows.
    const facts = known?.facts ?? factsOfRow(row, where);
    pictures.set(name, { name, path: resolve(dirname(file), name), facts });
  }
  return [...pictures.values()];
}

function imageOf(row: NumberedRow['row'], where: string): string {
  const field = IMAGE_FIELDS.find((name) => name in row);
  if (field === undefined) {
    const has = Object.keys(row).join(', ') || 'nothing';
    throw new UserError(`${where} names no picture in one of ${IMAGE_FIELDS.join(', ')}; it has ${has}`);
  }
  const value = row[field];
  const [first, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];
  if (typeof first !== 'string' || first === '' || more.length > 0) {
    throw new UserError(`${where}: ${field} must be the path of one picture`);
  }
  if (/^https?:/iu.test(first)) {
    throw new UserError(`${where}: ${first} is a URL; download the pictures first and give their paths`);
  }
  return first;
}

const ICONS_BY_NAME = new Map(ICONS.map((icon) => [icon.name, icon]));

/** `things` and `setting` as `data iconworld` writes them; null where the row has no `things`. */
function factsOfRow({ things, setting = null }: NumberedRow['row'], where: string): SceneFacts | null {
  if (typeof things !== 'string') return null;
  const place = SETTINGS.find((name) => name === setting) ?? null;
  if (place !== setting) throw new UserError(`${where}: IconWorld has no setting ${JSON.stringify(setting)}`);
  const icons = things.split(', ').map((name) => {
    const icon = ICONS_BY_NAME.get(name);
    if (icon === undefined) throw new UserError(`${where}: IconWorld has no thing called "${name}"`);
    return icon;
  });
  return { setting: place, things: icons };
}
