/** @module LlavaGuard's table with its URLs (AIML-TUDA/LlavaGuard, gated) as data for `train grpo` and `train sft`. */
import { join } from 'node:path';
import { writeAtomically } from '../checkpoint/files.js';
import type { GuardProfile } from '../guard/profile.js';
import { Policy } from '../policy/policy.js';
import { policyPrompt } from '../training/policy-prompt.js';
import { UserError } from '../util/errors.js';
import { type DeadLink, fetchImages, folderOf, type StoredImage, type StoreOptions } from './image-store.js';
import { jsonLines } from '../util/json-lines.js';
import { answeredProfile, answerFor } from './llavaguard-answers.js';
import { type LabelledRow, labelledRows, type RefusedRow } from './llavaguard-rows.js';
import { readTable } from './table.js';

/** The files of the data set's folder, besides `images/` and the journal of what was fetched. */
const LLAVAGUARD_FILES = { grpo: 'grpo.jsonl', sft: 'sft.jsonl', report: 'report.json' } as const;

/** Different URLs that give the very same picture: from so many on it may be what a host shows in place of lost ones. */
const SHARED_BY = 3;

export interface LlavaguardOptions extends Omit<StoreOptions, 'base'> {
  /** Whose prompts and answers are written. */
  readonly profile: string;
}

/** What `report.json` holds. */
export interface LlavaguardReport {
  readonly table: string;
  readonly profile: string;
  /** Rows of the table; of these `written`, `refused`, and those of dead links and of links not asked yet. */
  readonly rows: number;
  readonly written: { readonly safe: number; readonly unsafe: number };
  readonly links: {
    readonly all: number;
    readonly fetched: number;
    readonly dead: number;
    readonly left: number;
  };
  readonly dead: readonly {
    readonly url: string;
    readonly reason: string;
    readonly rows: readonly string[];
  }[];
  readonly refused: readonly RefusedRow[];
  /** Pictures that several URLs gave: look whether they say that the real one is gone. */
  readonly shared: readonly { readonly image: string; readonly urls: readonly string[] }[];
}

/**
 * Fetches the pictures of `table` into the folder `out` and writes the data sets; goes on where an earlier run stopped.
 * @throws UserError for a table that cannot be read or lacks columns, and where no row is left.
 */
export async function llavaguard(
  tableFile: string,
  out: string,
  options: LlavaguardOptions,
): Promise<{ readonly report: LlavaguardReport; readonly finished: boolean }> {
  const profile = answeredProfile(options.profile);
  const table = await readTable(tableFile);
  const { rows, refused } = labelledRows(table);
  if (rows.length === 0) {
    const [{ place, reason }] = refused;
    throw new UserError(`no row of ${tableFile} can be used; the first of them, ${place}: ${reason}`);
  }
  const urls = rows.map(({ url }) => url);
  const { images, finished } = await fetchImages(urls, out, { ...options, base: folderOf(tableFile) });
  const kept = rows.flatMap((row) => {
    const found = images.get(row.url);
    return found !== undefined && 'image' in found ? [{ row, image: found.image }] : [];
  });
  const report: LlavaguardReport = {
    table: tableFile,
    profile: profile.name,
    rows: table.rows.length,
    written: {
      safe: kept.filter(({ row }) => row.label === 'safe').length,
      unsafe: kept.filter(({ row }) => row.label === 'unsafe').length,
    },
    ...linksOf(rows, images),
    refused,
    shared: sharedIn(rows, images),
  };
  const { grpo, sft } = dataOf(kept, profile);
  writeAtomically(join(out, LLAVAGUARD_FILES.grpo), [new TextEncoder().encode(jsonLines(grpo))]);
  writeAtomically(join(out, LLAVAGUARD_FILES.sft), [new TextEncoder().encode(jsonLines(sft))]);
  const path = join(out, LLAVAGUARD_FILES.report);
  writeAtomically(path, [new TextEncoder().encode(`${JSON.stringify(report, null, 2)}\n`)]);
  if (finished && kept.length === 0) {
    throw new UserError(`no picture of ${tableFile} could be fetched; ${path} says why of each`);
  }
  return { report, finished };
}

type Images = ReadonlyMap<string, StoredImage | DeadLink>;
interface KeptRow {
  readonly row: LabelledRow;
  readonly image: string;
}

function linksOf(rows: readonly LabelledRow[], images: Images): Pick<LlavaguardReport, 'links' | 'dead'> {
  const places = new Map<string, string[]>();
  for (const { url, place } of rows) places.set(url, [...(places.get(url) ?? []), place]);
  const dead = [...places].flatMap(([url, of]) => {
    const found = images.get(url);
    return found !== undefined && 'dead' in found ? [{ url, reason: found.dead, rows: of }] : [];
  });
  const asked = [...places.keys()].filter((url) => images.has(url)).length;
  const all = places.size;
  return { links: { all, fetched: asked - dead.length, dead: dead.length, left: all - asked }, dead };
}

function sharedIn(rows: readonly LabelledRow[], images: Images): LlavaguardReport['shared'] {
  const urls = new Map<string, Set<string>>();
  for (const { url } of rows) {
    const found = images.get(url);
    if (found !== undefined && 'image' in found) {
      urls.set(found.image, (urls.get(found.image) ?? new Set()).add(url));
    }
  }
  return [...urls].filter(([, of]) => of.size >= SHARED_BY).map(([image, of]) => ({ image, urls: [...of] }));
}

/** The lines of both data sets, in the table's order. */
function dataOf(kept: readonly KeptRow[], profile: GuardProfile): { grpo: object[]; sft: object[] } {
  const labels = new Map<string, Set<string>>();
  for (const { row, image } of kept) labels.set(image, (labels.get(image) ?? new Set()).add(row.label));
  const policies = new Map<string, Policy>();
  const [grpo, sft]: [object[], object[]] = [[], []];
  for (const { row, image } of kept) {
    const policy = policies.get(row.policy) ?? Policy.fromMarkdown(row.policy);
    policies.set(row.policy, policy);
    const asked = policyPrompt(profile, policy);
    grpo.push({
      ...asked,
      policy: row.policy,
      images: [image],
      solution: row.label,
      categories: row.label === 'unsafe' && row.category !== null ? [row.category] : [],
      // The same picture is safe under one policy and unsafe under another.
      pair: labels.get(image)?.size === 2 ? image : null,
      kind: row.category ?? 'none',
    });
    sft.push({ ...asked, answer: answerFor(profile, row, policy), images: [image], task: 'llavaguard' });
  }
  return { grpo, sft };
}
