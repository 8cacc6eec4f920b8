import { UserError } from '../util/errors.js';
import { DTYPE_NAMES, type DType, isDType, itemSize } from './dtype.js';
import { duplicateKey } from './json.js';
import { lfsPointer } from './read-file.js';

/** The largest header that is believed, as in huggingface/safetensors:safetensors/src/tensor.rs. */
const MAX_HEADER_BYTES = 100_000_000;

/** The eight bytes before the header: its length, a little-endian 64-bit number. */
export const LENGTH_BYTES = 8;

/** What is known of a tensor without reading it. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A tensor and where its bytes lie, counted from the end of the header. */
export interface TensorSpan extends TensorInfo {
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorSpan>;
  readonly metadata: Readonly<Record<string, string>>;
}

const REMEDY = 'The file is damaged or no safetensors file: download or write it again.';

function refuse(path: string, problem: string): never {
  throw new UserError(`${path}: ${problem}. ${REMEDY}`);
}

/**
 * The header's length, once it is known to be believable.
 *
 * @param prefix the first bytes of the file
 * @param fileSize the file's length in bytes
 */
export function parseHeaderLength(path: string, prefix: Uint8Array, fileSize: number): number {
  if (new TextDecoder().decode(prefix) === 'version ') {
    // `version https://git-lfs.github.com/spec/v1`: a clone without the large files.
    throw lfsPointer(path);
  }
  if (fileSize < LENGTH_BYTES + 2 || prefix.length < LENGTH_BYTES) {
    refuse(path, `the file has ${fileSize} bytes, too few for a header`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    refuse(path, `the header claims ${length} bytes, more than the ${MAX_HEADER_BYTES} allowed`);
  }
  if (length > BigInt(fileSize - LENGTH_BYTES)) {
    refuse(
      path,
      `the header claims ${length} bytes, but the file has only ${fileSize - LENGTH_BYTES} after its length`,
    );
  }
  return Number(length);
}

/**
 * Reads a header and believes nothing: every tensor's type, shape and place is checked against the data's size, and the
 * tensors must cover the data without holes or overlaps (huggingface/safetensors:README.md, "Format").
 *
 * @param bytes the JSON text, without the eight length bytes
 * @param dataSize bytes of the file after the header
 */
export function parseHeader(path: string, bytes: Uint8Array, dataSize: number): SafetensorsHeader {
  const json = parseObject(path, bytes);
  const metadata: Record<string, string> = {};
  const tensors = new Map<string, TensorSpan>();
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') Object.assign(metadata, parseMetadata(path, value));
    else tensors.set(name, parseSpan(path, name, value, dataSize));
  }
  checkCover(path, [...tensors.values()], dataSize);
  return { tensors, metadata };
}

function parseObject(path: string, bytes: Uint8Array): object {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch {
    refuse(path, 'the header is not JSON in UTF-8');
  }
  if (!isRecord(json)) refuse(path, 'the header is not a JSON object');
  const twice = duplicateKey(text);
  if (twice !== undefined) refuse(path, `the header names ${JSON.stringify(twice)} twice`);
  return json;
}

function parseMetadata(path: string, value: unknown): Record<string, string> {
  if (!isRecord(value) || Object.values(value).some((item) => typeof item !== 'string')) {
    refuse(path, '"__metadata__" is not a map from text to text');
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
}

function parseSpan(path: string, name: string, value: unknown, dataSize: number): TensorSpan {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!isRecord(value)) refuse(path, `${where} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) {
    throw new UserError(
      `${path}: ${where} has dtype ${JSON.stringify(dtype) ?? 'missing'}, which is not supported (${DTYPE_NAMES} are): ` +
        'convert the weights to BF16, F16 or F32.',
    );
  }
  if (!isSizes(shape)) {
    refuse(path, `${where}: shape ${JSON.stringify(shape)} is not a list of whole numbers of 0 or more`);
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    refuse(path, `${where}: data_offsets ${JSON.stringify(offsets)} are not two whole numbers of 0 or more`);
  }
  const [begin, end] = offsets;
  if (begin > end) refuse(path, `${where}: data_offsets [${begin}, ${end}] end before they begin`);
  if (end > dataSize) {
    refuse(
      path,
      `${where}: data_offsets [${begin}, ${end}] reach past the ${dataSize} bytes of data in the file`,
    );
  }
  let bytes = itemSize(dtype);
  for (const size of shape) bytes *= size;
  if (bytes !== end - begin) {
    refuse(
      path,
      `${where}: ${dtype} of shape [${shape.join(', ')}] needs ${bytes} bytes, but its data_offsets span ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

function checkCover(path: string, spans: TensorSpan[], dataSize: number): void {
  let covered = 0;
  for (const { name, begin, end } of spans.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered)
      refuse(path, `tensor ${JSON.stringify(name)} overlaps the one before it at byte ${begin} of the data`);
    if (begin > covered) refuse(path, `bytes ${covered} to ${begin} of the data belong to no tensor`);
    covered = end;
  }
  if (covered !== dataSize) refuse(path, `bytes ${covered} to ${dataSize} of the data belong to no tensor`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && Number(item) >= 0);
}
