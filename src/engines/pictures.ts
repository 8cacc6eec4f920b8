/** @module Pictures on their way to a model: as pixels for this process, as an image file for a server. */
import sharp, { type Metadata } from 'sharp';
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import { encodePng } from '../images/png.js';
import type { EngineImage } from './engine.js';

/** An image file with its media type. */
export interface ImageFile {
  readonly type: 'image/png' | 'image/jpeg';
  readonly bytes: Uint8Array;
}

/**
 * Pictures of up to so many pixels are sent as PNG, bit for bit: it is what Qwen's models are mostly shown at most (1,280
 * tokens of 28 × 28 pixels), and about 3 MB. Larger ones a server shrinks itself, which hides what JPEG loses.
 */
const LOSSLESS_PIXELS = 1280 * 28 ** 2;
/** No loss that can be seen: as for archives, and with the colours at full resolution. */
const JPEG = { quality: 95, chromaSubsampling: '4:4:4' } as const;

/** The pixels of a picture, upright. @throws UserError for bytes that cannot be read whole. */
export async function pixelsOf(image: EngineImage): Promise<RgbImage> {
  if (image instanceof Uint8Array) return await decodeImage(image);
  return 'pixels' in image ? await image.pixels() : image;
}

/**
 * A picture as a file that every server reads: its own file where there is one that every server sees as it is seen here,
 * else PNG, or JPEG for a large one.
 */
export async function fileOf(image: EngineImage): Promise<ImageFile> {
  // Of bare bytes nobody has seen yet whether they are a whole picture.
  const seen = image instanceof Uint8Array ? await decodeImage(image) : null;
  const own = image instanceof Uint8Array ? image : 'file' in image ? image.file : undefined;
  const type = own === undefined ? null : await plainTypeOf(own);
  if (own !== undefined && type !== null) return { type, bytes: own };
  const pixels = seen ?? (await pixelsOf(image));
  const { width, height, data } = pixels;
  if (width * height <= LOSSLESS_PIXELS) return { type: 'image/png', bytes: await encodePng(pixels) };
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg(JPEG)
    .toBuffer();
  return { type: 'image/jpeg', bytes };
}

/** Formats that every server reads; llama-server reads no WebP. */
const TYPES: Readonly<Partial<Record<Metadata['format'], ImageFile['type']>>> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
};
const PLAIN_SPACES: ReadonlySet<string> = new Set(['srgb', 'b-w']);

/**
 * The type of a file that leaves no room for reading it otherwise: upright without being turned, opaque, RGB or grey, 8
 * bits. Servers differ in what they make of orientation, transparency, CMYK and 16 bits. Null for any other.
 */
async function plainTypeOf(file: Uint8Array): Promise<ImageFile['type'] | null> {
  const header = await sharp(file)
    .metadata()
    .catch(() => null);
  if (header === null) return null;
  const { format, orientation = 1, xmp, comments = [], hasAlpha, space, depth } = header;
  const turned =
    orientation !== 1 ||
    xmp?.includes('Orientation') === true ||
    comments.some(({ keyword }) => keyword.startsWith('Raw profile type'));
  const plain = !turned && !hasAlpha && depth === 'uchar' && PLAIN_SPACES.has(space);
  return plain ? (TYPES[format] ?? null) : null;
}
