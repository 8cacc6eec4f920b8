/** @module Bytes of a picture to RGB, in the process that decodes. Everything here may meet hostile bytes. */
import sharp, { type Sharp } from 'sharp';
import { messageOf, UserError } from '../util/errors.js';
import { decodeBmp } from './bmp.js';
import { checkSize, damaged, readableFormat, type ReadOptions, viewOf } from './checks.js';
import type { ImageFormat } from './formats.js';
import type { Size } from './frames.js';
import type { RgbImage } from './image.js';
import { cmykToRgb, toRgb } from './pixels.js';

/** A picture as RGB. @throws UserError for what cannot be read whole. */
export async function readPicture(bytes: Uint8Array, options: ReadOptions): Promise<RgbImage> {
  const format = readableFormat(bytes, options);
  return format.reader === 'bmp'
    ? decodeBmp(bytes, options.subject)
    : await decodeWithSharp(bytes, format, options);
}

/** Its size alone, after its orientation is applied. */
export async function measurePicture(bytes: Uint8Array, options: ReadOptions): Promise<Size> {
  const format = readableFormat(bytes, options);
  if (format.reader === 'bmp') {
    const [width, height] = format.declaredSize?.(viewOf(bytes)) ?? [0, 0];
    return { width, height };
  }
  const { width, height, autoOrient } = await sharp(bytes, { limitInputPixels: false }).metadata();
  checkSize([width, height], options);
  return { width: autoOrient.width, height: autoOrient.height };
}

async function decodeWithSharp(
  bytes: Uint8Array,
  format: ImageFormat,
  options: ReadOptions,
): Promise<RgbImage> {
  const { maxPixels, subject } = options;
  // Elsewhere warnings are about metadata: many sound PNG and TIFF files carry odd tags.
  const failOn = format.warnsOfLostPixels ? 'warning' : 'error';
  const open = (limitInputPixels: number | false): Sharp =>
    sharp(bytes, { ignoreIcc: true, failOn, limitInputPixels });
  try {
    // Reads the header only; the limit is ours so that the message can name the size.
    const { width, height, space } = await open(false).metadata();
    checkSize([width, height], options);
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
