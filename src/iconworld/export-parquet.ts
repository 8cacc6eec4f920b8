/** Rows as a parquet file that the `datasets` library reads with its own Image feature. */
import { ByteWriter, parquetWrite } from 'hyparquet-writer';

/** One picture under one policy. The first four columns (and `image`) are SafeEditBench's. */
export interface ExportRow {
  readonly image_path: string;
  /** 0 safe, 1 unsafe. */
  readonly safety_label: 0 | 1;
  /** 0–4 = Policy L1–L5; 5 and more are free policies. */
  readonly policy_name: number;
  readonly policy: string;
  /** Names left to right. */
  readonly things: string;
  readonly setting: string | null;
  /** The lowest-numbered statement that is broken, 1 = the first; null if safe. */
  readonly deciding_statement: number | null;
  /** The same for a scene and its edit, under every policy. */
  readonly pair_id: string;
}

const TEXT = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const;
const INT = { type: 'INT64', repetition_type: 'OPTIONAL' } as const;
const string = { dtype: 'string', _type: 'Value' };
const int64 = { dtype: 'int64', _type: 'Value' };

const COLUMNS = [
  'image_path',
  'safety_label',
  'policy_name',
  'policy',
  'things',
  'setting',
  'deciding_statement',
  'pair_id',
] as const;
const INT_COLUMNS: ReadonlySet<string> = new Set(['safety_label', 'policy_name', 'deciding_statement']);

/** The metadata key by which `datasets` (datasets/arrow_writer.py) knows that `image` holds pictures. */
function features(): string {
  const columns = COLUMNS.map((name) => [name, INT_COLUMNS.has(name) ? int64 : string] as const);
  const all = {
    image: { _type: 'Image' },
    ...Object.fromEntries(columns),
    safety_label: { names: ['safe', 'unsafe'], _type: 'ClassLabel' },
  };
  return JSON.stringify({ info: { features: all } });
}

/** `images` holds the PNG file of each row's `image_path`. */
export async function parquetOf(
  rows: readonly ExportRow[],
  images: ReadonlyMap<string, Uint8Array>,
): Promise<Uint8Array> {
  const writer = new ByteWriter();
  const integer = (value: string | number | null): bigint | null =>
    typeof value === 'number' ? BigInt(value) : null;
  await parquetWrite({
    writer,
    schema: [
      { name: 'schema', num_children: 1 + COLUMNS.length, repetition_type: 'REQUIRED' },
      { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', ...TEXT },
      ...COLUMNS.map((name) => ({ name, ...(INT_COLUMNS.has(name) ? INT : TEXT) })),
    ],
    columnData: [
      {
        name: 'image',
        data: rows.map(({ image_path }) => ({ bytes: images.get(image_path) ?? null, path: image_path })),
      },
      ...COLUMNS.map((name) => ({
        name,
        data: rows.map((row) => (INT_COLUMNS.has(name) ? integer(row[name]) : row[name])),
      })),
    ],
    // Pictures are compressed already, and a pixel's bytes as bounds would help nobody.
    statistics: false,
    kvMetadata: [{ key: 'huggingface', value: features() }],
  });
  return writer.getBytes();
}
