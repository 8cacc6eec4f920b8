import sharp from 'sharp';
import { assert } from '../util/errors.js';
import type { RgbImage } from './image.js';

/** `image` as a PNG file: 8 bits, RGB, lossless. */
export async function encodePng(image: RgbImage): Promise<Uint8Array> {
  const { width, height, data } = image;
  assert(data.length === 3 * width * height, `${width} x ${height} pixels are not ${data.length} bytes`);
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
