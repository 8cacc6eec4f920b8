/** @module What is told of a picture before any decoder sees it. */
import { UserError } from '../util/errors.js';
import { formatOf, type ImageFormat, READABLE_FORMATS } from './formats.js';
import { refusals } from './plain.js';

/** What JPEG can declare. Longer rows cost decoders many times their own memory, and no model reads such a picture. */
const MAX_SIDE = 65_535;

export interface ReadOptions {
  /** Names the picture in messages. */
  readonly subject: string;
  readonly maxPixels: number;
}

/**
 * The format of `bytes` if its pixels are read here and its declared size is within the limit.
 * @throws UserError otherwise.
 */
export function readableFormat(bytes: Uint8Array, options: ReadOptions): ImageFormat {
  const { subject } = options;
  if (bytes.length === 0) throw refusal(`${subject} is empty (0 bytes); give a complete image`);
  const format = formatOf(bytes);
  if (format === undefined) {
    throw new UserError(`${subject} is not an image that can be read here; give a ${READABLE_FORMATS} file`, {
      code: 'unsupported',
    });
  }
  if ('refusal' in format) {
    throw new UserError(`${subject} ${format.refusal}`, { code: 'unsupported' });
  }
  if (format.declaredSize !== undefined) {
    if (bytes.length < (format.headerBytes ?? 0))
      refusals(subject, format.name).damaged('its header is cut off');
    checkSize(format.declaredSize(viewOf(bytes)), options);
  }
  return format;
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const refusal = (message: string): UserError => new UserError(message, { code: 'invalid_image' });

export function checkSize(size: readonly [number, number], { maxPixels, subject }: ReadOptions): void {
  const [width, height] = size;
  if (width <= 0 || height <= 0) {
    throw refusal(
      `${subject} declares a size of ${width} x ${height}, no pixel at all; give a complete image`,
    );
  }
  if (width * height > maxPixels) {
    const million = (pixels: number): string => `${(pixels / 1e6).toFixed(1)} million`;
    throw new UserError(
      `${subject} declares ${width} x ${height} pixels (${million(width * height)}), ` +
        `more than the limit of ${million(maxPixels)}; scale it down first`,
      { code: 'too_large' },
    );
  }
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new UserError(
      `${subject} declares ${width} x ${height} pixels, and no side may have more than ${MAX_SIDE}; scale it down first`,
      { code: 'too_large' },
    );
  }
}
