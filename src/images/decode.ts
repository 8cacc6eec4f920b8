/** @module Pictures as pixels: read here, decoded and resized in processes of their own. */
import { readFile, stat } from 'node:fs/promises';
import { messageOf, UserError } from '../util/errors.js';
import { readableFormat } from './checks.js';
import type { Size } from './frames.js';
import type { RgbImage } from './image.js';
import { type DecodeJob, sharedPool } from './pool.js';

/** An image of 50 million pixels takes 150 MB as RGB; cameras stay below, bombs do not. */
const DEFAULT_MAX_PIXELS = 50_000_000;
/** The default limit of pixels in the bulkiest encoding that is read (four 16-bit channels), with room for metadata. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;
/** The largest pictures take a few seconds on one slow core. */
const DEFAULT_TIMEOUT_MS = 30_000;

export interface DecodeOptions {
  /** The most pixels an image may declare; above it the image is refused before it is decoded. Default 50 million. */
  readonly maxPixels?: number;
  /**
   * The size that is wanted, given the picture's own (after its orientation is applied, in pixels): it is resized
   * bicubically where it was decoded, as Pillow would do it. Without it the picture keeps its size.
   */
  readonly resizeTo?: (size: Size) => Size;
  /** The longest that decoding and resizing may take, in milliseconds; then the work is ended. Default 30,000. */
  readonly timeoutMs?: number;
  /** Ends the work at once, also while the picture waits or is resized. */
  readonly signal?: AbortSignal;
  /** How messages call the picture, such as `the image photo.jpg`. */
  readonly subject?: string;
}

/** How messages call a picture that has no name. */
export const BYTES_SUBJECT = 'the image in the given bytes';
/** The longest name that messages show whole; the ends of longer ones tell them apart. */
const MAX_SHOWN_NAME = 300;

/** How messages call the picture of a path or URL. */
export function imageSubject(name: string): string {
  if (name.length <= MAX_SHOWN_NAME) return `the image ${name}`;
  const half = MAX_SHOWN_NAME / 2;
  return `the image ${name.slice(0, half)}…${name.slice(-half)}`;
}

/** A decoded picture and the size that it had before it was resized, after its orientation was applied. */
export interface DecodedImage extends RgbImage {
  readonly original: Size;
}

/**
 * An image file, or the bytes of one, as RGB, the way Pillow with EXIF transposition reads it: the first frame, 16 bits
 * cut to the high byte, alpha composited on white, colour profiles ignored, CMYK by Pillow's rule.
 * The format is told by the bytes, never by the name; what is not on the list of formats never reaches a decoder.
 * The work is done in a few processes that the whole program shares, so that the event loop goes on meanwhile.
 * @throws UserError naming the path, the reason and the remedy for everything that cannot be read whole (`too_slow`
 *   where the time ran out); what ends the signal is thrown as its reason.
 *
 * @example
 * const { width, height, data, original } = await decodeImage('photo.jpg', {
 *   resizeTo: ({ width, height }) => ({ width: Math.ceil(width / 4), height: Math.ceil(height / 4) }),
 *   signal: AbortSignal.timeout(5_000),
 * });
 */
export async function decodeImage(
  source: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedImage> {
  const { image, original } = await sharedPool().decode(await jobOf(source, options));
  return { ...image, original };
}

/** The size of an image in pixels after its orientation is applied; its pixels are not decoded. @throws UserError */
export async function measureImage(
  source: string | Uint8Array,
  options: Omit<DecodeOptions, 'resizeTo'> = {},
): Promise<Size> {
  return sharedPool().measure(await jobOf(source, options));
}

async function jobOf(source: string | Uint8Array, options: DecodeOptions): Promise<DecodeJob> {
  const { maxPixels = DEFAULT_MAX_PIXELS, timeoutMs = DEFAULT_TIMEOUT_MS, resizeTo, signal } = options;
  const { subject = typeof source === 'string' ? imageSubject(source) : BYTES_SUBJECT } = options;
  const bytes = typeof source === 'string' ? await readImageFile(source, subject, signal) : source;
  checkLength(bytes.length, subject);
  // What is no picture at all is told at once, without a process.
  readableFormat(bytes, { subject, maxPixels });
  return { bytes, subject, maxPixels, timeoutMs, signal, resizeTo };
}

/** @throws UserError for a file of more bytes than any picture needs. */
export function checkLength(length: number, subject: string): void {
  if (length <= MAX_FILE_BYTES) return;
  const limit = `${MAX_FILE_BYTES / 2 ** 20} MiB`;
  throw new UserError(
    `${subject} has ${length} bytes, more than the limit of ${limit}; scale it down first`,
    {
      code: 'too_large',
    },
  );
}

/** The bytes of an image file. @throws UserError that says why it cannot be read. */
export async function readImageFile(
  path: string,
  subject: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) {
      throw new UserError(`${subject} is a folder; name an image file in it`);
    }
    if (!info.isFile()) {
      throw new UserError(`${subject} is not a regular file; copy the image to a file first`);
    }
    checkLength(info.size, subject);
    return await readFile(path, { signal });
  } catch (error) {
    if (error instanceof UserError) throw error;
    signal?.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new UserError(`${subject} does not exist; check the path`, { code: 'not_found' });
    }
    throw new UserError(
      // Node's message repeats the path behind a comma.
      `${subject} cannot be opened (${messageOf(error).split(/, (?:open|l?stat) '/u, 1)[0]}); check the path and its permissions`,
    );
  }
}
