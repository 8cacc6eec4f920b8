/** The formats whose pixels are read. */
export type ReadableName = 'PNG' | 'JPEG' | 'GIF' | 'WebP' | 'BMP' | 'TIFF' | 'AVIF';

interface ToldByBytes {
  readonly matches: (bytes: Uint8Array) => boolean;
}

/** A file format told by its first bytes; the name of a file says nothing about what is in it. */
export interface ImageFormat extends ToldByBytes {
  readonly name: ReadableName;
  /** Width and height as the header declares them, where they stand at a fixed place. */
  readonly declaredSize?: (header: DataView) => readonly [width: number, height: number];
  /** Bytes that `declaredSize` reads. */
  readonly headerBytes?: number;
}

/** A format that is known and not read. */
export interface OtherFormat extends ToldByBytes {
  readonly name: string;
  /** Why not, and what to do. */
  readonly refusal: string;
}

/** The formats whose pixels are read, for messages. */
export const READABLE_FORMATS = 'PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF';

/** Enough of a text file to find its root element behind a declaration and comments. */
const TEXT_PROBE_BYTES = 4096;
/** Files name a handful of brands; what stands behind so many decides nothing. */
export const MAX_BRANDS = 64;
/** BMP's first header has only 16-bit sizes and is told by its length. */
export const BMP_CORE_HEADER = 12;

const ascii = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end));
const startsWith =
  (...prefix: number[]) =>
  (bytes: Uint8Array): boolean =>
    bytes.length >= prefix.length && prefix.every((value, i) => bytes[i] === value);

/** The brands of an ISO media file's `ftyp` box: the major one and the compatible ones (ISO/IEC 14496-12, 4.3). */
const brands = (bytes: Uint8Array): string[] => {
  if (bytes.length < 12 || ascii(bytes, 4, 8) !== 'ftyp') return [];
  const length = viewOf(bytes).getUint32(0);
  const found = [ascii(bytes, 8, 12)];
  const end = Math.min(length, bytes.length, 16 + 4 * MAX_BRANDS);
  for (let at = 16; at + 4 <= end; at += 4) found.push(ascii(bytes, at, at + 4));
  return found;
};
const hasBrand =
  (...wanted: string[]) =>
  (bytes: Uint8Array): boolean =>
    brands(bytes).some((brand) => wanted.includes(brand));
/** Lengths of BMP's second header, by which its versions are told. */
const BMP_HEADERS = [BMP_CORE_HEADER, 16, 40, 52, 56, 64, 108, 124];
/**
 * "BM" also starts a word. Behind it stand the file's size, four reserved bytes, which some writers fill, and the place
 * of the pixels; then the length of the next header.
 */
const isBmp = (bytes: Uint8Array): boolean =>
  ascii(bytes, 0, 2) === 'BM' &&
  (bytes.length < 10 ||
    ascii(bytes, 6, 10) === '\0\0\0\0' ||
    (bytes.length >= 18 && BMP_HEADERS.includes(viewOf(bytes).getUint32(14, true))));
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const text = (bytes: Uint8Array): string =>
  ascii(bytes, 0, Math.min(bytes.length, TEXT_PROBE_BYTES))
    .replace(/^\xEF\xBB\xBF/, '')
    .trimStart()
    .toLowerCase();

const CONVERT = 'convert it to PNG or JPEG first';

/**
 * In the order in which they are tried: AVIF before HEIC, for AVIF files often name HEIF's brands too;
 * HTML before SVG, for pages hold drawings.
 */
const FORMATS: readonly (ImageFormat | OtherFormat)[] = [
  {
    name: 'PNG',
    matches: startsWith(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    declaredSize: (header) => [header.getUint32(16), header.getUint32(20)],
    headerBytes: 24,
  },
  { name: 'JPEG', matches: startsWith(0xff, 0xd8, 0xff) },
  {
    name: 'GIF',
    matches: (bytes) => /^GIF8[79]a$/.test(ascii(bytes, 0, 6)),
    declaredSize: (header) => [header.getUint16(6, true), header.getUint16(8, true)],
    headerBytes: 10,
  },
  {
    name: 'WebP',
    matches: (bytes) => ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP',
  },
  {
    name: 'BMP',
    matches: isBmp,
    declaredSize: (header) =>
      header.getUint32(14, true) === BMP_CORE_HEADER
        ? [header.getUint16(18, true), header.getUint16(20, true)]
        : [header.getInt32(18, true), Math.abs(header.getInt32(22, true))],
    headerBytes: 26,
  },
  {
    name: 'TIFF',
    matches: (bytes) => /^(?:II[*+]\0|MM\0[*+])$/.test(ascii(bytes, 0, 4)),
  },
  { name: 'AVIF', matches: hasBrand('avif', 'avis') },
  {
    name: 'HEIC',
    refusal: `is a HEIC photo, whose pixels cannot be decoded here; ${CONVERT}`,
    matches: hasBrand('heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'),
  },
  {
    name: 'HTML',
    refusal: 'is a web page, not an image; download the image itself',
    matches: (bytes) => /^<(?:!doctype html|html|head|body)/.test(text(bytes)),
  },
  {
    name: 'SVG',
    refusal: 'is an SVG drawing, which has no pixels of its own; render it to PNG first',
    matches: (bytes) => /^<svg[\s>]/.test(text(bytes)) || /^<[?!][^]*<svg[\s>]/.test(text(bytes)),
  },
  {
    name: 'gzip',
    refusal: `is a gzip file, not an image; give a ${READABLE_FORMATS} file`,
    matches: startsWith(0x1f, 0x8b),
  },
  {
    name: 'PDF',
    refusal: 'is a PDF document, not an image; render its page to PNG first',
    matches: (bytes) => ascii(bytes, 0, 5) === '%PDF-',
  },
];

/** The format of `bytes`, or undefined if it is none that is known here. */
export function formatOf(bytes: Uint8Array): ImageFormat | OtherFormat | undefined {
  return FORMATS.find((format) => format.matches(bytes));
}
