import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { type ExportOptions, exportIconworld } from './export.js';
import { sampleTwin } from './twins.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iconworld-'));
});
afterEach(() => rm(folder, { recursive: true }));

const options = (more: Partial<ExportOptions> = {}): ExportOptions => ({
  out: join(folder, 'data'),
  format: 'folder',
  scenes: 3,
  seed: 7,
  split: 'test',
  policies: 'both',
  style: 'fluent',
  sheet: false,
  ...more,
});
const lines = async (path: string): Promise<Record<string, unknown>[]> =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('exportIconworld', () => {
  it('writes a folder: pictures, and a row for each picture under each policy', async () => {
    const summary = await exportIconworld(options({ sheet: true }));
    expect(summary).toMatchObject({ rows: 36, images: 6 });
    const rows = await lines(join(folder, 'data/metadata.jsonl'));
    expect(rows).toHaveLength(36);
    expect(new Set(rows.map((row) => row['policy_name']))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
    for (const row of rows)
      expect((await stat(join(folder, 'data', String(row['file_name'])))).size).toBeGreaterThan(100);
    expect(rows.filter((row) => row['safety_label'] === 1)).toHaveLength(summary.unsafe);
    expect(rows.every((row) => (row['safety_label'] === 1) === (row['deciding_statement'] !== null))).toBe(
      true,
    );
    expect((await readFile(join(folder, 'data/contact-sheet.png'))).subarray(1, 4).toString()).toBe('PNG');
  });

  it('writes the same rows as JSONL and parquet, pictures inside', async () => {
    await exportIconworld(options({ out: join(folder, 'jsonl'), format: 'jsonl' }));
    await exportIconworld(options({ out: join(folder, 'parquet'), format: 'parquet' }));
    const json = await lines(join(folder, 'jsonl/test-00000-of-00001.jsonl'));
    const file = await arrayBufferOf(join(folder, 'parquet/test-00000-of-00001.parquet'));
    const parquet = await parquetReadObjects({ file, utf8: false });
    expect(parquet).toHaveLength(json.length);
    expect(Object.keys(parquet[0]).slice(0, 5)).toEqual([
      'image',
      'image_path',
      'safety_label',
      'policy_name',
      'policy',
    ]);
    for (const [i, { image, ...row }] of parquet.entries()) {
      const { image: base64, ...same } = json[i];
      expect(
        Object.fromEntries(
          Object.entries(row).map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : value]),
        ),
      ).toEqual(same);
      expect(image).toEqual({
        bytes: new Uint8Array(Buffer.from(String(base64), 'base64')),
        path: row['image_path'],
      });
    }
  });

  it('goes on where a run was stopped and ends with the same bytes', async () => {
    await exportIconworld(options());
    const picture = join(folder, 'data/images/test-7-000001_edited.png');
    const [metadata, png] = [await readFile(join(folder, 'data/metadata.jsonl')), await readFile(picture)];
    await rm(picture);
    await rm(join(folder, 'data/metadata.jsonl'));
    await exportIconworld(options());
    expect(await readFile(join(folder, 'data/metadata.jsonl'))).toEqual(metadata);
    expect(await readFile(picture)).toEqual(png);
  });

  it.each([
    [{ scenes: 0 }, /--scenes must be a whole number of 1 to 999999, not 0/],
    [{ seed: 0.5 }, /--seed must be a whole number/],
  ])('refuses %j', async (more, message) => {
    await expect(exportIconworld(options(more))).rejects.toThrow(message);
  });

  it('refuses to mix two data sets, and a folder that cannot be written', async () => {
    await exportIconworld(options());
    await expect(exportIconworld(options({ seed: 8 }))).rejects.toThrow(/made with other options/);
    await writeFile(join(folder, 'file'), '');
    const refused = exportIconworld(options({ out: join(folder, 'file') }));
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(/cannot write .*give another folder/);
  });
});

async function arrayBufferOf(path: string): Promise<ArrayBuffer> {
  const bytes = await readFile(path);
  return new Uint8Array(bytes).buffer;
}

describe('sampleTwin', () => {
  it.each(['levels', 'free', 'both'] as const)(
    'finds a scene whose edit changes the label, under %s',
    (policies) => {
      for (let i = 0; i < 10; i++) {
        const { original, edited, judgements } = sampleTwin(i, { split: 'train', style: 'fluent', policies });
        expect(judgements).toHaveLength({ levels: 5, free: 1, both: 6 }[policies]);
        expect(judgements.some((one) => one.original.label === 'unsafe' && one.edited.label === 'safe')).toBe(
          true,
        );
        expect(judgements.some((one) => one.original.label === 'safe' && one.edited.label === 'unsafe')).toBe(
          false,
        );
        const changed = original.things.filter((thing, at) => thing.icon !== edited.things[at].icon);
        expect(changed).toHaveLength(1);
      }
    },
  );
});
