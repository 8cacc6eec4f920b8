import { readFile, stat } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { messageOf, UserError } from '../util/errors.js';
import { decodeBmp } from './bmp.js';
import { formatOf, type ImageFormat, READABLE_FORMATS } from './formats.js';
import type { RgbImage } from './image.js';
import { cmykToRgb, toRgb } from './pixels.js';

/** An image of 50 million pixels takes 150 MB as RGB; cameras stay below, bombs do not. */
const DEFAULT_MAX_PIXELS = 50_000_000;
/** The default limit of pixels in the bulkiest encoding that is read (four 16-bit channels), with room for metadata. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

// Decoding needs one thread; libvips' pool would take the cores from the model.
sharp.concurrency(1);

export interface DecodeOptions {
  /** The most pixels an image may declare; above it the image is refused before it is decoded. */
  readonly maxPixels?: number;
}

/**
 * An image file, or the bytes of one, as RGB, the way Pillow with EXIF transposition reads it: the first frame, 16 bits
 * cut to the high byte, alpha composited on white, colour profiles ignored, CMYK by Pillow's rule.
 * The format is told by the bytes, never by the name; what is not on the list of formats never reaches a decoder.
 * @throws UserError naming the path, the reason and the remedy for everything that cannot be read whole.
 */
export async function decodeImage(
  source: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  const maxPixels = options.maxPixels ?? DEFAULT_MAX_PIXELS;
  const subject = typeof source === 'string' ? `the image ${source}` : 'the image in the given bytes';
  const bytes = typeof source === 'string' ? await readImageFile(source, subject) : source;
  if (bytes.length === 0) {
    throw new UserError(`${subject} is empty (0 bytes); give a complete image`);
  }
  const format = formatOf(bytes);
  if (format === undefined) {
    throw new UserError(`${subject} is not an image that can be read here; give a ${READABLE_FORMATS} file`);
  }
  if (format.refusal !== undefined) throw new UserError(`${subject} ${format.refusal}`);
  if (format.declaredSize !== undefined) {
    if (bytes.length < (format.headerBytes ?? 0)) throw damaged(subject, format, 'its header is cut off');
    const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    checkSize(format.declaredSize(header), maxPixels, subject);
  }
  return format.reader === 'bmp'
    ? decodeBmp(bytes, subject)
    : await decodeWithSharp(bytes, format, maxPixels, subject);
}

async function readImageFile(path: string, subject: string): Promise<Uint8Array> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) {
      throw new UserError(`${subject} is a folder; name an image file in it`);
    }
    if (!info.isFile()) {
      throw new UserError(`${subject} is not a regular file; copy the image to a file first`);
    }
    if (info.size > MAX_FILE_BYTES) {
      const limit = `${MAX_FILE_BYTES / 2 ** 20} MiB`;
      throw new UserError(
        `${subject} has ${info.size} bytes, more than the limit of ${limit}; scale it down first`,
      );
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new UserError(`${subject} does not exist; check the path`);
    }
    throw new UserError(
      `${subject} cannot be opened (${messageOf(error)}); check the path and its permissions`,
    );
  }
}

function checkSize(size: readonly [number, number], maxPixels: number, subject: string): void {
  const [width, height] = size;
  if (width <= 0 || height <= 0) {
    throw new UserError(
      `${subject} declares a size of ${width} x ${height}, no pixel at all; give a complete image`,
    );
  }
  if (width * height > maxPixels) {
    const million = (pixels: number): string => `${(pixels / 1e6).toFixed(1)} million`;
    throw new UserError(
      `${subject} declares ${width} x ${height} pixels (${million(width * height)}), ` +
        `more than the limit of ${million(maxPixels)}; scale it down first`,
    );
  }
}

function damaged(subject: string, format: ImageFormat, reason: string): UserError {
  return new UserError(
    `${subject} (${format.name}) is truncated or damaged (${reason}); get a complete copy`,
  );
}

async function decodeWithSharp(
  bytes: Uint8Array,
  format: ImageFormat,
  maxPixels: number,
  subject: string,
): Promise<RgbImage> {
  // Elsewhere warnings are about metadata: many sound PNG and TIFF files carry odd tags.
  const failOn = format.warnsOfLostPixels ? 'warning' : 'error';
  const open = (limitInputPixels: number | false): Sharp =>
    sharp(bytes, { ignoreIcc: true, failOn, limitInputPixels });
  try {
    // Reads the header only; the limit is ours so that the message can name the size.
    const { width, height, space } = await open(false).metadata();
    checkSize([width, height], maxPixels, subject);
    const image = open(maxPixels).autoOrient();
    const cmyk = space === 'cmyk';
    if (cmyk) image.pipelineColourspace('cmyk').toColourspace('cmyk');
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      data: cmyk ? cmykToRgb(data) : toRgb(data, info.channels),
    };
  } catch (error) {
    if (error instanceof UserError) throw error;
    // sharp's own words come first and say little; the decoder's first line is the cause, the others repeat it.
    const cause = messageOf(error)
      .replace(/^(?:Input buffer has corrupt header: ?|Warning treated as error due to failOn setting\n)/, '')
      .split('\n', 1)[0];
    throw damaged(subject, format, cause || 'its header is not valid');
  }
}
