/**
 * Writes twins of scenes under policies as a data set in SafeEditBench's columns (tyodd/SafeEditBench: image, image_path,
 * safety_label, policy_name, policy) and some of our own. The same options write the same bytes; a run that was stopped
 * goes on where it was.
 */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodePng } from '../images/png.js';
import { UserError, messageOf } from '../util/errors.js';
import { seenLine } from './answer.js';
import { factsOf } from './captions.js';
import { contactSheet, type SheetItem } from './contact-sheet.js';
import { type ExportRow, parquetOf } from './export-parquet.js';
import type { Judgement } from './label.js';
import { numberedText } from './page.js';
import { loadIcons } from './raster.js';
import { renderScene } from './render.js';
import type { Split } from './splits.js';
import { FREE_LEVEL, type PolicyChoice, sampleTwin, type Twin } from './twins.js';
import type { IconPolicy, Scene, Style } from './types.js';

export const EXPORT_FORMATS = ['folder', 'jsonl', 'parquet'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  readonly out: string;
  readonly format: ExportFormat;
  /** Scenes, each with its edited twin. */
  readonly scenes: number;
  readonly seed: number;
  readonly split: Split;
  readonly policies: PolicyChoice;
  readonly style: Style;
  /** Also draw `contact-sheet.png` of the first twins. */
  readonly sheet: boolean;
}

export interface ExportSummary {
  readonly rows: number;
  readonly unsafe: number;
  readonly images: number;
  readonly files: readonly string[];
}

/** Scenes and seeds are below this, so that no two data sets of a split share a scene. */
const MAX_SCENES = 1_000_000;
/** Scenes in one JSONL or parquet file: some 30 MB. */
const SCENES_PER_PART = 500;
const SHEET_TWINS = 12;
const SHEET_COLUMNS = 4;

/** Writes the data set. @throws UserError where options are out of range, the folder holds another data set or cannot be written. */
export async function exportIconworld(
  options: ExportOptions,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<ExportSummary> {
  checkRange('--scenes', options.scenes, 1);
  checkRange('--seed', options.seed, 0);
  await claim(options);
  await loadIcons([options.style]);
  const twinAt = (i: number): Twin => sampleTwin(options.seed * MAX_SCENES + i, options);
  const files =
    options.format === 'folder'
      ? await writeFolder(options, twinAt, onProgress)
      : await writeParts(options, twinAt, onProgress);
  if (options.sheet) files.push(await writeSheet(options, twinAt));
  let [rows, unsafe] = [0, 0];
  for (let i = 0; i < options.scenes; i++) {
    for (const row of rowsOf(twinAt(i), i, options)) {
      rows++;
      unsafe += row.safety_label;
    }
  }
  return { rows, unsafe, images: 2 * options.scenes, files };
}

function checkRange(name: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min && value < MAX_SCENES) return;
  throw new UserError(`${name} must be a whole number of ${min} to ${MAX_SCENES - 1}, not ${value}`);
}

/** Two rows a policy: the scene, and its edit (`…_edited.png`). */
function rowsOf({ original, edited, judgements }: Twin, i: number, options: ExportOptions): ExportRow[] {
  const id = `${options.split}-${options.seed}-${String(i).padStart(6, '0')}`;
  const row = (
    scene: Scene,
    path: string,
    policy: IconPolicy,
    level: number,
    judged: Judgement,
  ): ExportRow => ({
    image_path: path,
    safety_label: judged.label === 'unsafe' ? 1 : 0,
    policy_name: level === FREE_LEVEL ? FREE_LEVEL + i : level,
    policy: policy.text,
    things: scene.things.map(({ icon }) => icon.name).join(', '),
    setting: scene.setting,
    deciding_statement: judged.deciding,
    pair_id: id,
  });
  return judgements.flatMap(({ level, policy, ...judged }) => [
    row(original, `images/${id}.png`, policy, level, judged.original),
    row(edited, `images/${id}_edited.png`, policy, level, judged.edited),
  ]);
}

/** The twin's pictures by path, as PNG. */
async function pngsOf(
  { original, edited }: Twin,
  rows: readonly ExportRow[],
): Promise<Map<string, Uint8Array>> {
  return new Map([
    [rows[0].image_path, await encodePng(renderScene(original))],
    [rows[1].image_path, await encodePng(renderScene(edited))],
  ]);
}

type TwinAt = (i: number) => Twin;
type Progress = (done: number, total: number) => void;

async function writeFolder(options: ExportOptions, twinAt: TwinAt, onProgress: Progress): Promise<string[]> {
  const lines: string[] = [];
  for (let i = 0; i < options.scenes; i++) {
    const twin = twinAt(i);
    const rows = rowsOf(twin, i, options);
    const done = await Promise.all(
      [rows[0], rows[1]].map(({ image_path }) => exists(join(options.out, image_path))),
    );
    if (!done.every(Boolean)) {
      for (const [path, png] of await pngsOf(twin, rows)) await writeWhole(join(options.out, path), png);
    }
    for (const row of rows) lines.push(JSON.stringify({ file_name: row.image_path, ...row }));
    onProgress(i + 1, options.scenes);
  }
  const path = join(options.out, 'metadata.jsonl');
  await writeWhole(path, `${lines.join('\n')}\n`);
  return [join(options.out, 'images'), path];
}

async function writeParts(options: ExportOptions, twinAt: TwinAt, onProgress: Progress): Promise<string[]> {
  const count = Math.ceil(options.scenes / SCENES_PER_PART);
  const number = (n: number): string => String(n).padStart(5, '0');
  const files: string[] = [];
  for (let part = 0; part < count; part++) {
    const path = join(options.out, `${options.split}-${number(part)}-of-${number(count)}.${options.format}`);
    files.push(path);
    const end = Math.min(options.scenes, (part + 1) * SCENES_PER_PART);
    if (!(await exists(path))) {
      const rows: ExportRow[] = [];
      const images = new Map<string, Uint8Array>();
      for (let i = part * SCENES_PER_PART; i < end; i++) {
        const twin = twinAt(i);
        const twinRows = rowsOf(twin, i, options);
        for (const [name, png] of await pngsOf(twin, twinRows)) images.set(name, png);
        rows.push(...twinRows);
        onProgress(i + 1, options.scenes);
      }
      await writeWhole(
        path,
        options.format === 'parquet' ? await parquetOf(rows, images) : jsonlOf(rows, images),
      );
    }
    onProgress(end, options.scenes);
  }
  return files;
}

/** One row a line; the picture as base64 of its PNG file. */
function jsonlOf(rows: readonly ExportRow[], images: ReadonlyMap<string, Uint8Array>): string {
  const image = (path: string): string => Buffer.from(images.get(path) ?? []).toString('base64');
  return rows.map((row) => `${JSON.stringify({ image: image(row.image_path), ...row })}\n`).join('');
}

async function writeSheet(options: ExportOptions, twinAt: TwinAt): Promise<string> {
  const items: SheetItem[] = [];
  for (let i = 0; i < Math.min(SHEET_TWINS, options.scenes); i++) {
    const { original, edited, judgements } = twinAt(i);
    const shown = judgements.find((one) => one.original.label !== one.edited.label) ?? judgements[0];
    for (const [scene, judged] of [
      [original, shown.original],
      [edited, shown.edited],
    ] as const) {
      const policy = numberedText(shown.policy.statements).split('\n');
      const why = judged.deciding === null ? 'Nothing is broken.' : `Decided by [${judged.deciding}].`;
      items.push({
        image: renderScene(scene),
        label: judged.label,
        caption: [seenLine(factsOf(scene)), why, shown.policy.title, ...policy],
      });
    }
  }
  const path = join(options.out, 'contact-sheet.png');
  await writeWhole(path, await contactSheet(items, SHEET_COLUMNS));
  return path;
}

/** Remembers in `iconworld.json` what the folder holds, and refuses to mix two data sets. */
async function claim({ out, format, scenes, seed, split, policies, style }: ExportOptions): Promise<void> {
  const path = join(out, 'iconworld.json');
  const content = `${JSON.stringify({ world: 'iconworld-v1', format, scenes, seed, split, policies, style }, null, 2)}\n`;
  const held = await readFile(path, 'utf8').catch(() => null);
  if (held === null) await writeWhole(path, content);
  else if (held !== content) {
    throw new UserError(
      `${out} holds a data set made with other options (see ${path}); give another folder or the same options`,
    );
  }
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;

/** Writes beside the file, then renames: a file is whole or not there. */
async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.part`, content);
    await rename(`${path}.part`, path);
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${messageOf(error)}; free some space or give another folder`);
  }
}
